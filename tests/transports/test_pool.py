"""The connection pools of `Transport` and `AsyncTransport`: bounds, order, cancellation, idle connections, event loops,
forks, closing.
"""

from __future__ import annotations

import asyncio
import ssl
import subprocess
import sys
import threading
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx
import pytest
import trustme

from interactor_client.types import Operation
from interactor_ext._engine.network.async_transport import ConnectionPool
from interactor_ext._engine.streams.stream import _wake_reader as wake_reader
from interactor_ext._engine.waiting.closer import start_closer
from interactor_ext.transports import AsyncTransport, Transport
from tests.support.interrupts import runs_interrupted_in_each_line
from tests.support.modes import Awaited, at_once, sync_and_async
from tests.support.scripted_server import Connection, FaultServer, Request, fine, send_and, slow
from tests.support.waiting import collect_garbage, eventually, eventually_async

STREAM = Operation("stream_room", "rooms", "GET", "/x", "core", idempotency_key=False, stream=True)
PATH = "/api/v1/assistants/asst_1"
EVENTS = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: {}\n\n"


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as running:
        yield running


@pytest.fixture
async def client(server: FaultServer) -> AsyncIterator[httpx.AsyncClient]:
    transport = AsyncTransport(max_connections=4, max_streams=2)
    async with httpx.AsyncClient(transport=transport, base_url=server.url, timeout=60) as running:
        yield running


def connections(client: httpx.AsyncClient) -> ConnectionPool:
    transport = client._transport
    assert isinstance(transport, AsyncTransport)
    return transport._pools.get()


def free_turns(client: httpx.AsyncClient) -> tuple[int, int]:
    held = connections(client)
    return 4 - len(held.calls.used), 2 - len(held.streams.used)


def counted(server: FaultServer) -> list[int]:
    """The number of connections during each call from now on."""
    found: list[int] = []

    def count(connection: Connection, request: Request) -> bool:
        found.append(server.open_connections)
        return slow(0.01, fine)(connection, request)

    server.script = [count]
    return found


# Of both transports


@asynccontextmanager
async def http_of(mode: str, base_url: str = "", **options: Any) -> AsyncIterator[Any]:
    """A client of httpx over one of the transports, to be used as an async one."""
    if mode == "sync":
        with httpx.Client(transport=Transport(**options), base_url=base_url, timeout=60) as client:
            yield Awaited(client)
    else:
        async with httpx.AsyncClient(transport=AsyncTransport(**options), base_url=base_url, timeout=60) as other:
            yield other


async def get(client: Any, url: str = PATH) -> int:
    return int((await client.get(url)).status_code)


@sync_and_async
async def test_calls_reuse_a_connection_and_wait_for_a_place(mode: str, server: FaultServer) -> None:
    async with http_of(mode, server.url, max_connections=2) as client:
        for _ in range(5):
            assert await get(client) == 200
        assert server.open_connections == 1
        most = counted(server)
        assert await at_once(mode, *(get(client) for _ in range(20))) == [200] * 20
        assert max(most) == 2
        assert client._transport.connections() == (2, 2, 0)


@sync_and_async
async def test_call_that_waits_for_a_place_raises_pool_timeout(mode: str, server: FaultServer) -> None:
    server.script = [send_and(EVENTS, lambda connection: connection.stall())]
    async with http_of(mode, server.url, max_connections=1) as client:
        async with client.stream("GET", PATH):
            with pytest.raises(httpx.PoolTimeout, match="all connections are in use"):
                await client.get(PATH, timeout=httpx.Timeout(60, pool=0.05))
            assert client._transport.connections() == (1, 0, 0)
        server.script = [fine]
        assert await get(client) == 200


