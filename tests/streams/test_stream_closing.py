"""Closing streams: by leaving the block, break, cancellation, garbage collection, other threads; and resuming."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable
from typing import Any

import anyio
import httpx
import pytest

from tests.support.modes import at_once, sync_and_async
from tests.support.scripted_server import SECRET, Connection, FaultServer, RawServer, Request, fine, sending
from tests.support.stream_reader import AsyncStreamClient, connected, stream_of, streaming
from tests.support.waiting import collect_garbage, eventually_async


def delta(number: int) -> bytes:
    return b'id: %d\ndata: {"type":"message.delta","content":"%d"}\n\n' % (number, number)


def endless(connection: Connection) -> None:
    """Five events at a time, then nothing more until the client has left."""
    start = int(connection.last_event_id or b"0") + 1
    connection.head()
    for number in range(start, start + 5):
        connection.send(delta(number))
    connection.wait_for_client_to_leave()


async def closed(server: RawServer, number: int = 0) -> bool:
    return await asyncio.to_thread(server.connections[number].closed_by_client.wait, 60)


async def take(stream: Any, number: int) -> list[str]:
    """The contents of the next events, in a loop that is then left."""
    contents = []
    async for event in stream:
        contents.append(event.content)
        if len(contents) == number:
            break
    return contents


async def within_timeout(event: Awaitable[Any], seconds: float) -> Any:
    async with asyncio.timeout(seconds):
        return await event


async def within_anyio(event: Awaitable[Any], seconds: float) -> Any:
    with anyio.fail_after(seconds):
        return await event


@sync_and_async
async def test_entering_opens_the_connection_and_leaving_the_block_closes_it(mode: str) -> None:
    with RawServer(endless) as server:
        async with streaming(mode, server.url) as stream:
            assert server.connections == []
            async with stream:
                assert (await anext(stream)).content == "1"
            assert await closed(server)
            assert [event async for event in stream] == []


@sync_and_async
async def test_break_closes_the_connection_and_a_later_loop_resumes(mode: str) -> None:
    with RawServer(endless) as server:
        async with streaming(mode, server.url) as stream, stream:
            assert await take(stream, 3) == ["1", "2", "3"]
            assert await closed(server)
            assert stream.last_event_id == "3"
            # The rest of the bytes that were read, however many, then those of a new connection.
            assert await take(stream, 5) == ["4", "5", "6", "7", "8"]
            assert server.connections[1].last_event_id in {b"3", b"4", b"5"}


@sync_and_async
async def test_next_after_the_end_raises_stop_iteration(mode: str) -> None:
    with RawServer(sending(delta(1) + b"event: done\ndata: {}\n\n")) as server:
        async with streaming(mode, server.url) as stream, stream:
            assert (await anext(stream)).content == "1"
            for _ in range(2):
                with pytest.raises(StopAsyncIteration):
                    await anext(stream)
            assert repr(stream).endswith("Stream(GET /rooms/{room_id}/stream)")


@sync_and_async
async def test_error_in_on_reconnect_closes_the_connection(mode: str) -> None:
    def refuse(number: int, seconds: float) -> None:
        raise KeyError(number)

    with RawServer(sending(delta(1))) as server:
        async with streaming(mode, server.url, on_reconnect=refuse) as stream:
            with pytest.raises(KeyError):
                async with stream:
                    await take(stream, 2)
            assert len(server.connections) == 1


@pytest.mark.parametrize("steps", range(40))
async def test_cancelling_while_connecting_leaves_no_connection_open(steps: int) -> None:
    arrived, go_on = threading.Event(), threading.Event()

    def handler(connection: Connection) -> None:
        arrived.set()
        go_on.wait(60)
        connection.head()
        connection.send(delta(1))
        assert connection.wait_for_client_to_leave()

    with RawServer(handler) as server:
        async with streaming("async", server.url) as stream:
            task = asyncio.create_task(stream.__aenter__())
            if steps >= 20:
                # The connection is made; the response comes while the task is being cancelled.
                await asyncio.to_thread(arrived.wait, 60)
                go_on.set()
            for _ in range(steps % 20):
                await asyncio.sleep(0)
            if not task.cancel():
                await stream.aclose()
            go_on.set()
            try:
                await task
            except asyncio.CancelledError:
                pass
            else:
                await stream.aclose()
            # A socket whose request had not been sent yet was closed as well, and never became a connection here.
            await eventually_async(
                lambda: all(connection.closed_by_client.is_set() for connection in server.connections)
            )


async def test_cancelling_during_backoff_ends_the_wait() -> None:
    waiting = asyncio.Event()

    async def note(number: int, seconds: float) -> None:
        waiting.set()

    with RawServer(sending(b"retry: 60000\n\n" + delta(1))) as server:
        async with streaming("async", server.url, on_reconnect=note) as stream, stream:
            task = asyncio.create_task(anext(stream.raw()))
            await task
            task = asyncio.create_task(anext(stream.raw()))
            await asyncio.wait_for(waiting.wait(), 60)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task


@pytest.mark.parametrize("within", ["a loop", "two events"])
async def test_dropped_stream_closes_its_connection(within: str) -> None:
    with RawServer(endless) as server:
        async with connected("async", server.url) as client:
            stream = await stream_of(client).__aenter__()
            if within == "a loop":
                await take(stream, 1)
            else:
                assert (await anext(stream)).content == "1"
            del stream
            collect_garbage()
            assert await closed(server)


def counting(connection: Connection) -> None:
    """An event every few milliseconds, from the last id on, until the client leaves."""
    connection.head()
    for number in range(int(connection.last_event_id or b"0") + 1, 100_000):
        connection.send(delta(number))
        time.sleep(0.001)


async def test_async_second_loop_takes_over_the_connection_of_the_first() -> None:
    """asyncio closes the generator of the first loop only when the second one is under way."""
    with RawServer(counting) as server:
        async with streaming("async", server.url, max_reconnects=0) as stream, stream:
            seen = [content for number in (3, 37, 1, 1) for content in await take(stream, number)]
            seen += [(await anext(stream)).content for _ in range(20)]
            assert seen == [str(number) for number in range(1, 63)]
            assert (stream.reconnects, len(server.connections)) == (0, 1)


@sync_and_async
async def test_closing_a_loop_does_not_close_the_connection_of_the_next(mode: str) -> None:
    with RawServer(counting) as server:
        async with streaming(mode, server.url, max_reconnects=0) as stream, stream:
            first, second = aiter(stream), aiter(stream)
            assert [(await anext(first)).content, (await anext(second)).content] == ["1", "2"]
            await first.aclose()
            assert (await anext(second)).content == "3"
            assert len(server.connections) == 1


@pytest.mark.parametrize("limited", [asyncio.wait_for, within_timeout, within_anyio])
@pytest.mark.parametrize(
    "source", [lambda stream: stream, aiter, lambda stream: stream.raw()], ids=["stream", "iter", "raw"]
)
async def test_time_limit_on_an_event_keeps_the_connection(source: Any, limited: Any) -> None:
    def handler(connection: Connection) -> None:
        connection.head()
        connection.send(delta(1) + delta(2))
        assert go_on.wait(60)
        connection.send(delta(3) + b"event: done\ndata: {}\n\n")

    go_on = threading.Event()
    with RawServer(handler) as server:
        async with streaming("async", server.url, max_reconnects=0) as stream, stream:
            events, ids = source(stream), list[str]()
            limits = 0
            while True:
                if limits == 10:
                    go_on.set()
                try:
                    await limited(anext(events), 0.01)
                except TimeoutError:
                    limits += 1
                except StopAsyncIteration:
                    break
                else:
                    ids.append(stream.last_event_id)
            assert (ids, stream.reconnects, len(server.connections)) == (["1", "2", "3"], 0, 1)
            with pytest.raises(StopAsyncIteration):
                await anext(events)


async def test_wait_for_timeout_restarts_neither_backoff_nor_connecting() -> None:
    def handler(connection: Connection) -> None:
        if connection.number == 0:
            connection.head()
            connection.send(b"retry: 200\n\n" + delta(1))
        else:
            assert go_on.wait(60)
            connection.head()
            connection.send(delta(2) + b"event: done\ndata: {}\n\n")

    told: list[int] = []
    go_on = threading.Event()
    with RawServer(handler) as server:
        note = lambda number, seconds: told.append(number)  # noqa: E731
        async with streaming("async", server.url, on_reconnect=note) as stream, stream:
            assert (await anext(stream)).content == "1"
            while_connecting = 0
            started = time.monotonic()
            while time.monotonic() - started < 60:
                try:
                    assert (await asyncio.wait_for(anext(stream), 0.02)).content == "2"
                    break
                except TimeoutError:
                    while_connecting += len(server.connections) == 2
                    if while_connecting == 3:
                        go_on.set()
            assert while_connecting >= 3
            assert (told, stream.reconnects, len(server.connections)) == ([1], 1, 2)
            await stream.aclose()


@sync_and_async
async def test_close_in_another_thread_or_task_ends_reading(mode: str) -> None:
    def handler(connection: Connection) -> None:
        connection.head()
        connection.send(delta(1))
        assert connection.wait_for_client_to_leave()

    seen: list[str] = []

    async def read(stream: Any) -> None:
        async for event in stream:
            seen.append(event.content)  # noqa: PERF401 - the other one sees it
        seen.append("the end")

    async def close(stream: Any) -> None:
        await eventually_async(lambda: seen)
        await asyncio.sleep(0.01)  # by now, it most likely waits for bytes
        await stream.aclose()

    with RawServer(handler) as server:
        async with streaming(mode, server.url) as stream, stream:
            await at_once(mode, read(stream), close(stream))
            assert seen == ["1", "the end"]
            assert await closed(server)
            assert [event async for event in stream] == []
            assert (stream.reconnects, len(server.connections)) == (0, 1)


@sync_and_async
async def test_close_in_another_thread_or_task_ends_backoff_and_connecting(mode: str) -> None:
    def handler(connection: Connection) -> None:
        if connection.number == 0:
            connection.head()
            connection.send(b"retry: 60000\n\n")
        else:
            arrived.set()
            assert go_on.wait(60)
            connection.head()
            connection.send(delta(1))
            connection.wait_for_client_to_leave()

    async def read(stream: Any) -> list[Any]:
        async with stream:
            return [event async for event in stream]

    async def close(stream: Any, when: threading.Event) -> None:
        await eventually_async(when.is_set)
        await stream.aclose()
        if when is arrived:
            go_on.set()

    arrived, go_on, waiting = threading.Event(), threading.Event(), threading.Event()
    with RawServer(handler) as server:
        for when in (waiting, arrived):
            async with streaming(mode, server.url, on_reconnect=lambda number, seconds: waiting.set()) as stream:
                assert await at_once(mode, read(stream), close(stream, when)) == [[], None]
        assert await closed(server, 1)
        assert len(server.connections) == 2


@pytest.mark.parametrize("turns", [None, *range(6)])
async def test_cancelling_the_task_closes_the_connection(turns: int | None) -> None:
    """Also if it is cancelled once more while it closes."""
    with RawServer(endless) as server:
        async with streaming("async", server.url) as stream:
            seen: list[str] = []
            note = seen.append

            async def read() -> None:
                async with stream:
                    async for event in stream:
                        note(event.content)

            task = asyncio.create_task(read())
            await eventually_async(lambda: len(seen) == 5)
            task.cancel()
            if turns is not None:
                for _ in range(turns):
                    await asyncio.sleep(0)
                task.cancel()
            await asyncio.wait([task])
            assert task.cancelled()
            assert await closed(server)


async def test_slow_reader_applies_backpressure_to_the_server() -> None:
    big = b'data: {"type":"message.delta","content":"%s"}\n\n' % (b"x" * 50_000)
    sent = 0

    def handler(connection: Connection) -> None:
        nonlocal sent
        connection.head()
        for _ in range(2000):
            connection.send(big)
            sent += 1

    with RawServer(handler) as server:
        async with streaming("async", server.url) as stream:
            async with stream:
                await anext(stream)
                before = -1
                while before != sent:
                    before = sent
                    await asyncio.sleep(0.2)
                assert sent < 1000
            await eventually_async(lambda: server.connections[0].closed_by_client.is_set())


async def test_aclose_while_a_broken_connection_is_being_closed_ends_reading() -> None:
    is_closing = asyncio.Event()

    class BreaksOff(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            yield b": hello\n\n"
            raise httpx.ReadError("broken")

        async def aclose(self) -> None:
            is_closing.set()
            await asyncio.sleep(60)

    def respond(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"content-type": "text/event-stream"}, stream=BreaksOff())

    async with AsyncStreamClient(base_url="http://localhost", transport=httpx.MockTransport(respond)) as client:
        stream = stream_of(client)
        await stream.__aenter__()
        reading = asyncio.ensure_future(anext(stream, None))
        await is_closing.wait()
        await asyncio.wait_for(stream.aclose(), 30)
        assert await asyncio.wait_for(reading, 30) is None


AT_EXIT = """
import atexit, threading
is_ending, goes_on, has_begun = threading.Event(), threading.Event(), threading.Event()

