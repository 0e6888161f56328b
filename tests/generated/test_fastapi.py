"""Models as types of pydantic and of FastAPI. Also run with the oldest versions of both."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import httpx
import pytest
from attrs import define, field, fields
from fastapi import Body, FastAPI
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from interactor_client import UNSET, models
from interactor_client.types import Page, PageMeta
from tests.support.cases import nightly
from tests.support.json_schema import COMPONENTS, EXAMPLES, MODELS, in_the_contracts_notation
from tests.support.pip import python_with

INSTANCES = {name: getattr(models, name).from_dict(example) for name, example in reversed(EXAMPLES)}
ASSISTANT, TOOL = INSTANCES["Assistant"], INSTANCES["Tool"]
OLDEST = ("fastapi==0.100.0", "pydantic==2.0.2", "attrs", "httpx", "python-dateutil", "pytest")
META = PageMeta(1, 20, None, 1, has_more=False)


class Desk(BaseModel):
    """A model of a user's."""

    assistant: models.Assistant
    tools: list[models.Tool] = []
    token: models.CredentialToken | None = None


@define(kw_only=True)
class Helper(models.Assistant):
    """A subclass of a user's, with a field of its own."""

    notes: list[str] = field(factory=list)


# pydantic


def test_json_schema_of_a_model_has_the_components_of_the_contract(subtests: pytest.Subtests) -> None:
    for name in MODELS:
        with subtests.test(name=name):
            adapter = TypeAdapter(getattr(models, name))
            schema = adapter.json_schema(mode="validation")
            assert schema == adapter.json_schema(mode="serialization")
            found = {name: schema, **schema.pop("$defs", {})}
            assert in_the_contracts_notation(found) == {each: COMPONENTS[each] for each in found}
            referred = {part.partition('"')[0] for part in json.dumps(found).split('"#/$defs/')[1:]}
            assert referred <= set(found)


def test_example_round_trips_as_python_and_as_json(subtests: pytest.Subtests) -> None:
    for name, example in EXAMPLES:
        with subtests.test(name=name):
            adapter = TypeAdapter(getattr(models, name))
            model = getattr(models, name).from_dict({**example, "brand_new": [1]})
            assert adapter.validate_python(model) is model
            assert adapter.dump_python(model) == adapter.dump_python(model, mode="json") == model.to_dict()
            assert json.loads(adapter.dump_json(model)) == model.to_dict()
            assert adapter.validate_python(adapter.dump_python(model)) == model
            assert adapter.validate_json(adapter.dump_json(model)) == model


def test_users_model_with_models_inside_round_trips_and_shares_their_definitions() -> None:
    desk = Desk(assistant=ASSISTANT, tools=[TOOL.to_dict()])
    assert Desk.model_validate(desk.model_dump()) == Desk.model_validate_json(desk.model_dump_json()) == desk
    assert desk.tools[0].callback_url is UNSET
    assert desk.model_dump(include={"assistant": {"id"}}) == {"assistant": {"id": ASSISTANT.id}}
    assert "tools" not in desk.model_dump(exclude={"assistant": {"tools"}})["assistant"]
    schema = Desk.model_json_schema()
    reference = {"$ref": "#/$defs/Assistant"}
    assert schema["properties"]["assistant"] in (reference, {"allOf": [reference]})
    assert schema["properties"]["tools"]["items"] == {"$ref": "#/$defs/Tool"}
    for name, definition in schema["$defs"].items():
        assert in_the_contracts_notation(definition) == COMPONENTS[name]


def test_subclass_has_the_schema_of_its_model_under_a_name_of_its_own() -> None:
    class Both(BaseModel):
        helper: Helper
        assistant: models.Assistant

    definitions = Both.model_json_schema()["$defs"]
    assert definitions["Helper"] == definitions["Assistant"]
    both = Both.model_validate({"helper": ASSISTANT.to_dict(), "assistant": ASSISTANT.to_dict()})
    assert (type(both.helper), type(both.assistant)) == (Helper, models.Assistant)
    assert both.helper.notes == []
    assert (
        both.helper
        == Helper.from_dict(ASSISTANT.to_dict())
        == Helper(**{each.name: getattr(ASSISTANT, each.name) for each in fields(models.Assistant)})
    )


def test_reading_is_as_tolerant_as_that_of_responses_and_takes_models_within_a_dict() -> None:
    values = {"access_token": "t", "token_type": "Bearer", "expires_in": "3600", "new": 1}
    token = TypeAdapter(models.AccessToken).validate_python(values)
    assert (token.expires_in, token.additional_properties) == (3600, {"new": 1})
    assistant = TypeAdapter(models.Assistant).validate_python({**ASSISTANT.to_dict(), "tools": [TOOL, "tool_2"]})
    assert assistant.tools == [TOOL, "tool_2"]