@sync_and_async
async def test_streams_and_calls_have_separate_bounds(mode: str, server: FaultServer) -> None:
    server.script = [send_and(EVENTS, lambda connection: connection.stall())]
    timeouts = {"timeout": {"pool": 0.05, "read": 60}}
    async with http_of(mode, server.url, max_connections=2, max_streams=2) as client, AsyncExitStack() as streams:
        for _ in range(2):
            await streams.enter_async_context(client.stream("GET", PATH, extensions={"operation": STREAM}))
        with pytest.raises(httpx.PoolTimeout):
            await client.send(
                httpx.Request("GET", server.url, extensions={"operation": STREAM, **timeouts}), stream=True
            )
        server.script = [fine]
        assert await at_once(mode, *(get(client) for _ in range(8))) == [200] * 8
        await streams.aclose()
        await eventually_async(lambda: server.open_connections <= 2, "the streams' connections are closed")
        transport = client._transport.connections()
        assert transport.open == transport.idle


@sync_and_async
async def test_new_origin_evicts_an_idle_connection_when_the_pool_is_full(mode: str, server: FaultServer) -> None:
    with FaultServer() as other:
        async with http_of(mode, max_connections=2) as client:
            for url in (server.url, other.url, server.url):
                await at_once(mode, *(get(client, f"{url}{PATH}") for _ in range(4)))
                assert client._transport.connections().open <= 2
            await eventually_async(lambda: server.open_connections + other.open_connections <= 2)


@sync_and_async
async def test_connections_that_were_idle_too_long_are_closed_after_another_call(
    mode: str, server: FaultServer
) -> None:
    async with http_of(mode, server.url, keepalive_expiry=0.01) as client:
        await at_once(mode, *(get(client) for _ in range(5)))
        while server.open_connections > 1:
            assert await get(client) == 200


# Of one of them


async def test_calls_that_wait_for_a_connection_are_served_in_order(server: FaultServer) -> None:
    async with httpx.AsyncClient(
        transport=AsyncTransport(max_connections=1), base_url=server.url, timeout=60
    ) as client:
        await asyncio.gather(*(client.get(f"/api/v1/assistants/{number}") for number in range(30)))
    assert [int(request.target.rpartition("/")[2]) for request in server.seen] == list(range(30))


async def test_failed_calls_leave_the_connections_of_others_alone(
    client: httpx.AsyncClient, server: FaultServer
) -> None:
    reset = send_and(b"", lambda connection: connection.reset())
    server.script = [fine, reset] * 10 + [fine]
    outcomes = await asyncio.gather(*(client.get(PATH) for _ in range(20)), return_exceptions=True)
    assert sum(isinstance(outcome, httpx.Response) for outcome in outcomes) == 10
    assert sum(isinstance(outcome, httpx.TransportError) for outcome in outcomes) == 10
    assert free_turns(client) == (4, 2)
    assert not connections(client).calls.used


async def test_calls_cancelled_at_any_step_leave_no_connection_in_use(
    client: httpx.AsyncClient, server: FaultServer
) -> None:
    server.script = [slow(0.003, fine)]
    for step in range(60):
        tasks = [asyncio.create_task(client.get(PATH)) for _ in range(6)]
        # So many turns of the loop, so that every await is hit sooner or later; then real time.
        for _ in range(step % 30):
            await asyncio.sleep(0)
        if step >= 30:
            await asyncio.sleep(step * 0.0001)
        for task in tasks[::2]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert all(not task.cancelled() for task in tasks[1::2])
    assert free_turns(client) == (4, 2)
    assert not connections(client).calls.used
    await eventually_async(lambda: server.open_connections <= 4, "connections of cancelled calls are closed")
    assert (await client.get(PATH)).status_code == 200


