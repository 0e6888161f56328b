"""The handlers of a router: which are refused, and how one is called."""

from __future__ import annotations

import inspect
import re
import warnings
from collections.abc import Callable
from contextlib import suppress
from difflib import get_close_matches
from functools import partial
from typing import Any, NamedTuple

from interactor_client.accepted import pattern_of
from interactor_client.models import EVENT_MODELS
from interactor_ext._errors import ConfigurationError
from interactor_ext._waiting.around import Around, is_generator, surrounded, with_value

Handler = Callable[[Any], Any] | Callable[[Any, Any], Any]


class Registration(NamedTuple):
    """A handler and the events that it is for."""

    patterns: tuple[str, ...]
    pattern: re.Pattern[str]
    handler: Callable[..., Any]
    takes_value: bool
    """Whether it has a second parameter, for what `around` yields."""

    @classmethod
    def of(cls, handler: Handler, patterns: tuple[str, ...], *, has_value: bool) -> Registration:
        """Raises ConfigurationError for a handler that would fail with the first delivery, or do nothing."""
        pattern, name = pattern_of(patterns), name_of(handler)
        if not callable(handler):
            raise ConfigurationError(f"A webhook handler must be a function, not {handler!r}.")
        if is_generator(handler):
            raise ConfigurationError(
                f"{name} is a generator function, so calling it would run none of its code. Write it without `yield`."
            )
        try:
            signature = inspect.signature(handler)
        except ValueError:  # some built-in functions have none
            return cls(patterns, pattern, handler, takes_value=False)
        takes_value = _takes_value(name, signature, has_value)
        _warn_of_another_event(name, signature, pattern)
        return cls(patterns, pattern, handler, takes_value)

    @property
    def takes_any_event(self) -> bool:
        return "*" in self.patterns

    def within(self, around: Around | None) -> Callable[[Any], Any]:
        """What to call with an event."""
        if around is None:
            return self.handler
        return surrounded(self.handler, around, with_value if self.takes_value else None)


def similar_event_type(pattern: str) -> str | None:
    """The event type that a pattern misspells, if any. Other unknown types may be newer than this SDK."""
    known = [event for event in EVENT_MODELS["WebhookEvent"] if event]
    if any(map(pattern_of([pattern]).fullmatch, known)):
        return None
    if "*" in pattern:
        known = sorted({f"{event[: dot.start()]}.*" for event in known for dot in re.finditer(r"\.", event)})
    return next(iter(get_close_matches(pattern, known, n=1, cutoff=0.85)), None)


def name_of(handler: object) -> str:
    while isinstance(handler, partial):
        handler = handler.func
    return str(getattr(handler, "__qualname__", type(handler).__qualname__)).rpartition("<locals>.")[2]


def _takes_value(name: str, signature: inspect.Signature, has_value: bool) -> bool:
    if any(type(each.default).__module__.startswith("fastapi.") for each in signature.parameters.values()):
        raise ConfigurationError(
            f"FastAPI doesn't call webhook handlers, so Depends in {name}{signature} has no effect. A second parameter "
            "without a default receives what the router's around= yields, such as around=Session.begin."
        )
    for values in ((None,), (None, None)) if has_value else ((None,),):
        with suppress(TypeError):
            signature.bind(*values)
            return len(values) > 1
    raise ConfigurationError(
        f"A webhook handler is called with the event, and with what around= yields if it has a second parameter, not "
        f"as {name}{signature}."
        if has_value
        else f"A webhook handler is called with only the event, not as {name}{signature}. On a router with around=, a "
        "second parameter receives what that yields."
    )


def _warn_of_another_event(name: str, signature: inspect.Signature, pattern: re.Pattern[str]) -> None:
    """Type checkers can't tell which classes a pattern means."""
    annotation = next(iter(signature.parameters.values())).annotation
    expected = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", "")
    event = next((event for event, model in EVENT_MODELS["WebhookEvent"].items() if event and model == expected), None)
    if event and not pattern.fullmatch(event):
        warnings.warn(f"{name} expects a {expected}, but isn't registered for {event!r}.", stacklevel=4)