@pytest.mark.parametrize(
    ("target", "wrong", "place", "message"),
    [
        (models.Assistant, {"name": 5}, ("name",), "Assistant.name must be a string, not an integer"),
        (
            Desk,
            {"tools": ["tool_1", {"name": "tool_2"}]},
            ("assistant", "tools", 1, "id"),
            "Tool.id is missing (at tools[1].id of Assistant)",
        ),
        (Desk, "asst_1", ("assistant",), "Assistant must be an object, not a string"),
        (models.Assistant, TOOL, (), "Assistant must be an object, not Tool"),
    ],
)
def test_field_that_does_not_fit_is_an_error_at_its_place(target: Any, wrong: Any, place: Any, message: str) -> None:
    value = {**ASSISTANT.to_dict(), **wrong} if isinstance(wrong, dict) else wrong
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(target).validate_python({"assistant": value} if target is Desk else value)
    assert [(error["loc"], error["msg"]) for error in caught.value.errors()] == [(place, message)]


def test_error_quotes_no_value() -> None:
    token: Any = {"access_token": "s3cr3t"}
    values = [{**token, "token_type": ["s3cr3t"]}, {"scope": "s3cr3t"}, ["s3cr3t"], "s3cr3t", deeply_nested("s3cr3t")]
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

    body = {"assistant": ASSISTANT.to_dict()}
    assert Strict(assistant=ASSISTANT) == Strict.model_validate_json(json.dumps(body))
    with pytest.raises(ValidationError):
        Strict.model_validate(body)


@pytest.mark.parametrize("family", models.EVENT_MODELS)
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
    page = Page([ASSISTANT], META)
    assert adapter.validate_python(page) == page
    assert adapter.dump_python(page) == page.to_dict() == {"data": [page.data[0].to_dict()], "meta": asdict(META)}
    assert adapter.validate_json(adapter.dump_json(page)) == page
    schema = adapter.json_schema()
    assert schema["properties"]["data"]["items"] == {"$ref": "#/$defs/Assistant"}
    assert schema["properties"]["meta"] == {"$ref": "#/$defs/PageMeta"}
    assert schema["$defs"]["PageMeta"]["properties"].keys() == asdict(META).keys()
    assert in_the_contracts_notation(schema["$defs"]["Assistant"]) == COMPONENTS["Assistant"]


# FastAPI


def get(app: FastAPI, path: str) -> Any:
    return send(app, "GET", path, 200)


def send(app: FastAPI, method: str, path: str, status: int, body: object = None) -> Any:
    async def exchange() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://app") as client:
            return await client.request(method, path, json=body)

    response = asyncio.run(exchange())
    assert response.status_code == status, response.text
    return response.json()


def returning(value: object) -> Callable[[], object]:
    return lambda: value


def echoing(kind: type) -> Callable[[Any], Any]:
    def echo(body: Any) -> Any:
        return body

    echo.__annotations__ = {"body": Annotated[kind, Body()], "return": kind}
    return echo


def without_nulls(schema: Any) -> Any:
    """FastAPI leaves out every null of its OpenAPI document, those in examples included."""
    if isinstance(schema, dict):
        return {key: without_nulls(value) for key, value in schema.items() if value is not None}
    return [without_nulls(each) for each in schema] if isinstance(schema, list) else schema


PAGE = {"data": [ASSISTANT.to_dict()], "meta": asdict(META)}
RESPONSES = {
    **{name: (model, type(model), model.to_dict()) for name, model in INSTANCES.items()},
    "list": ([ASSISTANT, ASSISTANT], list[models.Assistant], [ASSISTANT.to_dict()] * 2),
    "page": (Page([ASSISTANT], META), Page[models.Assistant], PAGE),
    "page of tools": (Page([TOOL], META), Page[models.Tool], {**PAGE, "data": [TOOL.to_dict()]}),
    "empty page": (Page([], META), Page[models.Assistant], {**PAGE, "data": []}),
}


@pytest.fixture(scope="module")
def apps() -> dict[str, FastAPI]:
    """Not made where the tests are only collected: the routes take a second."""
    typed, untyped, echo = FastAPI(), FastAPI(), FastAPI()
    for name, (value, kind, _) in RESPONSES.items():
        typed.get(f"/{name}", response_model=kind)(returning(value))
        untyped.get(f"/{name}")(returning(value))
        if name in INSTANCES:
            echo.post(f"/{name}")(echoing(kind))
    return {"typed": typed, "untyped": untyped, "echo": echo}


