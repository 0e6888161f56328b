"""The generated endpoint functions and low-level client, against a server with configurable responses."""

from __future__ import annotations

import copy
import importlib
import inspect
import json
import pickle
import pkgutil
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest

import interactor_client.api
from interactor_client import UNSET, ApiError, AuthenticatedClient, Client, DecodeError
from interactor_client.api.assistants import create_assistant, delete_assistant, get_assistant, list_assistants
from interactor_client.api.credentials import list_credentials
from interactor_client.api.oauth import create_token, get_jwks, revoke_token
from interactor_client.api.rooms import stream_room, update_room
from interactor_client.api.tools import submit_tool_result
from interactor_client.api.workflow_instances import submit_workflow_input
from interactor_client.models.create_assistant_request import CreateAssistantRequest
from interactor_client.models.error_response import ErrorResponse
from interactor_client.models.submit_tool_result_request import SubmitToolResultRequest
from interactor_client.models.update_room_request import UpdateRoomRequest
from interactor_client.types import Operation

ASSISTANT: dict[str, Any] = {
    "id": "asst_1",
    "name": "Bot",
    "model": "gpt-4",
    "system_prompt": "Be kind.",
    "tools": [],
    "data_sources": [],
    "created_at": "2025-01-15T10:30:00Z",
    "updated_at": "2025-01-15T10:30:00Z",
}
ERROR = {"error": {"code": "NOT_FOUND", "message": "No such assistant.", "request_id": "req_1"}}


class RawServer:
    """A server that responds with `status` and `body`, and keeps the requests."""

    def __init__(self) -> None:
        self.status = 200
        self.body = b""
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/api/v1"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def answer(self, status: int, body: Any = b"") -> None:
        self.status = status
        self.body = body if isinstance(body, bytes) else json.dumps(body).encode()

    def close(self) -> None:
        # First wake the thread: it could accept by the number of a closed socket what is meant for the next server.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(60)
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection, connection.makefile("rb") as stream:
                line = stream.readline().decode().rsplit(" ", 1)[0]
                headers = {}
                while header := stream.readline().strip().decode():
                    name, _, value = header.partition(": ")
                    headers[name.lower()] = value
                content = stream.read(int(headers.get("content-length", "0")))
                self.requests.append((line, headers, content))
                head = f"HTTP/1.1 {self.status} Whatever\r\nConnection: close\r\nX-Request-Id: req_1\r\n"
                empty = self.status in (204, 304) or 100 <= self.status < 200
                length = "" if empty else f"Content-Length: {len(self.body)}\r\n"
                connection.sendall(f"{head}{length}\r\n".encode() + (b"" if empty else self.body))


@pytest.fixture
def server() -> Iterator[RawServer]:
    server = RawServer()
    yield server
    server.close()


@pytest.fixture
def client(server: RawServer) -> Iterator[Client]:
    with AuthenticatedClient(server.url, "s3cr3t") as client:
        yield client


def operations() -> dict[str, ModuleType]:
    found = {}
    for module in pkgutil.walk_packages(interactor_client.api.__path__, "interactor_client.api."):
        if not module.ispkg:
            endpoint = importlib.import_module(module.name)
            found[endpoint.OPERATION.id] = endpoint
    return found


OPERATIONS = operations()


# What is sent


def test_request_has_path_token_headers_and_body(server: RawServer, client: Client) -> None:
    server.answer(201, {"data": ASSISTANT})
    body = CreateAssistantRequest(name="Bot", model="gpt-4", system_prompt="Be kind.", temperature=0)
    answer = create_assistant.sync(client=client, body=body, x_namespace="user_1", idempotency_key="key_1")
    assert answer.data.id == "asst_1"
    line, headers, content = server.requests[0]
    assert line == "POST /api/v1/assistants"
    assert headers["authorization"] == "Bearer s3cr3t"
    assert headers["x-namespace"] == "user_1"
    assert headers["idempotency-key"] == "key_1"
    assert headers["content-type"] == "application/json"
    assert json.loads(content) == {"name": "Bot", "model": "gpt-4", "system_prompt": "Be kind.", "temperature": 0}


