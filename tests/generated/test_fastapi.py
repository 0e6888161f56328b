"""Models in FastAPI: typed and untyped responses, bodies, OpenAPI. Also run with the oldest FastAPI for pydantic 2."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Annotated, Any

import httpx
from fastapi import Body, FastAPI
from pydantic import BaseModel

from interactor_client import models
from interactor_client.types import Page, PageMeta
from tests.support.cases import for_each
from tests.support.json_schema import COMPONENTS, MODELS, in_the_contracts_notation

EXAMPLES = {name: getattr(models, name).from_dict(COMPONENTS[name]["examples"][0]) for name in MODELS}
ASSISTANT = EXAMPLES["Assistant"]
META = PageMeta(1, 20, None, 1, has_more=False)
META_JSON = {"page": 1, "per_page": 20, "total": None, "total_pages": 1, "has_more": False}


class Desk(BaseModel):
    """A model of a user's."""

    assistant: models.Assistant
    token: models.CredentialToken | None = None


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


def app_returning(value: object, **route: Any) -> FastAPI:
    app = FastAPI()
    app.get("/", **route)(returning(value))
    return app


def without_nulls(schema: Any) -> Any:
    """FastAPI leaves out every null of its OpenAPI document, those in examples included."""
    if isinstance(schema, dict):
        return {key: without_nulls(value) for key, value in schema.items() if value is not None}
    return [without_nulls(each) for each in schema] if isinstance(schema, list) else schema


RESPONSES = {
    **{name: (model, type(model), model.to_dict()) for name, model in EXAMPLES.items()},
    "list": ([ASSISTANT, ASSISTANT], list[models.Assistant], [ASSISTANT.to_dict()] * 2),
    "page": (Page([ASSISTANT], META), Page[models.Assistant], {"data": [ASSISTANT.to_dict()], "meta": META_JSON}),
    "empty page": (Page([], META), Page[models.Assistant], {"data": [], "meta": META_JSON}),
}
TYPED, UNTYPED = FastAPI(), FastAPI()
for name, (value, kind, _) in RESPONSES.items():
    TYPED.get(f"/{name}", response_model=kind)(returning(value))
    UNTYPED.get(f"/{name}")(returning(value))


@for_each(RESPONSES)
def test_typed_and_untyped_response_is_the_json(name: str) -> None:
    assert get(TYPED, f"/{name}") == get(UNTYPED, f"/{name}") == RESPONSES[name][2]


def test_return_annotation_is_the_type_of_the_response() -> None:
    app = FastAPI()

    @app.get("/")
    def assistant() -> models.Assistant:
        return ASSISTANT  # type: ignore[no-any-return]

    assert get(app, "/") == ASSISTANT.to_dict()
    ok = get(app, "/openapi.json")["paths"]["/"]["get"]["responses"]["200"]
    assert ok["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Assistant"}


def test_page_is_the_list_response_of_the_contract() -> None:
    app = app_returning(Page([ASSISTANT], META), response_model=models.AssistantListResponse)
    meta = {name: value for name, value in META_JSON.items() if value is not None}
    assert get(app, "/") == {"data": [ASSISTANT.to_dict()], "meta": meta}


def test_pages_of_different_models_have_schemas_of_their_own() -> None:
    app = FastAPI()
    app.get("/Assistant", response_model=Page[models.Assistant])(lambda: None)
    app.get("/Tool", response_model=Page[models.Tool])(lambda: None)
    document = get(app, "/openapi.json")
    for name in ("Assistant", "Tool"):
        ok = document["paths"][f"/{name}"]["get"]["responses"]["200"]
        schema = ok["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
        properties = document["components"]["schemas"][schema]["properties"]
        assert properties["data"]["items"] == {"$ref": f"#/components/schemas/{name}"}
        assert properties["meta"] == {"$ref": "#/components/schemas/PageMeta"}


def test_response_can_be_cut_to_some_fields() -> None:
    only = app_returning(ASSISTANT, response_model=models.Assistant, response_model_include={"id", "name"})
    assert get(only, "/") == {"id": ASSISTANT.id, "name": ASSISTANT.name}


def test_openapi_schemas_are_the_components_of_the_contract() -> None:
    """Each model both as a body and as a response, so that they do not fall apart into an input and an output."""
    app = FastAPI()
    for name, model in EXAMPLES.items():

        def echo(body: Any) -> Any:
            return body

        echo.__annotations__ = {"body": Annotated[type(model), Body()], "return": type(model)}
        app.post(f"/{name}")(echo)
    document = get(app, "/openapi.json")
    schemas = document["components"]["schemas"]
    assert schemas.keys() - COMPONENTS.keys() == {"HTTPValidationError", "ValidationError"}
    assert EXAMPLES.keys() <= schemas.keys()
    described = {name: in_the_contracts_notation(schemas[name]) for name in schemas.keys() & COMPONENTS.keys()}
    assert described == {name: without_nulls(COMPONENTS[name]) for name in described}
    echoed = {name: send(app, "POST", f"/{name}", 200, model.to_dict()) for name, model in EXAMPLES.items()}
    assert echoed == {name: model.to_dict() for name, model in EXAMPLES.items()}


def test_body_that_does_not_fit_is_a_422_that_names_the_field_and_quotes_nothing() -> None:
    app = FastAPI()

    @app.post("/")
    def create(body: Annotated[models.CreateTokenRequest, Body()]) -> None: ...

    refused = send(
        app, "POST", "/", 422, {"grant_type": "client_credentials", "client_id": 1, "client_secret": "s3cr3t"}
    )
    [error] = refused["detail"]
    assert error["loc"] == ["body", "client_id"]
    assert error["msg"] == "CreateTokenRequest.client_id must be a string, not an integer"
    assert "s3cr3t" not in json.dumps(refused)


def test_users_model_with_a_model_inside_is_a_body_and_a_response() -> None:
    app = FastAPI()

    @app.post("/")
    def echo(desk: Desk) -> Desk:
        return desk

    assert send(app, "POST", "/", 200, {"assistant": ASSISTANT.to_dict()}) == {
        "assistant": ASSISTANT.to_dict(),
        "token": None,
    }
    refused = send(app, "POST", "/", 422, {"assistant": {**ASSISTANT.to_dict(), "tools": [{"id": 1}]}})
    assert refused["detail"][0]["loc"] == ["body", "assistant", "tools", 0, "id"]
    schemas = get(app, "/openapi.json")["components"]["schemas"]
    assert in_the_contracts_notation(schemas["Assistant"]) == without_nulls(COMPONENTS["Assistant"])
