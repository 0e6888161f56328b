"""Closing streams: by leaving the block, break, cancellation, garbage collection, other threads; and resuming."""

from __future__ import annotations

import asyncio
import threading
import time
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import httpx
import pytest

from interactor_ext.retry import RetryPolicy
from interactor_ext.streams._stream import AsyncStream, Stream
from interactor_ext.transports import AsyncTransport, Transport
from interactor_ext.transports._attempts import Rules
from interactor_ext.transports._retrying import AsyncCallTransport, CallTransport
from tests.support.scripted_server import Connection, RawServer
from tests.support.stream_reader import AT_ONCE, KWARGS
from tests.support.waiting import collect_garbage, eventually

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
    return server.connections[number].closed_by_client.wait(60)


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


def test_break_closes_the_connection_and_a_later_loop_resumes() -> None:
    with RawServer(endless) as server, a_stream(server.url) as stream, stream:
        for event in stream:
            if event.content == "3":
                break
        assert closed(server)
        assert stream.last_event_id == "3"
        # The rest of the bytes that were read, however many, then those of a new connection.
        assert [event.content for event, _ in zip(stream, range(5), strict=False)] == ["4", "5", "6", "7", "8"]
        assert server.connections[1].last_event_id in {b"3", b"4", b"5"}


def test_entering_opens_the_connection() -> None:
    with RawServer(endless) as server, a_stream(server.url) as stream:
        assert server.connections == []
        with stream:
            assert len(server.connections) == 1
        assert closed(server)


def done(connection: Connection) -> None:
    connection.head()
    connection.send(delta(1) + b"event: done\ndata: {}\n\n")


def test_next_after_the_end_raises_stop_iteration() -> None:
    with RawServer(done) as server, a_stream(server.url) as stream, stream:
        assert next(stream).content == "1"
        for _ in range(2):
            with pytest.raises(StopIteration):
                next(stream)
        assert repr(stream) == "Stream(GET /rooms/{room_id}/stream)"


async def test_async_next_after_the_end_raises_stop_async_iteration() -> None:
    with RawServer(done) as server:
        async with an_async_stream(server.url) as stream, stream:
            assert (await anext(stream)).content == "1"
            for _ in range(2):
                with pytest.raises(StopAsyncIteration):
                    await anext(stream)


def test_error_in_on_reconnect_closes_the_connection() -> None:
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


async def test_async_break_closes_the_connection_and_a_later_loop_resumes() -> None:
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


async def test_async_error_in_the_loop_body_closes_the_connection() -> None:
    with RawServer(endless) as server:
        async with an_async_stream(server.url) as stream, stream:

            async def read() -> None:
                async for _ in stream:
                    raise KeyError

            with pytest.raises(KeyError):
                await read()
            assert await asyncio.to_thread(closed, server)


async def test_cancelling_the_task_closes_the_connection() -> None:
    with RawServer(endless) as server:
        async with an_async_stream(server.url) as stream, stream:
            seen = asyncio.Event()

            async def read() -> None:
                async for event in stream:
                    if event.content == "5":
                        seen.set()

            task = asyncio.create_task(read())
            await asyncio.wait_for(seen.wait(), 60)
            await asyncio.sleep(0)  # it now waits for an event that never comes
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await asyncio.to_thread(closed, server)


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
        async with an_async_stream(server.url) as stream:
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
            await asyncio.to_thread(
                eventually, lambda: all(connection.closed_by_client.is_set() for connection in server.connections)
            )


async def test_cancelling_during_backoff_ends_the_wait() -> None:
    def handler(connection: Connection) -> None:
        connection.head()
        connection.send(b"retry: 60000\n\n" + delta(1))

    waiting = asyncio.Event()

    async def note(number: int, seconds: float) -> None:
        waiting.set()

    with RawServer(handler) as server:
        async with an_async_stream(server.url, on_reconnect=note) as stream, stream:
            task = asyncio.create_task(anext(stream.raw()))
            await task
            task = asyncio.create_task(anext(stream.raw()))
            await asyncio.wait_for(waiting.wait(), 60)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task