async def test_async_endpoint_function_sends_the_same_request(server: RawServer) -> None:
    server.answer(201, {"data": ASSISTANT})
    body = CreateAssistantRequest(name="Bot", model="gpt-4", system_prompt="Be kind.")
    async with AuthenticatedClient(server.url, "s3cr3t") as client:
        answer = await create_assistant.asyncio(client=client, body=body, x_namespace="user_1")
        detailed = await create_assistant.asyncio_detailed(client=client, body=body, x_namespace="user_1")
    assert answer.data == detailed.parsed.data  # type: ignore[union-attr]
    assert server.requests[0][0] == "POST /api/v1/assistants"
    assert server.requests[0][2] == server.requests[1][2]


def test_unset_parameters_are_not_sent(server: RawServer, client: Client) -> None:
    server.answer(200, {"data": []})
    list_credentials.sync(client=client)
    list_credentials.sync(client=client, status="active", page=2, per_page=50, provider=UNSET)
    (first, headers, _), (second, _, _) = server.requests
    assert first == "GET /api/v1/credentials"
    assert second == "GET /api/v1/credentials?status=active&page=2&per_page=50"
    assert "x-namespace" not in headers


def test_free_json_is_sent_as_the_body(server: RawServer, client: Client) -> None:
    server.answer(500)
    submit_workflow_input.sync_detailed("wfi_1", client=client, body={"approved": True, "by": {"id": 1}})
    update_room.sync_detailed("room_1", client=client, body=UpdateRoomRequest(metadata={}))
    results: list[Any] = [{"ok": [1, None]}, None, "text", 5, []]
    for result in results:
        body = SubmitToolResultRequest(tool_call_id="call_1", result=result)
        submit_tool_result.sync_detailed("room_1", client=client, body=body)
    bodies = [json.loads(content) for _, _, content in server.requests]
    assert bodies[:2] == [{"approved": True, "by": {"id": 1}}, {"metadata": {}}]
    assert [body["result"] for body in bodies[2:]] == results


def test_path_id_is_quoted_as_one_segment(server: RawServer, client: Client) -> None:
    server.answer(204)
    delete_assistant.sync("a/../b?c#d e%2F", client=client)
    assert server.requests[0][0] == "DELETE /api/v1/assistants/a%2F..%2Fb%3Fc%23d%20e%252F"


@pytest.mark.parametrize("unusable", ["", ".", "..", None, 5, UNSET])
@pytest.mark.parametrize("name", [name for name, endpoint in OPERATIONS.items() if "{" in endpoint.OPERATION.path])
def test_invalid_path_id_raises_before_sending(name: str, unusable: Any) -> None:
    parameters = inspect.signature(OPERATIONS[name]._get_kwargs).parameters.values()
    ids = [parameter.name for parameter in parameters if parameter.kind is parameter.POSITIONAL_OR_KEYWORD]
    body: dict[str, Any] = {"body": {}} if "body" in {parameter.name for parameter in parameters} else {}
    assert ids
    for number, _ in enumerate(ids):
        values = ["id_1"] * number + [unusable] + ["id_1"] * (len(ids) - number - 1)
        with pytest.raises(ValueError, match=ids[number]):
            OPERATIONS[name]._get_kwargs(*values, **body)


@pytest.mark.parametrize("name", OPERATIONS)
def test_request_extensions_hold_the_operation(name: str) -> None:
    endpoint = OPERATIONS[name]
    operation: Operation = endpoint.OPERATION
    parameters = inspect.signature(endpoint._get_kwargs).parameters.values()
    ids = [f"id_{parameter.name}" for parameter in parameters if parameter.kind is parameter.POSITIONAL_OR_KEYWORD]
    names = {parameter.name for parameter in parameters}
    kwargs = endpoint._get_kwargs(*ids, **({"body": {}} if "body" in names else {}))
    assert kwargs["extensions"] == {"operation": operation}
    assert kwargs["method"] == operation.method
    assert kwargs["url"] == operation.path.replace("{", "id_").replace("}", "")
    assert operation.idempotency_key == ("idempotency_key" in names)
    assert operation.stream == (not hasattr(endpoint, "sync"))
    assert {*kwargs} <= {"method", "url", "params", "headers", "json", "extensions"}