@atexit.register  # first, so that it runs last
def wait_for_the_thread():
    is_ending.set()
    while thread.is_alive() and not goes_on.is_set():
        thread.join(0.05)

def note():
    has_begun.set()
    if is_ending.is_set():
        goes_on.set()

from interactor_ext import InteractorClient
client = InteractorClient(max_retries=0)

def follow():
    with client.rooms.stream("room_1") as stream:
        for _ in stream:
            note()

def call():
    while True:
        client.assistants.get("asst_1")
        note()

thread = threading.Thread(target=WORK, daemon=True)
thread.start()
assert has_begun.wait(60)
"""


@pytest.mark.parametrize("work", ["follow", "call"])
def test_daemon_threads_go_on_to_the_silent_end_of_their_program(work: str) -> None:
    def respond(connection: Connection, request: Request) -> bool:
        if not request.target.partition("?")[0].endswith("/stream"):
            return fine(connection, request)
        counting(connection)
        return False

    with FaultServer([respond]) as server:
        settings = {"CLIENT_ID": "client_x", "CLIENT_SECRET": SECRET, "CORE_API_URL": f"{server.url}/core"}
        settings["ACCOUNT_SERVER_URL"] = f"{server.url}/account"
        ended = subprocess.run(
            [sys.executable, "-X", "dev", "-W", "error", "-c", AT_EXIT.replace("WORK", work)],
            env={**os.environ, **{f"INTERACTOR_{name}": value for name, value in settings.items()}},
            capture_output=True,
            text=True,
            timeout=300,
        )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