async def test_call_that_its_caller_ends_leaves_idle_connections_open(
    client: httpx.AsyncClient, server: FaultServer
) -> None:
    together = threading.Barrier(3)

    def meet(connection: Connection, request: Request) -> bool:
        together.wait(60)
        return fine(connection, request)

    async def failing() -> AsyncIterator[bytes]:
        yield b"x"
        raise ZeroDivisionError

    server.script = [meet, meet, meet, send_and(b"", lambda connection: connection.stall())]
    await asyncio.gather(*(client.get(PATH) for _ in range(3)))
    task = asyncio.create_task(client.get(PATH))
    await eventually_async(lambda: len(server.seen) == 4, "the call is sent")
    task.cancel()
    await asyncio.wait([task])
    with pytest.raises(ZeroDivisionError):
        await client.post(PATH, content=failing())
    assert connections(client).connections() == (1, 1, 0)


async def test_stream_cancelled_while_read_releases_its_connection(
    client: httpx.AsyncClient, server: FaultServer
) -> None:
    server.script = [send_and(EVENTS, lambda connection: connection.stall())]

    async def read() -> None:
        async with client.stream("GET", PATH, extensions={"operation": STREAM}) as response:
            async for _ in response.aiter_raw():
                pass

    for _ in range(5):
        task = asyncio.create_task(read())
        await eventually_async(lambda: free_turns(client)[1] == 1, "the stream is open")
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert free_turns(client) == (4, 2)
    await eventually_async(lambda: server.open_connections == 0, "the streams' connections are closed")


async def test_open_streams_evict_no_idle_connection(server: FaultServer) -> None:
    stall = send_and(EVENTS, lambda connection: connection.stall())
    server.script = [stall, stall, fine]
    transport = AsyncTransport(max_connections=2)
    async with httpx.AsyncClient(transport=transport, timeout=60) as client:
        request = client.build_request("GET", f"{server.url}{PATH}", extensions={"operation": STREAM})
        streams = [await client.send(request, stream=True) for _ in range(2)]
        with FaultServer() as other:
            for url in (other.url, server.url):
                assert (await client.get(f"{url}{PATH}")).status_code == 200
            assert transport.connections() == (4, 2, 0)
        for stream in streams:
            await stream.aclose()