def test_operations_have_stream_idempotency_and_server_of_the_specification() -> None:
    server_of = {name: endpoint.OPERATION.server for name, endpoint in OPERATIONS.items()}
    account = {name for name, server in server_of.items() if server == "account"}
    assert account == {"create_token", "revoke_token", "get_jwks"}
    streams = {name for name, endpoint in OPERATIONS.items() if endpoint.OPERATION.stream}
    assert streams == {"stream_room", "stream_workflow_instance"}
    keyed = {name for name, endpoint in OPERATIONS.items() if endpoint.OPERATION.idempotency_key}
    assert {"create_assistant", "create_room", "send_message", "start_workflow_instance", "create_webhook"} == keyed
    assert stream_room._get_kwargs("r", token="t", namespace="n&m")["params"] == {"token": "t", "namespace": "n&m"}


# What comes back


def test_success_without_body_returns_none(server: RawServer, client: Client) -> None:
    server.answer(204)
    body: Any = {"token": "t", "client_id": "c", "client_secret": "s"}
    answers: list[object] = [delete_assistant.sync("asst_1", client=client)]  # type: ignore[func-returns-value]
    server.answer(200, b"anything")
    answers.append(revoke_token.sync(client=client, body=body))  # type: ignore[func-returns-value]
    assert answers == [None, None]


def test_any_2xx_status_is_a_success(server: RawServer, client: Client) -> None:
    for status in (200, 201, 202, 203, 299):
        server.answer(status, {"data": ASSISTANT})
        assert get_assistant.sync("asst_1", client=client).data.id == "asst_1"


def test_body_without_envelope_is_parsed(server: RawServer, client: Client) -> None:
    server.answer(200, {"keys": [{"kty": "RSA", "kid": "k1"}]})
    assert get_jwks.sync(client=client).keys[0].kid == "k1"


@pytest.mark.parametrize("status", [301, 400, 401, 404, 409, 422, 429, 500, 503, 520, 599, 600, 999])
def test_error_status_raises_before_the_body_is_parsed(server: RawServer, client: Client, status: int) -> None:
    server.answer(status, b"<html>s3cr3t</html>")
    with pytest.raises(ApiError) as caught:
        get_assistant.sync("asst_1", client=client)
    error = caught.value
    assert (error.status_code, error.content) == (status, b"<html>s3cr3t</html>")
    assert str(error) == f"the server answered {status} (request id req_1)"
    assert "s3cr3t" not in repr(error)
    assert pickle.loads(pickle.dumps(error)).content == error.content


@pytest.mark.parametrize("body", [b"", b"<html>", b"\xff\xfe", b"[]", b"null", b'"text"', b'{"error": "text"}', b"{}"])
@pytest.mark.parametrize("status", [200, 201, 302, 400, 404, 422, 500, 520, 999])
def test_sync_detailed_returns_any_response(server: RawServer, client: Client, status: int, body: bytes) -> None:
    server.answer(status, body)
    for response in (
        get_assistant.sync_detailed("asst_1", client=client),
        list_assistants.sync_detailed(client=client),
    ):
        assert (response.status_code, response.content, response.parsed) == (status, body, None)
        assert response.headers["x-request-id"] == "req_1"


def test_sync_detailed_parses_documented_responses(server: RawServer, client: Client) -> None:
    server.answer(404, ERROR)
    response = get_assistant.sync_detailed("asst_1", client=client)
    assert isinstance(response.parsed, ErrorResponse)
    assert response.parsed.error.code == "NOT_FOUND"
    server.answer(204)
    deleted = delete_assistant.sync_detailed("asst_1", client=client)
    assert (deleted.status_code, deleted.parsed) == (204, None)


async def test_asyncio_detailed_returns_any_response(server: RawServer) -> None:
    server.answer(520, b"<html>")
    async with Client(server.url) as client:
        response = await get_assistant.asyncio_detailed("asst_1", client=client)
        assert (response.status_code, response.parsed) == (520, None)
        with pytest.raises(ApiError):
            await get_assistant.asyncio("asst_1", client=client)


