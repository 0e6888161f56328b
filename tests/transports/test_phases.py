"""Whatever a call waits for, closing the transport and cancelling its task end the wait, and nothing stays open; in
each kind of event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

import httpx
import pytest
import trustme

from interactor_ext import AsyncInteractorClient
from interactor_ext._engine.network.routes import Routes
from interactor_ext.transports import AsyncTransport, Transport
from tests.support.modes import call
from tests.support.proxy import CONNECTED, Proxy
from tests.support.scripted_server import (
    Connection,
    FaultServer,
    Request,
    deaf_url,
    fine,
    mute_url,
    send_and,
    settings_of,
)
from tests.support.waiting import PATIENCE, eventually, eventually_async

EVENTS = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n: hello\n\n"
HALF = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf"
AUTHORITY = trustme.CA()
LOOPS = ["asyncio", "uvloop"]


class Phase(NamedTuple):
    """Where a call hangs."""

    url: str
    is_in: Callable[[Any], bool] = lambda transport: bool(transport.connections().open)
    settings: dict[str, Any] | None = None
    body: tuple[int, bool] = (0, False)
    """Its size, and whether it is sent in pieces."""


def serving(authority: trustme.CA = AUTHORITY) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    return context


def answer(connection: Connection, request: Request) -> bool:
    if request.target.endswith("/stream"):
        event = b'data: {"type": "message.delta", "content": "x"}\n\n'
        return send_and(EVENTS + event, lambda connection: connection.stall())(connection, request)
    return fine(connection, request)


@contextlib.contextmanager
def stalling(data: bytes, *, tls: bool = False, **changes: Any) -> Iterator[Phase]:
    """A server that sends this, and no more."""
    context = serving() if tls else None
    with FaultServer([send_and(data, lambda connection: connection.stall())], tls=context) as server:
        yield Phase(server.url, lambda transport: bool(server.seen))._replace(**changes)


@contextlib.contextmanager
def silent_proxy(data: bytes, *, tls: bool) -> Iterator[Phase]:
    with stalling(data, tls=tls) as phase:
        yield phase._replace(url="https://localhost:9", settings={"proxy": phase.url})


@contextlib.contextmanager
def place() -> Iterator[Phase]:
    """The response that has the only place is held, and not read."""
    with stalling(HALF) as phase:
        yield phase._replace(
            is_in=lambda transport: bool(transport.connections().waiting), settings={"max_connections": 1}
        )


@contextlib.contextmanager
def resolver() -> Iterator[Phase]:
    asked, go_on = threading.Event(), threading.Event()

    def look_up(*_: Any, **__: Any) -> Any:
        asked.set()
        go_on.wait(PATIENCE * 2)
        raise socket.gaierror(socket.EAI_NONAME, "no such name")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", look_up)
        yield Phase("http://somewhere.internal", lambda transport: asked.is_set())
        go_on.set()


@contextlib.contextmanager
def two_addresses() -> Iterator[Phase]:
    with deaf_url() as first, deaf_url() as second, pytest.MonkeyPatch.context() as patch:
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", int(u[-5:]))) for u in (first, second)]
        patch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
        yield Phase("http://somewhere.internal")


@contextlib.contextmanager
def at(url: AbstractContextManager[str], **changes: Any) -> Iterator[Phase]:
    with url as address:
        yield Phase(address.replace("https", changes.pop("scheme", "https")), **changes)


LARGE = 64 * 1024 * 1024
PHASES: dict[str, Callable[[], AbstractContextManager[Phase]]] = {
    "place": place,
    "resolver": resolver,
    "connect": lambda: at(deaf_url()),
    "connect to two addresses": two_addresses,
    "handshake of TLS": lambda: at(mute_url()),
    "handshake of a proxy": lambda: silent_proxy(b"", tls=False),
    "handshake of a proxy with TLS": lambda: silent_proxy(b"", tls=True),
    "handshake of TLS through a proxy": lambda: silent_proxy(CONNECTED, tls=False),
    "handshake of TLS in TLS": lambda: silent_proxy(CONNECTED, tls=True),
    "large body": lambda: at(mute_url(), scheme="http", body=(LARGE, False)),
    "large body in pieces": lambda: at(mute_url(), scheme="http", body=(LARGE, True)),
    "head": lambda: stalling(b""),
    "head over TLS": lambda: stalling(b"", tls=True),
    "body": lambda: stalling(HALF),
    "body over TLS": lambda: stalling(HALF, tls=True),
    "stream": lambda: stalling(EVENTS),
    "stream over TLS": lambda: stalling(EVENTS, tls=True),
}


def trusting() -> ssl.SSLContext:
    context = ssl.create_default_context()
    AUTHORITY.configure_trust(context)
    return context


def pieces(size: int) -> Iterator[bytes]:
    for _ in range(size // 65536):
        yield b"x" * 65536


async def pieces_async(size: int) -> AsyncIterator[bytes]:
    for piece in pieces(size):
        yield piece


def sockets() -> int:
    """How many sockets this process has open; 0 where the system doesn't tell."""
    found = 0
    for name in os.listdir("/proc/self/fd") if os.path.exists("/proc/self/fd") else ():
        with contextlib.suppress(OSError):  # the descriptor of the listing itself
            found += os.readlink(f"/proc/self/fd/{name}").startswith("socket:")
    return found