async def test_dropped_stream_closes_its_connection() -> None:
    with RawServer(endless) as server:
        transport = AsyncCallTransport(AsyncTransport(trust_env=False), RULES)
        async with httpx.AsyncClient(base_url=server.url, transport=transport) as client:
            async for _ in await AsyncStream[Any](client, KWARGS, "StreamEvent", policy=AT_ONCE).__aenter__():
                break
            collect_garbage()
            assert await asyncio.to_thread(closed, server)


def counting(connection: Connection) -> None:
    """An event every few milliseconds, from the last id on, until the client leaves."""
    connection.head()
    for number in range(int(connection.last_event_id or b"0") + 1, 100_000):
        connection.send(delta(number))
        time.sleep(0.001)


async def test_async_second_loop_takes_over_the_connection_of_the_first() -> None:
    """asyncio closes the generator of the first loop only when the second one is under way."""
    with RawServer(counting) as server:
        async with an_async_stream(server.url, max_reconnects=0) as stream, stream:
            seen: list[str] = []
            for upto in (3, 40, 41):
                async for event in stream:
                    seen.append(event.content)
                    if len(seen) == upto:
                        break
            async for event in stream:
                seen.append(event.content)
                break
            seen += [(await anext(stream)).content for _ in range(20)]
            assert seen == [str(number) for number in range(1, 63)]
            assert (stream.reconnects, len(server.connections)) == (0, 1)


def test_closing_a_loop_does_not_close_the_connection_of_the_next() -> None:
    with RawServer(counting) as server, a_stream(server.url, max_reconnects=0) as stream, stream:
        first = iter(stream)
        assert next(first).content == "1"
        second = iter(stream)
        assert next(second).content == "2"
        first.close()
        assert next(second).content == "3"
        assert len(server.connections) == 1


def on_demand(connection: Connection) -> None:
    """Events 1 and 2 at once; 3 and the end when the test says so."""
    connection.head()
    connection.send(delta(1) + delta(2))
    assert GO.wait(60)
    connection.send(delta(3) + b"event: done\ndata: {}\n\n")


GO = threading.Event()


async def test_wait_for_timeout_on_an_event_keeps_the_connection() -> None:
    GO.clear()
    with RawServer(on_demand) as server:
        async with an_async_stream(server.url, max_reconnects=0) as stream, stream:
            seen: list[str] = []
            limits = 0
            while True:
                if limits == 10:
                    GO.set()
                try:
                    seen.append((await asyncio.wait_for(anext(stream), 0.01)).content)
                except TimeoutError:
                    limits += 1
                except StopAsyncIteration:
                    break
            assert (seen, stream.reconnects, len(server.connections)) == (["1", "2", "3"], 0, 1)


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
        stream_of = an_async_stream(server.url, on_reconnect=lambda number, seconds: told.append(number))
        async with stream_of as stream, stream:
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


@pytest.mark.parametrize("packed", [False, True])
def test_close_in_another_thread_ends_reading(packed: bool) -> None:
    def handler(connection: Connection) -> None:
        if packed:
            connection.head(200, "Content-Encoding: gzip")
            packer = zlib.compressobj(wbits=31)
            connection.send(packer.compress(delta(1)) + packer.flush(zlib.Z_SYNC_FLUSH))
        else:
            connection.head()
            connection.send(delta(1))
        assert connection.wait_for_client_to_leave()

    with RawServer(handler) as server, a_stream(server.url) as stream, stream:
        seen: list[str] = []
        waiting = threading.Event()

        def read() -> None:
            for event in stream:
                seen.append(event.content)
                waiting.set()
            seen.append("the end")

        thread = threading.Thread(target=read, daemon=True)
        thread.start()
        assert waiting.wait(60)
        eventually(lambda: stream._readers)
        stream.close()
        thread.join(60)
        assert seen == ["1", "the end"]
        assert closed(server)
        assert (list(stream), stream.reconnects, len(server.connections)) == ([], 0, 1)


def test_close_in_another_thread_ends_backoff_and_connecting() -> None:
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

    def read(stream: Stream[Any], seen: list[Any]) -> None:
        with stream:
            seen.extend([*stream, "the end"])

    arrived, go_on, waiting = threading.Event(), threading.Event(), threading.Event()
    with RawServer(handler) as server:
        for until in (waiting, arrived):
            with a_stream(server.url, on_reconnect=lambda number, seconds: waiting.set()) as stream:
                seen: list[Any] = []
                thread = threading.Thread(target=read, args=(stream, seen), daemon=True)
                thread.start()
                assert until.wait(60)
                stream.close()
                if until is arrived:
                    go_on.set()
                thread.join(60)
                assert seen == ["the end"]
        assert closed(server, 1)
        assert len(server.connections) == 2