def test_one_client_works_in_concurrent_event_loops(server: FaultServer) -> None:
    transport = AsyncTransport()
    statuses: list[int] = []

    async def calls() -> None:
        client = httpx.AsyncClient(transport=transport, base_url=server.url, timeout=60)
        for _ in range(5):
            statuses.extend(r.status_code for r in await asyncio.gather(*(client.get(PATH) for _ in range(5))))

    threads = [threading.Thread(target=lambda: asyncio.run(calls())) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 150
    eventually(lambda: server.open_connections == 0)


@pytest.mark.parametrize("turns", range(8))
def test_loop_that_ends_while_another_closes_the_transport_leaves_no_connection_open(
    server: FaultServer, turns: int
) -> None:
    transport = AsyncTransport()

    async def call() -> None:
        await httpx.AsyncClient(transport=transport, base_url=server.url, timeout=60).get(PATH)

    async def call_and_end() -> None:
        await asyncio.gather(call(), call(), call())
        closing = threading.Thread(target=lambda: asyncio.run(transport.aclose()))
        closing.start()
        closing.join()  # now it is this loop's turn, but for so many steps only
        for _ in range(turns):
            await asyncio.sleep(0)

    asyncio.run(call_and_end())
    eventually(lambda: server.open_connections == 0)


@pytest.mark.full
@pytest.mark.parametrize("phase", ["main", "shutdown_asyncgens", "shutdown_default_executor"])
def test_closing_from_another_thread_in_the_last_step_of_a_loop_leaves_no_pending_task(
    server: FaultServer,
    phase: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`asyncio.run` cancels the tasks that exist when the main one ends, and does not wait for later ones."""
    unraisable: list[str] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda raised: unraisable.append(str(raised.exc_value)))
    held = [AsyncTransport()]

    def close_from_another_thread() -> None:
        closing = threading.Thread(target=asyncio.run, args=(held[0].aclose(),))
        closing.start()
        closing.join()

    class Loop(asyncio.SelectorEventLoop):
        async def shutdown_asyncgens(self) -> None:
            await super().shutdown_asyncgens()
            if phase == "shutdown_asyncgens":
                close_from_another_thread()

        async def shutdown_default_executor(self, timeout: float | None = None) -> None:
            await super().shutdown_default_executor()
            if phase == "shutdown_default_executor":
                close_from_another_thread()

    async def call() -> None:
        await httpx.AsyncClient(transport=held[0], base_url=server.url, timeout=60).get(PATH)
        if phase == "main":
            close_from_another_thread()

    with asyncio.Runner(loop_factory=Loop) as runner:
        runner.run(call())
    del runner
    held.clear()
    collect_garbage()
    assert not unraisable
    assert not [record.getMessage() for record in caplog.records if record.name == "asyncio"]
    eventually(lambda: server.open_connections == 0)


def test_closed_loop_is_forgotten(server: FaultServer) -> None:
    transport = AsyncTransport()

    async def call() -> None:
        response = await httpx.AsyncClient(transport=transport, base_url=server.url, timeout=60).get(PATH)
        assert response.status_code == 200

    loop = asyncio.new_event_loop()
    loop.run_until_complete(call())
    with warnings.catch_warnings():
        # asyncio's own, for sockets that were open when their loop was closed.
        warnings.simplefilter("ignore", ResourceWarning)
        loop.close()
        asyncio.run(call())
        asyncio.run(transport.aclose())
        del loop
        collect_garbage()
    assert len(transport._pools._entries) == 0
    eventually(lambda: server.open_connections == 0)


async def test_dropped_async_transport_closes_its_connections(server: FaultServer) -> None:
    transport = AsyncTransport()
    await httpx.AsyncClient(transport=transport, base_url=server.url, timeout=60).get(PATH)
    assert server.open_connections == 1
    del transport
    collect_garbage()
    await eventually_async(lambda: server.open_connections == 0, "the connection is closed")


@pytest.mark.parametrize("extensions", [{}, {"operation": STREAM}], ids=["call", "stream"])
async def test_dropped_async_response_releases_its_place_and_its_connection(
    client: httpx.AsyncClient, server: FaultServer, extensions: dict[str, Any]
) -> None:
    server.script = [send_and(EVENTS, lambda connection: connection.stall())]
    for _ in range(2):
        await client.send(client.build_request("GET", PATH, extensions=dict(extensions)), stream=True)
    collect_garbage()
    await eventually_async(lambda: free_turns(client) == (4, 2) and not server.open_connections, "nothing is in use")


async def test_closing_async_transport_ends_open_streams(server: FaultServer) -> None:
    server.script = [send_and(EVENTS, lambda connection: connection.stall())]
    transport = AsyncTransport()
    client = httpx.AsyncClient(transport=transport, base_url=server.url, timeout=60)
    response = await client.send(client.build_request("GET", PATH), stream=True)
    await transport.aclose()
    with pytest.raises(httpx.TransportError):
        await response.aread()
    await eventually_async(lambda: server.open_connections == 0, "the connection is closed")


EXIT = """
import asyncio, sys
import httpx
from interactor_ext._engine.waiting.closer import start_closer
from interactor_ext._engine.streams.stream import _wake_reader as wake_reader
from interactor_ext.transports import AsyncTransport, Transport

async def main(transport):
    await httpx.AsyncClient(transport=transport, timeout=60).get(sys.argv[1])

client = httpx.Client(transport=Transport(), timeout=60)
client.get(sys.argv[1])
asyncio.run(main(AsyncTransport()))
client.close()
"""


def test_interpreter_exits_silently_with_open_transports(server: FaultServer) -> None:
    command = [sys.executable, "-W", "error", "-c", EXIT, f"{server.url}{PATH}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def address(response: httpx.Response) -> object:
    return response.extensions["network_stream"].get_extra_info("client_addr")


def test_call_takes_the_connection_that_was_used_last(server: FaultServer) -> None:
    """The others expire then. The async transport has the same stack."""
    with httpx.Client(transport=Transport(), base_url=server.url, timeout=60) as client:
        with client.stream("GET", PATH) as first, client.stream("GET", PATH) as second:
            addresses = [address(first), address(second)]
            first.read()
            second.read()
        assert [address(client.get(PATH)) for _ in range(2)] == [addresses[1]] * 2
        assert addresses[0] != addresses[1]


def test_full_pool_closes_the_connection_that_is_idle_for_the_longest_time(server: FaultServer) -> None:
    transport = Transport(max_connections=2)
    with FaultServer() as second, FaultServer() as third, httpx.Client(transport=transport, timeout=60) as client:
        client.get(f"{server.url}{PATH}")
        kept = address(client.get(f"{second.url}{PATH}"))
        client.get(f"{third.url}{PATH}")
        assert address(client.get(f"{second.url}{PATH}")) == kept


def test_sync_calls_that_wait_for_a_place_are_served_in_order(server: FaultServer) -> None:
    transport = Transport(max_connections=1)
    with httpx.Client(transport=transport, base_url=server.url, timeout=60) as client, ThreadPoolExecutor(8) as threads:
        with client.stream("GET", PATH):
            waiting = []
            for number in range(8):
                waiting.append(threads.submit(client.get, f"/api/v1/assistants/{number}"))
                eventually(lambda count=number + 1: transport.connections().waiting == count)
        assert {call.result().status_code for call in waiting} == {200}
    assert [request.target.rpartition("/")[2] for request in server.seen[1:]] == list("01234567")


def test_sync_calls_that_wait_for_a_place_are_woken(server: FaultServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("interactor_ext._engine.network.sync_transport._CHECK_SECONDS", 3600.0)
    together = threading.Barrier(2)

    def meet(connection: Connection, request: Request) -> bool:
        together.wait(60)
        return fine(connection, request)

    server.script = [fine, fine, meet, meet, fine]
    transport = Transport(max_connections=2)
    with (
        httpx.Client(transport=transport, base_url=server.url, timeout=60) as client,
        ThreadPoolExecutor(4) as threads,
        client.stream("GET", PATH) as first,
        client.stream("GET", PATH) as second,
    ):
        waiting = [threads.submit(client.get, PATH) for _ in range(4)]
        eventually(lambda: transport.connections().waiting == 4)
        with transport._own_pool._lock:  # both wake the same call, which wakes the next
            first.close()
            second.close()
        assert [call.result().status_code for call in waiting] == [200] * 4


def test_closing_sync_transport_wakes_waiting_threads(server: FaultServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("interactor_ext._engine.network.sync_transport._CHECK_SECONDS", 3600.0)
    server.script = [send_and(b"", lambda connection: connection.stall())]
    transport = Transport(max_connections=1)
    errors: list[BaseException] = []

    def call() -> None:
        try:
            httpx.Client(transport=transport, timeout=60).get(f"{server.url}{PATH}")
        except httpx.TransportError as error:
            errors.append(error)

    threads = [threading.Thread(target=call, daemon=True) for _ in range(2)]
    for thread in threads:
        thread.start()
    eventually(lambda: (len(server.seen), transport.connections().waiting) == (1, 1))
    transport.close()
    for thread in threads:
        thread.join(60)
    assert len(errors) == 2
    eventually(lambda: server.open_connections == 0)


@pytest.mark.parametrize("end", [lambda transport, _: transport.close(), lambda _, response: wake_reader(response)])
def test_closing_amid_a_response_over_tls_hands_out_no_ciphertext(
    end: Callable[[Transport, httpx.Response], None],
) -> None:
    go_on, sent = threading.Event(), threading.Event()

    def act(connection: Connection, request: Request) -> bool:
        connection.send(EVENTS)
        go_on.wait(60)
        connection.send(b"more")
        sent.set()
        connection.stall()
        return False

    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    with FaultServer([act], tls=context) as server:
        transport = Transport(verify=trusting)
        response = transport.handle_request(httpx.Request("GET", server.url))
        received = iter(response.stream)  # type: ignore[arg-type]
        assert next(received) == b"data: {}\n\n"
        go_on.set()
        assert sent.wait(60)
        end(transport, response)
        with pytest.raises(httpx.ReadError):
            assert set(received) == {b"more"}


@pytest.mark.full
# An interrupt between two owners of a connection leaves it to Python, which closes its socket at once.
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_no_line_of_a_call_in_which_it_is_interrupted_keeps_a_place(server: FaultServer, host: str) -> None:
    url, context = server.url.replace("127.0.0.1", host), ssl.create_default_context()
    transport = Transport(verify=context)

    def two_calls() -> None:
        nonlocal transport
        transport = Transport(verify=context)
        for _ in range(2):
            response = transport.handle_request(httpx.Request("GET", url, extensions={"timeout": {"connect": 60}}))
            response.read()
            response.close()

    interrupted = 0
    for _ in runs_interrupted_in_each_line(two_calls, ("interactor_ext/_engine/network",)):
        interrupted += 1
        start_closer()
        eventually(lambda: transport.connections().open == transport.connections().idle, "no connection is in use")
        transport.close()
    transport.close()
    assert interrupted > 100
    eventually(lambda: not server.open_connections)


@pytest.mark.parametrize("turns", range(4))
async def test_second_cancellation_while_a_body_is_closed_leaves_no_dead_connection(
    server: FaultServer, turns: int
) -> None:
    server.script = [send_and(EVENTS, lambda connection: connection.stall())]
    async with httpx.AsyncClient(transport=AsyncTransport(), base_url=server.url, timeout=60) as client:

        async def read() -> None:
            async with client.stream("GET", PATH) as response:
                async for _ in response.aiter_raw():
                    began.set()

        began = asyncio.Event()
        task = asyncio.create_task(read())
        await asyncio.wait_for(began.wait(), 60)
        await asyncio.sleep(0)  # it now waits for what never comes
        task.cancel()
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        server.script = [fine]
        for _ in range(3):
            assert (await client.get(PATH)).status_code == 200
        assert not connections(client).calls.used


@pytest.mark.parametrize("end", [Transport.close, Transport.retire])
def test_connection_that_becomes_idle_after_the_transport_closed_is_closed(
    server: FaultServer, end: Callable[[Transport], None]
) -> None:
    transport = Transport()
    response = transport.handle_request(httpx.Request("GET", f"{server.url}{PATH}"))
    body = response.stream
    assert isinstance(body, httpx.SyncByteStream)
    for _ in body:
        pass
    end(transport)
    body.close()
    assert transport.connections() == (0, 0, 0)
    eventually(lambda: server.open_connections == 0)


def test_response_that_was_dropped_is_closed_with_its_transport(server: FaultServer) -> None:
    server.script = [send_and(EVENTS, lambda connection: connection.stall())]
    transport = Transport()
    httpx.Client(transport=transport, timeout=60).send(httpx.Request("GET", f"{server.url}{PATH}"), stream=True)
    collect_garbage()
    transport.close()
    eventually(lambda: transport.connections() == (0, 0, 0))


def test_stream_dropped_together_with_its_closed_transport_is_closed(server: FaultServer) -> None:
    server.script = [send_and(EVENTS, lambda connection: connection.stall())]

    def drop() -> None:
        transport = Transport()
        request = httpx.Request("GET", f"{server.url}{PATH}", extensions={"operation": STREAM})
        response = httpx.Client(transport=transport, timeout=60).send(request, stream=True)
        transport.close()
        cycle: list[Any] = [transport, response]
        cycle.append(cycle)

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ResourceWarning)
        drop()
        collect_garbage()
        eventually(lambda: server.open_connections == 0)
    assert not caught