@contextlib.contextmanager
def hanging(name: str) -> Iterator[Phase]:
    """In the end, no socket is left over."""
    before = sockets()
    with PHASES[name]() as phase:
        yield phase
    eventually(lambda: sockets() <= before, "every socket is closed")


@pytest.mark.parametrize("name", PHASES)
def test_closing_the_transport_ends_what_a_thread_waits_for(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("interactor_ext._engine.network.sync_transport._CHECK_SECONDS", 3600.0)
    with hanging(name) as phase:
        transport = Transport(verify=trusting(), trust_env=False, **phase.settings or {})
        client = httpx.Client(transport=transport, timeout=PATIENCE * 3)
        errors: list[BaseException] = []
        held = None
        if name == "place":
            held = client.send(client.build_request("GET", phase.url), stream=True)

        def call() -> None:
            size, in_pieces = phase.body
            try:
                client.post(phase.url, content=pieces(size) if in_pieces else b"x" * size)
            except BaseException as error:
                errors.append(error)

        thread = threading.Thread(target=call, daemon=True)
        thread.start()
        eventually(lambda: phase.is_in(transport))
        transport.close()
        thread.join(PATIENCE)
        assert [isinstance(error, httpx.TransportError) for error in errors] == [True], errors
        if held is not None:
            held.close()
        assert transport.connections() == (0, 0, 0)


def test_closing_the_transport_just_before_a_call_connects_ends_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    route_to = Routes.to

    def close_and_route_to(routes: Routes, origin: Any) -> Any:
        transport.close()
        return route_to(routes, origin)

    monkeypatch.setattr(Routes, "to", close_and_route_to)
    transport = Transport(trust_env=False)
    with mute_url() as url, pytest.raises(httpx.ConnectError, match="closed"):
        httpx.Client(transport=transport, timeout=PATIENCE).get(url)
    assert transport.connections() == (0, 0, 0)


@pytest.mark.parametrize("loop", LOOPS)
def test_call_that_waits_for_a_connection_opens_none_once_the_transport_is_closed(loop: str) -> None:
    async def main() -> None:
        transport = AsyncTransport(trust_env=False, max_connections=1)
        client = httpx.AsyncClient(transport=transport, timeout=PATIENCE * 3)
        first = asyncio.create_task(client.get(server.url))
        await eventually_async(lambda: server.seen)
        second = asyncio.create_task(client.get(server.url))
        await eventually_async(lambda: transport.connections().waiting)
        await transport.aclose()
        with pytest.raises(httpx.ReadError):
            await first
        with pytest.raises(httpx.ConnectError, match="while this call waited"):
            await second

    runner = asyncio.Runner(loop_factory=pytest.importorskip(loop).new_event_loop)
    with FaultServer([send_and(b"", lambda connection: connection.stall())]) as server, runner:
        runner.run(main())


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("end", ["close", "cancel"])
@pytest.mark.parametrize("name", PHASES)
def test_closing_the_transport_and_cancelling_end_what_a_task_waits_for(name: str, end: str, loop: str) -> None:
    async def main(phase: Phase) -> None:
        transport = AsyncTransport(verify=trusting(), trust_env=False, **phase.settings or {})
        client = httpx.AsyncClient(transport=transport, timeout=PATIENCE * 3)
        held = None
        if name == "place":
            held = await client.send(client.build_request("GET", phase.url), stream=True)
        size, in_pieces = phase.body
        task = asyncio.create_task(client.post(phase.url, content=pieces_async(size) if in_pieces else b"x" * size))
        await eventually_async(lambda: phase.is_in(transport))
        if end == "cancel":
            task.cancel()
        else:
            await transport.aclose()
        await asyncio.wait([task], timeout=PATIENCE)
        assert task.done()
        assert task.cancelled() if end == "cancel" else isinstance(task.exception(), httpx.TransportError)
        if held is not None:
            await held.aclose()
        assert transport.connections() == (0, 0, 0)
        await transport.aclose()

    with hanging(name) as phase, asyncio.Runner(loop_factory=pytest.importorskip(loop).new_event_loop) as runner:
        runner.run(main(phase))


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("way", ["http", "TLS", "TLS in TLS"])
def test_calls_and_streams_in_each_kind_of_event_loop(loop: str, way: str) -> None:
    async def main() -> None:
        transport = AsyncTransport(verify=trusting(), trust_env=False, proxy=proxy)
        async with AsyncInteractorClient(**settings_of(url, timeout=60), transport=transport) as client:
            many = [client.assistants.update("a", name="x" * size) for size in range(1, 400_000, 20_000)]
            assert {assistant.id for assistant in await asyncio.gather(*many)} == {"asst_1"}
            for _ in range(2):
                async with client.rooms.stream("room") as stream:
                    assert (await anext(stream)).type == "message.delta"
            assert transport.connections().open == transport.connections().idle

    with contextlib.ExitStack() as stack:
        tls = None if way == "http" else serving()
        url = stack.enter_context(FaultServer([answer], tls=tls)).url
        proxy = stack.enter_context(Proxy(tls)).url if way == "TLS in TLS" else None
        with asyncio.Runner(loop_factory=pytest.importorskip(loop).new_event_loop) as runner:
            runner.run(main())


class Resetting(FaultServer):
    """Resets each connection during the handshake of TLS."""

    def wrap(self, sock: socket.socket) -> socket.socket:
        sock.recv(1)
        Connection(self, sock).reset()
        sock.close()
        return sock


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("fault", ["reset", "certificate", "garbage"])
def test_fault_within_tls_of_a_proxy_is_an_error_of_the_connection(fault: str, loop: str) -> None:
    async def main() -> None:
        async with httpx.AsyncClient(transport=transport, timeout=PATIENCE) as client:
            with pytest.raises(httpx.NetworkError):
                await client.get(f"https://localhost:{server.address[1]}")

    def unencrypted(connection: Connection) -> None:
        os.write(connection.socket.fileno(), HALF)
        connection.wait_for_client_to_leave()

    context = serving(trustme.CA()) if fault == "certificate" else serving()
    kind = Resetting if fault == "reset" else FaultServer
    with kind([send_and(HALF, unencrypted)], tls=context) as server, Proxy(serving()) as proxy:
        transport = AsyncTransport(verify=trusting(), trust_env=False, proxy=proxy.url)
        with asyncio.Runner(loop_factory=pytest.importorskip(loop).new_event_loop) as runner:
            runner.run(main())


@pytest.mark.parametrize("make", [Transport, AsyncTransport])
def test_address_to_which_there_is_no_route_is_skipped(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with FaultServer() as server:
        port = server.address[1]
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port)) for ip in ("255.255.255.255", "127.0.0.1")]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
        settings = settings_of(f"http://localhost:{port}", timeout=60, max_retries=0)
        mode = "sync" if make is Transport else "async"
        client_call = call(mode, {**settings, "transport": make()}, lambda client: client.assistants.get("a"))
        assert client_call.id == "asst_1"