async def test_aclose_in_another_task_ends_reading() -> None:
    with RawServer(endless) as server:
        async with an_async_stream(server.url) as stream, stream:
            seen: list[str] = []

            note = seen.append

            async def read() -> None:
                async for event in stream:
                    note(event.content)

            task = asyncio.create_task(read())
            await until(lambda: len(seen) == 5)
            await stream.aclose()
            await asyncio.wait_for(task, 60)
            assert seen == ["1", "2", "3", "4", "5"]
            assert await asyncio.to_thread(closed, server)
            assert (stream.reconnects, len(server.connections)) == (0, 1)


async def test_aclose_in_another_task_ends_backoff_and_connecting() -> None:
    async def read(stream: AsyncStream[Any]) -> list[Any]:
        async with stream:
            return [event async for event in stream]

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

    arrived, go_on, waiting = threading.Event(), threading.Event(), threading.Event()
    with RawServer(handler) as server:
        for event in (waiting, arrived):
            async with an_async_stream(server.url, on_reconnect=lambda number, seconds: waiting.set()) as stream:
                task = asyncio.create_task(read(stream))
                await until(event.is_set)
                await stream.aclose()
                if event is arrived:
                    go_on.set()
                assert await asyncio.wait_for(task, 60) == []
        assert await asyncio.to_thread(closed, server, 1)
        assert len(server.connections) == 2


@pytest.mark.parametrize("turns", range(6))
async def test_second_cancellation_during_close_leaves_no_connection_open(turns: int) -> None:
    with RawServer(endless) as server:
        async with an_async_stream(server.url) as stream:
            seen: list[str] = []
            note = seen.append

            async def read() -> None:
                async with stream:
                    async for event in stream:
                        note(event.content)

            task = asyncio.create_task(read())
            await until(lambda: len(seen) == 5)
            task.cancel()
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
            assert await asyncio.to_thread(closed, server)


async def test_stream_dropped_between_two_events_closes_its_connection() -> None:
    with RawServer(endless) as server:
        transport = AsyncCallTransport(AsyncTransport(trust_env=False), RULES)
        async with httpx.AsyncClient(base_url=server.url, transport=transport) as client:
            stream = await AsyncStream[Any](client, KWARGS, "StreamEvent", policy=AT_ONCE).__aenter__()
            assert (await anext(stream)).content == "1"
            del stream
            collect_garbage()
            assert await asyncio.to_thread(closed, server)


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
        async with an_async_stream(server.url) as stream:
            async with stream:
                await anext(stream)
                before = -1
                while before != sent:
                    before = sent
                    await asyncio.sleep(0.2)
                assert sent < 1000
            await until(lambda: server.connections[0].closed_by_client.is_set())


async def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.002)


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

    async with httpx.AsyncClient(base_url="http://localhost", transport=httpx.MockTransport(respond)) as client:
        stream: AsyncStream[Any] = AsyncStream(client, KWARGS, "StreamEvent", policy=AT_ONCE)
        await stream.__aenter__()
        reading = asyncio.ensure_future(anext(stream, None))
        await is_closing.wait()
        await asyncio.wait_for(stream.aclose(), 30)
        assert await asyncio.wait_for(reading, 30) is None


def test_interrupt_before_an_action_leaves_no_connection_open() -> None:
    class Interrupted(dict[None, int]):
        def setdefault(self, *arguments: Any) -> Any:
            super().setdefault(*arguments)
            raise KeyboardInterrupt

    transport = Transport(trust_env=False)
    with (
        RawServer(endless) as server,
        httpx.Client(base_url=server.url, transport=CallTransport(transport, RULES)) as client,
    ):
        stream: Stream[Any] = Stream(client, KWARGS, "StreamEvent", policy=AT_ONCE)
        stream.__enter__()
        stream._readers = Interrupted()
        with pytest.raises(KeyboardInterrupt):
            next(stream)
        stream.close()
        assert transport.connections().open == 0
