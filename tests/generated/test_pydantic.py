"""Models as types of pydantic: validation, errors, dumping, JSON Schema. Also run with the oldest pydantic 2."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import pytest
from attrs import define
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from interactor_client import UNSET, models
from interactor_client.types import Page, PageMeta
from tests.support.cases import for_each
from tests.support.json_schema import COMPONENTS, EXAMPLES, MODELS, in_the_contracts_notation

ASSISTANT = COMPONENTS["Assistant"]["examples"][0]
META = PageMeta(1, 20, None, 1, has_more=False)


class Desk(BaseModel):
    """A model of a user's."""

    assistant: models.Assistant
    tools: list[models.Tool] = []
    token: models.CredentialToken | None = None


@define(kw_only=True)
class Helper(models.Assistant):
    """A subclass of a user's."""


def errors_of(target: Any, value: Any) -> list[tuple[tuple[int | str, ...], str]]:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(target).validate_python(value)
    return [(error["loc"], error["msg"]) for error in caught.value.errors()]


@for_each(MODELS)
def test_json_schema_of_a_model_has_the_components_of_the_contract(name: str) -> None:
    adapter = TypeAdapter(getattr(models, name))
    schema = adapter.json_schema(mode="validation")
    assert schema == adapter.json_schema(mode="serialization")
    found = {name: schema, **schema.pop("$defs", {})}
    assert in_the_contracts_notation(found) == {each: COMPONENTS[each] for each in found}
    referred = {part.partition('"')[0] for part in json.dumps(found).split('"#/$defs/')[1:]}
    assert referred <= set(found)


def test_model_and_those_it_refers_to_share_definitions_in_a_users_schema() -> None:
    schema = Desk.model_json_schema()
    assert schema["properties"]["assistant"] in (
        {"$ref": "#/$defs/Assistant"},
        {"allOf": [{"$ref": "#/$defs/Assistant"}]},
    )
    assert schema["properties"]["tools"]["items"] == {"$ref": "#/$defs/Tool"}
    for name, definition in schema["$defs"].items():
        assert in_the_contracts_notation(definition) == COMPONENTS[name]


def test_subclass_has_the_schema_of_its_model_under_a_name_of_its_own() -> None:
    class Both(BaseModel):
        helper: Helper
        assistant: models.Assistant

    definitions = Both.model_json_schema()["$defs"]
    assert definitions["Helper"] == definitions["Assistant"]
    both = Both.model_validate({"helper": ASSISTANT, "assistant": ASSISTANT})
    assert (type(both.helper), type(both.assistant)) == (Helper, models.Assistant)


@for_each(EXAMPLES)
def test_example_round_trips_as_python_and_as_json(name: str, example: dict[str, Any]) -> None:
    adapter = TypeAdapter(getattr(models, name))
    model = getattr(models, name).from_dict({**example, "brand_new": [1]})
    assert adapter.validate_python(model) is model
    assert adapter.dump_python(model) == adapter.dump_python(model, mode="json") == model.to_dict()
    assert json.loads(adapter.dump_json(model)) == model.to_dict()
    assert adapter.validate_python(adapter.dump_python(model)) == model
    assert adapter.validate_json(adapter.dump_json(model)) == model


def test_users_model_with_a_model_inside_round_trips() -> None:
    desk = Desk(assistant=models.Assistant.from_dict(ASSISTANT), tools=COMPONENTS["Tool"]["examples"])
    assert Desk.model_validate(desk.model_dump()) == desk
    assert Desk.model_validate_json(desk.model_dump_json()) == desk
    assert desk.tools[0].callback_url is UNSET
    assert desk.model_dump(include={"assistant": {"id"}}) == {"assistant": {"id": ASSISTANT["id"]}}
    assert "tools" not in desk.model_dump(exclude={"assistant": {"tools"}})["assistant"]


def test_dict_with_models_in_it_is_accepted() -> None:
    tool = models.Tool.from_dict(COMPONENTS["Tool"]["examples"][0])
    assistant = TypeAdapter(models.Assistant).validate_python({**ASSISTANT, "tools": [tool, "tool_2"]})
    assert assistant.tools == [tool, "tool_2"]


