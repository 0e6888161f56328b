"""The contract with httpx, httpcore, h11 and anyio: each private attribute in use exists, and means what we think.

When one of these fails after an upgrade, interactor_ext/transports/_httpx_internals.py is the module to change. The
bounds of httpx and httpcore in pyproject.toml say which versions the contract holds for.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import aclosing, closing
from typing import Any
from unittest.mock import MagicMock

import h11
import httpcore
import httpx
import pytest
import trustme

from interactor_ext._fork import safe_lock
from interactor_ext.transports._httpx_internals import (
    AsyncNetwork,
    AsyncOnlyConnection,
    Network,
    OnlyConnection,
    discard_after,
    parser_of,
    unread_chunks,
    was_read_ahead,
    watch_async_network,
    watch_network,
)
from tests.support.scripted_server import Connection, FaultServer, Request
from tests.transports.test_proxies_and_tls import Proxy, tls_server, trusting

FIRST = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"
SECOND = b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nsmu"
ROUTES = ["plain", "tls", "proxy", "tunnel"]


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    running = Proxy()
    yield running
    running.close()


@pytest.fixture
def server(request: pytest.FixtureRequest, authority: trustme.CA) -> Iterator[FaultServer]:
    secure = "route" in request.fixturenames and request.getfixturevalue("route") in ("tls", "tunnel")
    with tls_server(authority) if secure else FaultServer() as running:
        running.script = [lambda connection, request: bool(connection.send(FIRST) or True)]
        yield running


@pytest.fixture
def options(route: str, authority: trustme.CA, proxy: Proxy) -> dict[str, Any]:
    return {
        "verify": trusting(authority),
        "trust_env": False,
        "proxy": f"http://{proxy.address}" if route in ("proxy", "tunnel") else None,
    }


@pytest.mark.parametrize("route", ROUTES)
def test_sync_pool_connects_with_the_network_backend_that_it_is_given(
    server: FaultServer, options: dict[str, Any]
) -> None:
    with httpx.HTTPTransport(**options) as transport:
        network = watch_network(transport)
        assert isinstance(network, Network)
        assert watch_network(transport) is None
        assert transport._pool._network_backend is network, "a pool that has one already keeps it"
        response = transport.handle_request(httpx.Request("GET", server.url))
        assert network.opened_last is not None
        assert isinstance(network.opened_last.get_extra_info("socket"), socket.socket)
        # The stream of the response is the one that was opened last, or TLS over it.
        assert response.extensions["network_stream"] is network.opened_last
        response.close()


@pytest.mark.parametrize("route", ROUTES)
async def test_async_pool_connects_with_the_network_backend_that_it_is_given(
    server: FaultServer, options: dict[str, Any]
) -> None:
    async with httpx.AsyncHTTPTransport(**options) as transport:
        network = watch_async_network(transport)
        assert isinstance(network, AsyncNetwork)
        response = await transport.handle_async_request(httpx.Request("GET", server.url))
        assert network.opened_last is not None
        inside, outside = (
            stream.get_extra_info("socket").fileno()
            for stream in (network.opened_last, response.extensions["network_stream"])
        )
        assert inside == outside
        await response.aclose()


def test_sync_pool_uses_the_lock_that_it_is_given(server: FaultServer) -> None:
    with httpx.HTTPTransport() as transport:
        watch_network(transport)
        pool: Any = transport._pool
        assert type(pool._optional_thread_lock) is type(safe_lock())
        lock = pool._optional_thread_lock = MagicMock()
        transport.handle_request(httpx.Request("GET", server.url)).close()
    assert lock.__enter__.call_count == lock.__exit__.call_count > 0


@pytest.mark.parametrize("route", ROUTES)
def test_only_connection_is_idle_when_its_response_was_read_to_the_end(
    server: FaultServer, options: dict[str, Any]
) -> None:
    with closing(httpx.HTTPTransport(**options)) as transport:
        only = OnlyConnection(transport, "proxy=")
        assert not only.is_idle(), "there is none yet"
        for _ in range(2):
            only.prepare(httpx.URL(server.url))
            response = transport.handle_request(httpx.Request("GET", server.url))
            assert_is_parser(parser_of(response.stream))
            assert not only.is_idle()
            response.read()
            assert only.is_idle()
        assert server.accepted == 1
        only.prepare(httpx.URL(server.url))
        response = transport.handle_request(httpx.Request("GET", server.url))
        discard_after(response)
        response.read()
        assert not only.is_idle()
        only.prepare(httpx.URL(server.url))
        transport.handle_request(httpx.Request("GET", server.url)).close()
        assert not only.is_idle()
        assert server.accepted == 2
        with pytest.raises(httpx.UnsupportedProtocol):
            only.prepare(httpx.URL("ftp://localhost"))


@pytest.mark.parametrize("route", ROUTES)
async def test_only_async_connection_is_idle_when_its_response_was_read_to_the_end(
    server: FaultServer, options: dict[str, Any]
) -> None:
    async with aclosing(httpx.AsyncHTTPTransport(**options)) as transport:
        only = AsyncOnlyConnection(transport, "proxy=")
        assert not only.is_idle(), "there is none yet"
        for _ in range(2):
            await only.prepare(httpx.URL(server.url))
            response = await transport.handle_async_request(httpx.Request("GET", server.url))
            assert_is_parser(parser_of(response.stream))
            assert not only.is_idle()
            await response.aread()
            assert only.is_idle()
        assert server.accepted == 1
        await only.prepare(httpx.URL(server.url))
        response = await transport.handle_async_request(httpx.Request("GET", server.url))
        discard_after(response)
        await response.aread()
        assert not only.is_idle()
        await only.prepare(httpx.URL(server.url))
        await (await transport.handle_async_request(httpx.Request("GET", server.url))).aclose()
        assert not only.is_idle()
        assert server.accepted == 2
        with pytest.raises(httpx.UnsupportedProtocol):
            await only.prepare(httpx.URL("ftp://localhost"))


def assert_is_parser(parser: Any) -> None:
    assert isinstance(parser, h11.Connection)
    assert parser.our_role is h11.CLIENT
    assert parser.their_state is h11.SEND_BODY


def test_parser_tells_of_bytes_that_follow_a_response(server: FaultServer) -> None:
    server.script = [lambda connection, request: bool(connection.send(FIRST + SECOND) or True)]
    with httpx.HTTPTransport() as transport:
        response = transport.handle_request(httpx.Request("GET", server.url))
        list(response.stream)  # type: ignore[arg-type]
        assert parser_of(response.stream).trailing_data == (SECOND, False)
        response.close()


@pytest.mark.parametrize("route", ["plain", "tls"])
async def test_bytes_that_anyio_has_read_ahead_are_found(
    server: FaultServer, route: str, options: dict[str, Any]
) -> None:
    """They are taken from the socket, in one go with the first response, or decrypted, before httpcore asks for any."""
    sent = threading.Event()

    def send_both(connection: Connection, request: Request) -> bool:
        connection.send(FIRST)
        connection.send(SECOND)
        sent.set()
        return True

    server.script = [send_both]
    host, port = server.url.partition("://")[2].split(":")
    stream = await httpcore.AnyIOBackend().connect_tcp(host, int(port))
    if route == "tls":
        stream = await stream.start_tls(options["verify"], host)
    await stream.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
    assert not was_read_ahead(stream)
    assert sent.wait(60)  # the event loop stands still meanwhile, so that both are there to be read
    assert await stream.read(len(FIRST)) == FIRST
    assert was_read_ahead(stream)
    assert len(unread_chunks(stream._stream)) == (1 if route == "plain" else 0)  # type: ignore[attr-defined]
    await stream.aclose()