def test_invalid_success_body_raises_decode_error(server: RawServer, client: Client) -> None:
    server.answer(200, {"data": {**ASSISTANT, "name": None}})
    with pytest.raises(DecodeError, match=r"Assistant\.name must be a string, not null \(at data\.name of Assistant"):
        get_assistant.sync("asst_1", client=client)
    server.answer(200, {"data": [ASSISTANT, {}]})
    with pytest.raises(DecodeError, match=r"Assistant\.id is missing \(at data\[1\]\.id of AssistantListResponse\)"):
        list_assistants.sync(client=client)


def test_repr_of_response_shows_neither_body_nor_headers(server: RawServer, client: Client) -> None:
    server.answer(200, {"data": {"access_token": "s3cr3t", "token_type": "Bearer", "expires_in": 900}})
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


def test_with_headers_cookies_and_timeout_return_a_new_client(server: RawServer) -> None:
    client = Client(server.url, headers={"X-One": "1"}, timeout=60)
    live = client.get_httpx_client()
    others = (client.with_headers({"X-Two": "2"}), client.with_cookies({"c": "3"}), client.with_timeout(7))
    assert all(other.get_httpx_client() is not live for other in others)
    assert client.get_httpx_client() is live
    assert "x-two" not in live.headers
    assert not live.cookies
    assert live.timeout == httpx.Timeout(60)
    assert others[0].get_httpx_client().headers["x-one"] == "1"
    assert others[0].get_httpx_client().headers["x-two"] == "2"
    assert others[1].get_httpx_client().cookies["c"] == "3"
    assert others[2].get_httpx_client().timeout == httpx.Timeout(7)
    for each in (client, *others):
        each.get_httpx_client().close()


def test_with_headers_of_a_view_raises_configuration_error() -> None:
    # Those of the generator's own template change the live client of the original: another tenant's headers.
    for path in (Path(__file__).parents[2] / "interactor_ext").rglob("*.py"):
        for builder in ("with_headers", "with_cookies", "with_timeout"):
            assert f".{builder}(" not in path.read_text(encoding="utf-8"), path


def test_default_timeout_is_30_seconds() -> None:
    with Client("https://example.com") as client:
        assert client.get_httpx_client().timeout == httpx.Timeout(30)


def test_concurrent_threads_share_one_httpx_client() -> None:
    for _ in range(5):
        client = Client("https://example.com")
        barrier = threading.Barrier(8)
        found: list[httpx.Client] = []

        def ask(client: Client = client, barrier: threading.Barrier = barrier, found: list[Any] = found) -> None:
            barrier.wait()
            found.append(client.get_httpx_client())

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len({id(each) for each in found}) == 1
        found[0].close()


async def test_given_httpx_client_is_used() -> None:
    def handle(request: httpx.Request) -> httpx.Response:
        assert request.extensions["operation"].id == "get_assistant"
        return httpx.Response(200, json={"data": ASSISTANT})

    transport = httpx.MockTransport(handle)
    with httpx.Client(base_url="https://example.com/api/v1", transport=transport) as own:
        client = Client("https://elsewhere.example").set_httpx_client(own)
        assert get_assistant.sync("asst_1", client=client).data.name == "Bot"
    async with httpx.AsyncClient(base_url="https://example.com/api/v1", transport=transport) as own_async:
        client.set_async_httpx_client(own_async)
        assert (await get_assistant.asyncio("asst_1", client=client)).data.name == "Bot"


def test_subclass_of_client_can_raise_its_own_errors() -> None:
    class Lenient(Client):
        def read(self, response: httpx.Response, parse: Any) -> Any:
            return response.status_code

    transport = httpx.MockTransport(lambda _: httpx.Response(418))
    with httpx.Client(base_url="https://example.com", transport=transport) as own:
        answer: Any = get_assistant.sync("asst_1", client=Lenient("https://x.example").set_httpx_client(own))
    assert answer == 418


def test_operations_are_comparable_and_hashable() -> None:
    operation = get_assistant.OPERATION
    assert operation == pickle.loads(pickle.dumps(operation)) == copy.deepcopy(operation)
    assert hash(operation) == hash(copy.copy(operation))
    with pytest.raises(AttributeError):
        operation.id = "other"  # type: ignore[misc]
