"""A stream that is left closes its connection at once, and can be taken up again where it was left."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import httpx
import pytest

from interactor_ext._network.attempts import Rules
from interactor_ext._network.transport import AsyncCallTransport, CallTransport
from interactor_ext._streams.stream import AsyncStream, Stream
from interactor_ext.retry import RetryPolicy
from interactor_ext.transports import AsyncTransport, Transport
from tests.integration.raw_sse_server import Connection, RawServer, eventually
from tests.integration.stream_reader import AT_ONCE, KWARGS

RULES = Rules(RetryPolicy())


def delta(number: int) -> bytes:
    return b'id: %d\ndata: {"type":"message.delta","content":"%d"}\n\n' % (number, number)


def endless(connection: Connection) -> None:
    """Five events at a time, then nothing more until the client has left."""
    start = int(connection.last_event_id or b"0") + 1
    connection.head()
    for number in range(start, start + 5):
        connection.send(delta(number))
    connection.wait_for_client_to_leave()


@contextmanager
def a_stream(url: str, **options: Any) -> Iterator[Stream[Any]]:
    transport = CallTransport(Transport(trust_env=False), RULES)
    with httpx.Client(base_url=url, transport=transport) as client:
        yield Stream(client, KWARGS, "StreamEvent", policy=AT_ONCE, **options)


@asynccontextmanager
async def an_async_stream(url: str, **options: Any) -> AsyncIterator[AsyncStream[Any]]:
    transport = AsyncCallTransport(AsyncTransport(trust_env=False), RULES)
    async with httpx.AsyncClient(base_url=url, transport=transport) as client:
        yield AsyncStream(client, KWARGS, "StreamEvent", policy=AT_ONCE, **options)


def closed(server: RawServer, number: int = 0) -> bool:
    return server.connections[number].closed_by_client.wait(5)


def test_leaving_the_block_closes_the_connection() -> None:
    with RawServer(endless) as server, a_stream(server.url) as stream:
        with stream:
            assert next(stream).content == "1"
        assert closed(server)
        assert list(stream) == []


def test_leaving_the_block_by_an_error_closes_the_connection() -> None:
    with RawServer(endless) as server, a_stream(server.url) as stream:
        with pytest.raises(KeyError), stream:
            raise KeyError
        assert closed(server)


def test_breaking_the_loop_closes_the_connection_and_a_later_loop_goes_on() -> None:
    with RawServer(endless) as server, a_stream(server.url) as stream, stream:
        for event in stream:
            if event.content == "3":
                break
        assert closed(server)
        assert stream.last_event_id == "3"
        # What one read had brought beyond it, however much that was, then what a new connection brings.
        assert [event.content for event, _ in zip(stream, range(5), strict=False)] == ["4", "5", "6", "7", "8"]
        assert server.connections[1].last_event_id in {b"3", b"4", b"5"}


def test_a_loop_needs_no_block() -> None:
    with RawServer(endless) as server, a_stream(server.url) as stream:
        for event in stream:
            assert event.content == "1"
            break
        assert closed(server)


def test_entering_connects() -> None:
    with RawServer(endless) as server, a_stream(server.url) as stream:
        assert server.connections == []
        with stream:
            assert len(server.connections) == 1
        assert closed(server)


def done(connection: Connection) -> None:
    connection.head()
    connection.send(delta(1) + b"event: done\ndata: {}\n\n")


def test_after_the_end_there_is_no_next() -> None:
    with RawServer(done) as server, a_stream(server.url) as stream, stream:
        assert next(stream).content == "1"
        for _ in range(2):
            with pytest.raises(StopIteration):
                next(stream)
        assert repr(stream) == "Stream(GET /rooms/{room_id}/stream)"


async def test_async_after_the_end_there_is_no_next() -> None:
    with RawServer(done) as server:
        async with an_async_stream(server.url) as stream, stream:
            assert (await anext(stream)).content == "1"
            for _ in range(2):
                with pytest.raises(StopAsyncIteration):
                    await anext(stream)


def test_an_error_of_the_callback_closes_the_connection() -> None:
    def handler(connection: Connection) -> None:
        connection.head()
        connection.send(delta(1))

    def refuse(number: int, seconds: float) -> None:
        raise KeyError(number)

    with RawServer(handler) as server, a_stream(server.url, on_reconnect=refuse) as stream:
        with pytest.raises(KeyError), stream:
            list(stream)
        assert len(server.connections) == 1


async def test_async_leaving_the_block_closes_the_connection() -> None:
    with RawServer(endless) as server:
        async with an_async_stream(server.url) as stream:
            async with stream:
                assert (await anext(stream)).content == "1"
            assert await asyncio.to_thread(closed, server)
            assert [event async for event in stream] == []


async def test_async_breaking_the_loop_closes_the_connection_and_a_later_loop_goes_on() -> None:
    with RawServer(endless) as server:
        async with an_async_stream(server.url) as stream, stream:
            async for event in stream:
                if event.content == "3":
                    break
            assert await asyncio.to_thread(closed, server)
            assert stream.last_event_id == "3"
            texts = []
            async for event in stream:
                texts.append(event.content)
                if len(texts) == 5:
                    break
            assert texts == ["4", "5", "6", "7", "8"]
            assert server.connections[1].last_event_id in {b"3", b"4", b"5"}


async def test_async_an_error_of_the_loop_closes_the_connection() -> None:
    with RawServer(endless) as server:
        async with an_async_stream(server.url) as stream:

            async def read() -> None:
                async for _ in stream:
                    raise KeyError

            with pytest.raises(KeyError):
                await read()
            assert await asyncio.to_thread(closed, server)


async def test_cancelling_the_task_closes_the_connection() -> None:
    with RawServer(endless) as server:
        async with an_async_stream(server.url) as stream:
            seen = asyncio.Event()

            async def read() -> None:
                async for event in stream:
                    if event.content == "5":
                        seen.set()

            task = asyncio.create_task(read())
            await asyncio.wait_for(seen.wait(), 5)
            await asyncio.sleep(0)  # it now waits for what never comes
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await asyncio.to_thread(closed, server)


@pytest.mark.parametrize("steps", range(40))
async def test_cancelling_while_it_connects_leaves_nothing_open(steps: int) -> None:
    arrived, go_on = threading.Event(), threading.Event()

    def handler(connection: Connection) -> None:
        arrived.set()
        go_on.wait(5)
        connection.head()
        connection.send(delta(1))
        assert connection.wait_for_client_to_leave()

    with RawServer(handler) as server:
        async with an_async_stream(server.url) as stream:
            task = asyncio.create_task(stream.__aenter__())
            if steps >= 20:
                # The connection is made; the response comes while the task is being cancelled.
                await asyncio.to_thread(arrived.wait, 5)
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
            await asyncio.to_thread(
                eventually, lambda: all(connection.closed_by_client.is_set() for connection in server.connections)
            )


async def test_cancelling_while_it_waits_ends_the_wait() -> None:
    def handler(connection: Connection) -> None:
        connection.head()
        connection.send(b"retry: 60000\n\n" + delta(1))

    waiting = asyncio.Event()

    async def note(number: int, seconds: float) -> None:
        waiting.set()

    with RawServer(handler) as server:
        async with an_async_stream(server.url, on_reconnect=note) as stream:
            task = asyncio.create_task(anext(stream.raw()))
            await task
            task = asyncio.create_task(anext(stream.raw()))
            await asyncio.wait_for(waiting.wait(), 5)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task


async def test_a_stream_that_is_dropped_closes_its_connection() -> None:
    with RawServer(endless) as server:
        transport = AsyncCallTransport(AsyncTransport(trust_env=False), RULES)
        async with httpx.AsyncClient(base_url=server.url, transport=transport) as client:
            async for _ in AsyncStream[Any](client, KWARGS, "StreamEvent", policy=AT_ONCE):
                break
            gc.collect()
            assert await asyncio.to_thread(closed, server)
