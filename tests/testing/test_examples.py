"""`example` makes a valid model of any class of the contract, with the values of the specification's examples."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from typing import Any

import pytest

from interactor_client import UNSET, DecodeError, models
from interactor_client.base import Model
from interactor_client.models import Assistant, AssistantListResponse, AssistantResponse, Room, StreamEvent, Tool
from interactor_ext.testing import example
from interactor_ext.webhooks import CredentialExpiredEvent
from tests.support.json_schema import COMPONENTS

MODELS = [
    value
    for value in (getattr(models, name) for name in models.__all__)
    if isinstance(value, type) and issubclass(value, Model)
]


def test_example_of_every_model_is_valid_and_always_the_same(subtests: pytest.Subtests) -> None:
    for model in MODELS:
        with subtests.test(model=model):
            made = example(model)
            assert type(made) is model
            assert made == example(model)
            assert made is not example(model)
            written = COMPONENTS[model.__name__]["examples"][0]
            assert written.keys() <= made.to_dict().keys()
            assert model.from_dict(json.loads(json.dumps(made.to_dict()))) == made


def test_fields_take_the_place_of_the_examples_models_within_models_too() -> None:
    moment = datetime(2026, 1, 2, tzinfo=UTC)
    bot = example(Assistant, name="Bot", created_at=moment, tools=[example(Tool, name="look_up"), "tool_2"])
    assert (bot.name, bot.created_at, bot.model) == ("Bot", moment, "gpt-4")
    assert [each if isinstance(each, str) else each.name for each in bot.tools] == ["look_up", "tool_2"]
    assert example(AssistantResponse, data=bot).data == bot
    assert [each.name for each in example(AssistantListResponse, data=[bot, bot]).data] == ["Bot", "Bot"]
    event = example(CredentialExpiredEvent, namespace="user_1")
    assert (event.event, event.namespace, event.data.provider) == ("credential.expired", "user_1", "google")
    assert example(Room, metadata=UNSET).metadata == {}
    assert example(Room, additional_properties={"new": 1}).to_dict()["new"] == 1


def test_changing_an_example_changes_no_other_and_a_subclass_has_that_of_its_model() -> None:
    class Bot(Assistant):
        pass

    room = example(Room)
    room.metadata["email"] = "x"
    assert "x" not in example(Room).metadata.values()
    assert type(example(Bot, name="Mine")) is Bot


@pytest.mark.parametrize(
    ("model", "fields", "error", "message"),
    [
        (Assistant, {"nam": "x"}, TypeError, r"^Assistant has no field 'nam': write 'name'\.$"),
        (Assistant, {"zzz": 1}, TypeError, r"^Assistant has no field 'zzz': it has id, name, .*\.$"),
        (Assistant, {"name": 3}, DecodeError, r"^Assistant\.name must be a string, not an integer$"),
        (Assistant, {"id": UNSET}, DecodeError, r"^Assistant\.id"),
        (
            dict,
            {},
            TypeError,
            r"^example\(\) needs a class of interactor_client\.models, such as Assistant, not <class",
        ),
        (StreamEvent, {}, TypeError, r"^example\(\) needs a class"),
        (models.MessageRole, {}, TypeError, r"^example\(\) needs a class"),
    ],
)
def test_mistake_is_named(model: Any, fields: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        example(model, **fields)


def test_example_needs_the_core_alone_and_no_client() -> None:
    program = """
import sys
from interactor_client.models import Assistant
from interactor_ext.testing import example
example(Assistant)
print(*{"asyncio", "httpx", "jsonschema", "pytest", "starlette", "interactor_ext.sandbox"} & sys.modules.keys())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "\n"