def test_reading_is_as_tolerant_as_that_of_responses() -> None:
    token = TypeAdapter(models.AccessToken).validate_python(
        {"access_token": "t", "token_type": "Bearer", "expires_in": "3600", "new": 1}
    )
    assert (token.expires_in, token.additional_properties) == (3600, {"new": 1})


def test_field_that_does_not_fit_is_an_error_at_its_place() -> None:
    assert errors_of(models.Assistant, {**ASSISTANT, "name": 5}) == [
        (("name",), "Assistant.name must be a string, not an integer")
    ]
    broken = {"assistant": {**ASSISTANT, "tools": ["tool_1", {"id": "tool_2"}]}}
    assert errors_of(Desk, broken) == [
        (("assistant", "tools", 1, "name"), "Tool.name is missing (at tools[1].name of Assistant)")
    ]
    assert errors_of(Desk, {"assistant": "asst_1"}) == [(("assistant",), "Assistant must be an object, not a string")]
    assert errors_of(models.Assistant, models.Tool.from_dict(COMPONENTS["Tool"]["examples"][0]))[0][0] == ()


def test_error_quotes_no_value() -> None:
    token: Any = {"access_token": "s3cr3t"}
    values = [{**token, "token_type": ["s3cr3t"]}, token, ["s3cr3t"], "s3cr3t", deeply_nested("s3cr3t")]
    for value in values:
        with pytest.raises(ValidationError) as caught:
            TypeAdapter(models.CredentialToken).validate_python(value)
        assert "s3cr3t" not in f"{caught.value}{caught.value.errors()}{caught.value.json()}"


def deeply_nested(value: Any) -> Any:
    for _ in range(100_000):
        value = {"access_token": value}
    return value


def test_strict_mode_takes_models_in_python_and_objects_in_json() -> None:
    class Strict(BaseModel):
        model_config = ConfigDict(strict=True)
        assistant: models.Assistant

    assert Strict(assistant=models.Assistant.from_dict(ASSISTANT)) == Strict.model_validate_json(
        json.dumps({"assistant": ASSISTANT})
    )
    with pytest.raises(ValidationError):
        Strict.model_validate({"assistant": ASSISTANT})


@for_each(models.EVENT_MODELS)
def test_union_of_events_takes_the_model_of_the_type(family: str) -> None:
    adapter = TypeAdapter(getattr(models, family))
    for name in models.EVENT_MODELS[family].values():
        event = getattr(models, name).from_dict(COMPONENTS[name]["examples"][0])
        assert adapter.validate_python(event) is event
        assert adapter.validate_python(event.to_dict()) == adapter.validate_json(adapter.dump_json(event)) == event
    schema = adapter.json_schema()
    assert in_the_contracts_notation(schema["anyOf"]) == COMPONENTS[family]["anyOf"]


def test_page_round_trips_and_is_described_by_its_items_and_meta() -> None:
    adapter = TypeAdapter(Page[models.Assistant])
    page = Page([models.Assistant.from_dict(ASSISTANT)], META)
    assert adapter.validate_python(page) == page
    assert adapter.dump_python(page) == page.to_dict() == {"data": [page.data[0].to_dict()], "meta": asdict(META)}
    assert adapter.validate_json(adapter.dump_json(page)) == page
    schema = adapter.json_schema()
    assert schema["properties"]["data"]["items"] == {"$ref": "#/$defs/Assistant"}
    assert schema["properties"]["meta"] == {"$ref": "#/$defs/PageMeta"}
    assert schema["$defs"]["PageMeta"]["properties"].keys() == asdict(META).keys()
    assert in_the_contracts_notation(schema["$defs"]["Assistant"]) == COMPONENTS["Assistant"]


def test_page_is_accepted_as_the_body_of_a_list_response() -> None:
    page = Page([models.Assistant.from_dict(ASSISTANT)], META)
    body = TypeAdapter(models.AssistantListResponse).validate_python(page)
    assert body.data == page.data
    assert body.meta.to_dict() == {"page": 1, "per_page": 20, "total_pages": 1, "has_more": False}
