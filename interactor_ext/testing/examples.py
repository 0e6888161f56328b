"""Models with the values of the specification's examples, for tests without a sandbox."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any, TypeVar

import attrs

from interactor_client.base import Model, component_of

M = TypeVar("M", bound=Model)


def example(model: type[M], **fields: Any) -> M:
    """A model as a response would create it, with the specification's example for its fields.

        bot = example(Assistant, name="Support Bot")

    `fields` override the example's; UNSET omits one. A field that holds another model accepts one, such as
    `example(AssistantResponse, data=bot)`. Supports the models and events of `interactor_client.models` and
    `interactor_ext.webhooks`. Each call creates a new object, always with the same values.

    Raises:
        TypeError: `model` isn't a model, or has no such field.
        DecodeError: a value doesn't fit its field.
    """
    if not (isinstance(model, type) and issubclass(model, Model) and model is not Model):
        raise TypeError(f"example() needs a class of interactor_client.models, such as Assistant, not {model!r:.100}.")
    made: Any = model.from_dict(component_of(model)["examples"][0])
    known = [attribute.name for attribute in attrs.fields(type(made))]
    for name in fields:
        if name not in known:
            close = get_close_matches(name, known, n=1)
            advice = f"write {close[0]!r}" if close else f"it has {', '.join(known)}"
            raise TypeError(f"{model.__name__} has no field {name!r}: {advice}.")
    return model.from_dict(attrs.evolve(made, **fields).to_dict())