def test_typed_and_untyped_response_is_the_json(subtests: pytest.Subtests, apps: dict[str, FastAPI]) -> None:
    for name in RESPONSES:
        with subtests.test(name=name):
            assert get(apps["typed"], f"/{name}") == get(apps["untyped"], f"/{name}") == RESPONSES[name][2]


def test_pages_of_different_models_have_schemas_of_their_own(apps: dict[str, FastAPI]) -> None:
    document = get(apps["typed"], "/openapi.json")
    for path, name in (("/page", "Assistant"), ("/page of tools", "Tool")):
        ok = document["paths"][path]["get"]["responses"]["200"]
        schema = ok["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
        properties = document["components"]["schemas"][schema]["properties"]
        assert properties["data"]["items"] == {"$ref": f"#/components/schemas/{name}"}
        assert properties["meta"] == {"$ref": "#/components/schemas/PageMeta"}


def test_response_can_be_cut_to_some_fields_and_a_page_be_the_list_response_of_the_contract() -> None:
    app = FastAPI()
    cut: Any = {"response_model": models.Assistant, "response_model_include": {"id", "name"}}
    app.get("/cut", **cut)(lambda: ASSISTANT)
    app.get("/list", response_model=models.AssistantListResponse)(lambda: Page([ASSISTANT], META))
    assert get(app, "/cut") == {"id": ASSISTANT.id, "name": ASSISTANT.name}
    meta = {name: value for name, value in asdict(META).items() if value is not None}
    assert get(app, "/list") == {**PAGE, "meta": meta}


def test_body_is_read_as_a_model_and_returned(subtests: pytest.Subtests, apps: dict[str, FastAPI]) -> None:
    for name in INSTANCES:
        with subtests.test(name=name):
            assert send(apps["echo"], "POST", f"/{name}", 200, RESPONSES[name][2]) == RESPONSES[name][2]


def test_openapi_schemas_are_the_components_of_the_contract(apps: dict[str, FastAPI]) -> None:
    """Each model both as a body and as a response, so that they do not fall apart into an input and an output."""
    schemas = get(apps["echo"], "/openapi.json")["components"]["schemas"]
    assert schemas.keys() - COMPONENTS.keys() == {"HTTPValidationError", "ValidationError"}
    assert INSTANCES.keys() <= schemas.keys()
    described = {name: in_the_contracts_notation(schemas[name]) for name in schemas.keys() & COMPONENTS.keys()}
    assert described == {name: without_nulls(COMPONENTS[name]) for name in described}


def test_body_that_does_not_fit_is_a_422_that_names_the_field_and_quotes_nothing() -> None:
    app = FastAPI()

    @app.post("/")
    def create(body: Annotated[models.CreateTokenRequest, Body()]) -> None: ...

    body = {"grant_type": "client_credentials", "client_id": 1, "client_secret": "s3cr3t"}
    refused = send(app, "POST", "/", 422, body)
    [error] = refused["detail"]
    assert error["loc"] == ["body", "client_id"]
    assert error["msg"] == "CreateTokenRequest.client_id must be a string, not an integer"
    assert "s3cr3t" not in json.dumps(refused)


def test_users_model_with_a_model_inside_is_a_body_and_a_response() -> None:
    app = FastAPI()

    @app.post("/")
    def echo(desk: Desk) -> Desk:
        return desk

    desk = {"assistant": ASSISTANT.to_dict(), "tools": [TOOL.to_dict()], "token": None}
    assert send(app, "POST", "/", 200, desk) == desk
    refused = send(app, "POST", "/", 422, {"assistant": {**ASSISTANT.to_dict(), "tools": [{"id": 1}]}})
    assert refused["detail"][0]["loc"] == ["body", "assistant", "tools", 0, "id"]
    schemas = get(app, "/openapi.json")["components"]["schemas"]
    assert in_the_contracts_notation(schemas["Assistant"]) == without_nulls(COMPONENTS["Assistant"])


@nightly
@pytest.mark.full
def test_models_work_in_the_oldest_fastapi_and_pydantic(request: pytest.FixtureRequest) -> None:
    python = python_with(request, *OLDEST)
    options = ["-q", "--noconftest", "-c", os.devnull, "-p", "no:cacheprovider", "-m", "not full"]
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    run = subprocess.run([python, "-m", "pytest", *options, __file__], env=env, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout[-5000:] + run.stderr[-1000:]
    assert "skipped" not in run.stdout
