"""The generated endpoint functions and the low-level client, with a transport whose responses a test sets."""

from __future__ import annotations

import copy
import inspect
import json
import pickle
from collections.abc import Callable
from importlib import import_module
from typing import Any

import httpx
import pytest

from interactor_client import UNSET, ApiError, AuthenticatedClient, Client
from interactor_client.api.assistants import create_assistant, delete_assistant, get_assistant, list_assistants
from interactor_client.api.credentials import list_credentials
from interactor_client.api.oauth import create_token, get_jwks, revoke_token
from interactor_client.api.rooms import stream_room
from interactor_client.api.tools import submit_tool_result
from interactor_client.api.workflow_instances import submit_workflow_input
from interactor_client.models import Assistant, CreateAssistantRequest, ErrorResponse, SubmitToolResultRequest
from tests.support.contract import operations
from tests.support.json_schema import COMPONENTS

ASSISTANT: dict[str, Any] = COMPONENTS["Assistant"]["examples"][0]
BODY: dict[str, Any] = {"name": "Bot", "model": "gpt-4", "system_prompt": "Be kind.", "temperature": 0}


class Platform(httpx.MockTransport):
    """Responds with what `answer` was last called with, and keeps the requests."""

    def __init__(self) -> None:
        super().__init__(self._handle)
        self.requests: list[httpx.Request] = []

    def answer(self, status: int, body: Any = b"") -> None:
        self.status = status
        self.body = body if isinstance(body, bytes) else json.dumps(body).encode()

    def _handle(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return httpx.Response(self.status, content=self.body, headers={"X-Request-Id": "req_1"})

    @property
    def lines(self) -> list[str]:
        return [f"{request.method} {request.url.raw_path.decode()}" for request in self.requests]


@pytest.fixture
def platform() -> Platform:
    return Platform()


@pytest.fixture
def client(platform: Platform) -> Client:
    return AuthenticatedClient("https://core.example/api/v1", "s3cr3t", httpx_args={"transport": platform})


OPERATIONS = {each.id: import_module(f"interactor_client.api.{each.tag}.{each.id}") for each in operations()}


# What is sent


async def test_sync_and_async_functions_send_the_same_request(platform: Platform, client: Client) -> None:
    platform.answer(201, {"data": ASSISTANT})
    arguments: Any = {"client": client, "body": CreateAssistantRequest(**BODY), "x_namespace": "user_1"}
    arguments["idempotency_key"] = "key_1"
    answers = [create_assistant.sync(**arguments), create_assistant.sync_detailed(**arguments).parsed]
    answers.append(await create_assistant.asyncio(**arguments))
    answers.append((await create_assistant.asyncio_detailed(**arguments)).parsed)
    assert [answer.data for answer in answers] == [Assistant.from_dict(ASSISTANT)] * 4  # type: ignore[union-attr]
    assert platform.lines == ["POST /api/v1/assistants"] * 4
    headers = {"authorization": "Bearer s3cr3t", "x-namespace": "user_1", "idempotency-key": "key_1"}
    headers["content-type"] = "application/json"
    for request in platform.requests:
        assert request.headers.items() >= headers.items()
        assert json.loads(request.content) == BODY


def test_unset_parameters_are_not_sent(platform: Platform, client: Client) -> None:
    platform.answer(200, {"data": []})
    list_credentials.sync(client=client)
    list_credentials.sync(client=client, status="active", page=2, per_page=50, provider=UNSET)
    assert platform.lines == ["GET /api/v1/credentials", "GET /api/v1/credentials?status=active&page=2&per_page=50"]
    assert "x-namespace" not in platform.requests[0].headers


def test_header_is_sent_as_utf_8(platform: Platform, client: Client) -> None:
    platform.answer(200, {"data": []})
    list_assistants.sync(client=client.with_headers({"X-Name": "Zoë"}), x_namespace="日本")
    headers = dict(platform.requests[-1].headers.raw)
    assert (headers[b"X-Name"].decode(), headers[b"X-Namespace"].decode()) == ("Zoë", "日本")


@pytest.mark.parametrize(
    "value", ["s3cr3t\n", "s3cr3t\r\nX-Other: b", " s3cr3t", "s3cr3t\ud800", b"s3cr3t\xff", 5], ids=ascii
)
def test_header_that_cannot_be_sent_is_named_and_not_quoted(value: Any, platform: Platform, client: Client) -> None:
    uses: dict[str, Callable[[], object]] = {
        "X-Namespace": lambda: list_assistants.sync(client=client, x_namespace=value),
        "Authorization": lambda: AuthenticatedClient("https://core.example", value),
        "X-Key": lambda: Client("https://core.example", headers={"X-Key": value}),
    }
    for name, use in uses.items():
        with pytest.raises(ValueError, match=f"the header {name} ") as caught:
            use()
        assert "s3cr3t" not in str(caught.value)
    assert not platform.requests


def test_free_json_is_sent_as_the_body(platform: Platform, client: Client) -> None:
    platform.answer(500)
    submit_workflow_input.sync_detailed("wfi_1", client=client, body={"approved": True, "by": {"id": 1}})
    results: list[Any] = [{"ok": [1, None]}, None, "text", 5, []]
    for result in results:
        body = SubmitToolResultRequest(tool_call_id="call_1", result=result)
        submit_tool_result.sync_detailed("room_1", client=client, body=body)
    first, *others = [json.loads(request.content) for request in platform.requests]
    assert first == {"approved": True, "by": {"id": 1}}
    assert [body["result"] for body in others] == results


def test_path_id_is_quoted_as_one_segment(platform: Platform, client: Client) -> None:
    platform.answer(204)
    delete_assistant.sync("a/../b?c#d e%2Fü", client=client)
    assert platform.lines == ["DELETE /api/v1/assistants/a%2F..%2Fb%3Fc%23d%20e%252F%C3%BC"]


def test_arguments_of_a_request_come_from_the_operation(subtests: pytest.Subtests) -> None:
    for name in OPERATIONS:
        with subtests.test(name=name):
            operation, get_kwargs = OPERATIONS[name].OPERATION, OPERATIONS[name]._get_kwargs
            parameters = inspect.signature(get_kwargs).parameters.values()
            ids = [parameter.name for parameter in parameters if parameter.kind is parameter.POSITIONAL_OR_KEYWORD]
            names = {parameter.name for parameter in parameters}
            body = {"body": {}} if "body" in names else {}
            kwargs = get_kwargs(*(f"id_{each}" for each in ids), **body)
            assert kwargs["extensions"] == {"operation": operation}
            assert kwargs["method"] == operation.method
            assert kwargs["url"] == operation.path.replace("{", "id_").replace("}", "")
            assert operation.server == ("account" if name in ("create_token", "revoke_token", "get_jwks") else "core")
            assert operation.idempotency_key == ("idempotency_key" in names)
            assert operation.stream == (not hasattr(OPERATIONS[name], "sync")) == name.startswith("stream_")
            assert {*kwargs} <= {"method", "url", "params", "headers", "json", "extensions"}
            for number, each in enumerate(ids):
                for unusable in ("", ".", "..", None, 5, UNSET, "\ud800"):
                    values: list[Any] = ["id_1"] * len(ids)
                    values[number] = unusable
                    with pytest.raises(ValueError, match=each):
                        get_kwargs(*values, **body)


def test_stream_takes_token_and_namespace_in_the_query() -> None:
    assert stream_room._get_kwargs("r", token="t", namespace="n&m")["params"] == {"token": "t", "namespace": "n&m"}


# What comes back


def test_success_is_parsed_with_and_without_body_and_envelope(platform: Platform, client: Client) -> None:
    for status in (200, 201, 202, 203, 299):
        platform.answer(status, {"data": ASSISTANT})
        assert get_assistant.sync("asst_1", client=client).data == Assistant.from_dict(ASSISTANT)
    platform.answer(200, {"keys": [{"kty": "RSA", "kid": "k1"}]})
    assert get_jwks.sync(client=client).keys[0].kid == "k1"
    body: Any = {"token": "t", "client_id": "c", "client_secret": "s"}
    platform.answer(200, b"anything")
    assert revoke_token.sync(client=client, body=body) is None  # type: ignore[func-returns-value]
    platform.answer(204)
    assert delete_assistant.sync("asst_1", client=client) is None  # type: ignore[func-returns-value]
    deleted = delete_assistant.sync_detailed("asst_1", client=client)
    assert (deleted.status_code, deleted.parsed) == (204, None)


@pytest.mark.parametrize("status", [301, 400, 401, 404, 409, 422, 429, 500, 503, 520, 599, 600, 999])
def test_error_status_raises_before_the_body_is_parsed(status: int, platform: Platform, client: Client) -> None:
    platform.answer(status, b"<html>s3cr3t</html>")
    with pytest.raises(ApiError) as caught:
        get_assistant.sync("asst_1", client=client)
    error = caught.value
    assert (error.status_code, error.content) == (status, b"<html>s3cr3t</html>")
    assert str(status) in str(error)
    assert "req_1" in str(error)
    assert "s3cr3t" not in repr(error)
    assert pickle.loads(pickle.dumps(error)).content == error.content


@pytest.mark.parametrize(
    ("body", "said", "shown"),
    [
        (
            {"error": {"code": "NOT_FOUND", "message": "No such\n bot."}},
            ("NOT_FOUND", "No such\n bot."),
            " NOT_FOUND: No such bot.",
        ),
        ({"code": "gone", "message": ""}, ("gone", ""), " gone"),
        ({"error": {"code": 7, "message": None}}, (None, None), ""),
        ({"error": "invalid_client", "message": "Who?"}, (None, "Who?"), ": Who?"),
        ([{"code": "x"}], (None, None), ""),
        ({"error": {"message": "m" * 9999}}, (None, "m" * 9999), f": {'m' * 1000}"),
    ],
)
def test_error_has_the_code_and_the_message_of_the_server(
    body: Any, said: tuple[str | None, str | None], shown: str, platform: Platform, client: Client
) -> None:
    platform.answer(404, body)
    with pytest.raises(ApiError) as caught:
        get_assistant.sync("asst_1", client=client)
    for error in (caught.value, pickle.loads(pickle.dumps(caught.value))):
        assert (error.code, error.message) == said
        assert str(error) == f"the server responded with 404{shown} (request id req_1)"


@pytest.mark.parametrize("status", [200, 201, 302, 400, 404, 422, 500, 520, 999])
def test_sync_detailed_returns_any_response(status: int, platform: Platform, client: Client) -> None:
    for body in (b"", b"<html>", b"\xff\xfe", b"[]", b"null", b'"text"', b'{"error": "text"}', b"{}"):
        platform.answer(status, body)
        for response in (
            get_assistant.sync_detailed("asst_1", client=client),
            list_assistants.sync_detailed(client=client),
        ):
            assert (response.status_code, response.content, response.parsed) == (status, body, None)
            assert response.headers["x-request-id"] == "req_1"


async def test_asyncio_raises_and_asyncio_detailed_parses_a_documented_error(
    platform: Platform, client: Client
) -> None:
    platform.answer(404, COMPONENTS["ErrorResponse"]["examples"][0])
    with pytest.raises(ApiError):
        await get_assistant.asyncio("asst_1", client=client)
    for response in (
        get_assistant.sync_detailed("asst_1", client=client),
        await get_assistant.asyncio_detailed("asst_1", client=client),
    ):
        assert isinstance(response.parsed, ErrorResponse)
        assert response.parsed.error.code == "VALIDATION_ERROR"


def test_repr_of_response_shows_neither_body_nor_headers(platform: Platform, client: Client) -> None:
    platform.answer(200, {"data": {"access_token": "s3cr3t", "token_type": "Bearer", "expires_in": 900}})
    body: Any = {"grant_type": "client_credentials", "client_id": "c", "client_secret": "s3cr3t"}
    response: Any = create_token.sync_detailed(client=client, body=body)
    assert response.parsed.data.access_token == "s3cr3t"
    assert "s3cr3t" not in repr(response)


# The client


def test_repr_of_client_shows_no_secret() -> None:
    client = AuthenticatedClient(
        "https://user:s3cr3t@example.com", "s3cr3t", headers={"X-Key": "s3cr3t"}, cookies={"session": "s3cr3t"}
    )
    for shown in (repr(client), str(client), repr(client.with_headers({"X-Other": "s3cr3t"}))):
        assert "s3cr3t" not in shown
        assert "example.com" in shown


def test_with_headers_cookies_and_timeout_return_a_new_client() -> None:
    client = Client("https://core.example", headers={"X-One": "1"})
    live = client.get_httpx_client()
    others = (client.with_headers({"X-Two": "2"}), client.with_cookies({"c": "3"}), client.with_timeout(7))
    first, second, third = (other.get_httpx_client() for other in others)
    assert client.get_httpx_client() is live
    assert (live.headers["x-one"], live.headers.get("x-two"), live.timeout) == ("1", None, httpx.Timeout(30))
    assert not live.cookies
    assert (first.headers["x-one"], first.headers["x-two"]) == ("1", "2")
    assert second.cookies["c"] == "3"
    assert third.timeout == httpx.Timeout(7)
    for each in (live, first, second, third):
        each.close()


async def test_given_httpx_client_is_used_and_a_subclass_can_raise_its_own_errors(platform: Platform) -> None:
    class Lenient(Client):
        def read(self, response: httpx.Response, parse: Any) -> Any:
            return response.status_code

    platform.answer(418)
    client = Lenient("https://elsewhere.example")
    with httpx.Client(base_url="https://own.example", transport=platform) as own:
        answers: list[Any] = [get_assistant.sync("asst_1", client=client.set_httpx_client(own))]
    async with httpx.AsyncClient(base_url="https://own.example", transport=platform) as own_async:
        answers.append(await get_assistant.asyncio("asst_1", client=client.set_async_httpx_client(own_async)))
    assert answers == [418, 418]
    assert {request.url.host for request in platform.requests} == {"own.example"}


def test_operations_are_comparable_and_hashable() -> None:
    operation = get_assistant.OPERATION
    assert operation == pickle.loads(pickle.dumps(operation)) == copy.deepcopy(operation)
    assert hash(operation) == hash(copy.copy(operation))
    with pytest.raises(AttributeError):
        operation.id = "other"  # type: ignore[misc]
