"""Bytes after the end of a response: its connection serves no other call, which would take them for its response."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
import trustme

from interactor_ext.transports import AsyncTransport, Transport
from tests.support.modes import in_turn, sync_and_async
from tests.support.scripted_server import (
    ASSISTANT,
    Answer,
    Asked,
    Connection,
    FaultServer,
    OddServer,
    Request,
    fine,
    http,
    js,
    settings_of,
)
from tests.transports.test_proxies_and_tls import tls_server, trusting

SMUGGLED = js(200, {"data": {**ASSISTANT, "name": "of tenant A"}})
EMPTY = http(204, content_type=None)
CHUNKED = b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nnull\r\n0\r\n\r\n"

ENDINGS = {
    "a 204 with a body": http(204, b'{"data":null}'),
    "a 204 with chunks": CHUNKED,
}


def answering(after_delete: bytes) -> Callable[[Asked], Answer]:
    def answer(asked: Asked) -> Answer:
        if asked.method == "DELETE":
            return after_delete
        return js(200, {"data": {**ASSISTANT, "name": asked.headers["x-namespace"].decode()}})

    return answer


def names(mode: str, settings: dict[str, Any]) -> list[str]:
    """What the tenants B, C and D read after A has deleted something."""
    reads = [lambda client, tenant=tenant: client.namespace(tenant).assistants.get("a") for tenant in "BCD"]
    _, *found = in_turn(mode, settings, lambda client: client.namespace("A").assistants.delete("a"), *reads)
    return [assistant.name for assistant in found]


@sync_and_async
def test_response_after_a_response_never_reaches_another_tenant(mode: str) -> None:
    with OddServer(answering(EMPTY + SMUGGLED)) as server:
        assert names(mode, server.settings) == ["B", "C", "D"]
        assert server.accepted == 2


class Wrapping(httpx.BaseTransport):
    """As those that cache or log are: httpx's stream within one of their own."""

    def __init__(self) -> None:
        self.inner = httpx.HTTPTransport()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = self.inner.handle_request(request)
        return httpx.Response(
            response.status_code,
            headers=response.headers.raw,
            stream=_Wrapped(response.stream),
            extensions=response.extensions,
        )

    def close(self) -> None:
        self.inner.close()


class AsyncWrapping(httpx.AsyncBaseTransport):
    def __init__(self) -> None:
        self.inner = httpx.AsyncHTTPTransport()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self.inner.handle_async_request(request)
        return httpx.Response(
            response.status_code,
            headers=response.headers.raw,
            stream=_Wrapped(response.stream),
            extensions=response.extensions,
        )

    async def aclose(self) -> None:
        await self.inner.aclose()


class _Wrapped(httpx.SyncByteStream, httpx.AsyncByteStream):
    def __init__(self, hidden: Any) -> None:
        self.hidden = hidden

    def __iter__(self) -> Any:
        return iter(self.hidden)

    def __aiter__(self) -> Any:
        return aiter(self.hidden)

    def close(self) -> None:
        self.hidden.close()

    async def aclose(self) -> None:
        await self.hidden.aclose()


@sync_and_async
@pytest.mark.parametrize("ending", ENDINGS)
def test_connection_is_discarded_after_a_204_with_a_body_over_a_wrapping_transport(ending: str, mode: str) -> None:
    with OddServer(answering(ENDINGS[ending])) as server:
        transport = Wrapping() if mode == "sync" else AsyncWrapping()
        assert names(mode, {**server.settings, "transport": transport}) == ["B", "C", "D"]
        assert server.accepted == 2


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def tls(authority: trustme.CA) -> Iterator[FaultServer]:
    with tls_server(authority) as server:
        yield server


@sync_and_async
def test_second_response_in_a_tls_record_of_its_own_is_discarded(
    mode: str, tls: FaultServer, authority: trustme.CA
) -> None:
    """Both come in one segment, and one read of anyio takes both in; decrypted is the first alone."""

    def act(connection: Connection, request: Request) -> bool:
        if request.method != "DELETE":
            return fine(connection, request)
        connection.socket.setsockopt(socket.IPPROTO_TCP, getattr(socket, "TCP_CORK", socket.TCP_NODELAY), 1)
        connection.send(EMPTY)
        connection.send(SMUGGLED)
        connection.socket.setsockopt(socket.IPPROTO_TCP, getattr(socket, "TCP_CORK", socket.TCP_NODELAY), 0)
        return True

    tls.script = [act]
    make: Any = Transport if mode == "sync" else AsyncTransport
    settings = settings_of(tls.url, transport=make(verify=trusting(authority), trust_env=False), max_retries=0)
    assert names(mode, settings) == [ASSISTANT["name"]] * 3
