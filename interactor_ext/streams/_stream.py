"""The streams of events, sync and async: thin loops that do what `StreamState` decides."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import socket
import threading
import time
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from types import TracebackType
from typing import Self, TypeVar

import httpx

from interactor_ext.sse import ServerSentEvent
from interactor_ext.streams._chunks import BROKEN, ReadAhead, chunks_of
from interactor_ext.streams._events import Received
from interactor_ext.streams._shared import Gap, SharedStream, as_sent, two_readers
from interactor_ext.streams._state import Connect, End, Read, Wait
from interactor_ext.transports._closer import close_later, start_closer
from interactor_ext.transports._interrupts import interrupt_behind
from interactor_ext.transports._waiters import ThreadWaiter, require_asyncio

E = TypeVar("E")
T = TypeVar("T")


class Stream(SharedStream[E]):
    """The events of one room or workflow instance as they happen: a context manager and an iterator.

    It connects on entering, and again by itself when the connection breaks, is silent for 45 seconds, or ends without
    a `done`; what the server can replay is not lost, and no event comes twice. Leaving the block closes the connection
    at once, and so does leaving a `for` loop, where a thread of its own closes it; a later loop goes on after the last
    event. One thread at a time reads a stream; any thread may close it.

    Raises, on entering or on iterating:
        StreamError: an `error` event came, or the stream cannot be resumed.
        APIStatusError, APIConnectionError: it cannot be opened.
        APITimeoutError: the deadline has come.
        ResponseValidationError: an event does not fit its model; iterating again goes on after it.
        ConfigurationError: it is iterated without having been entered.
    """

    def _set_up(self) -> None:
        self._response: httpx.Response | None = None
        self._chunks: Iterator[bytes] = iter(())
        self._is_reading = False
        self._waiter = ThreadWaiter()
        self._readers: dict[None, int] = {}  # the thread that reads

    def __enter__(self) -> Self:
        self._is_entered = True
        start_closer()
        try:
            self._arrive()
        except BaseException:
            self._hang_up()
            raise
        self._raise_if_failed()
        self._is_anew = False
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None, /
    ) -> None:
        if exc_type is GeneratorExit:  # a generator around the block was left early, maybe by the garbage collector
            close_later(self.close)
        else:
            self.close()

    def __iter__(self) -> Generator[E, None, None]:
        self._require_entered("with")
        return self._loop(self._reader.model)

    def __next__(self) -> E:
        self._require_entered("with")
        event = self._take()
        if event is None:
            raise StopIteration
        model: E = self._reader.model(event)
        return model

    def raw(self) -> Generator[ServerSentEvent, None, None]:
        """The same events as they were sent: by type, text and id."""
        self._require_entered("with")
        return self._loop(as_sent)

    def close(self) -> None:
        """End the stream. Iterating gives nothing from then on; a thread that waits for an event is woken."""
        self._state.closed()
        self._waiter.wake()
        if not self._is_reading:
            self._hang_up()
        elif self._response is not None:
            # Another thread waits for bytes. It is woken, and closes what is its own.
            _wake_reader(self._response)

    def _loop(self, decode: Callable[[Received], T]) -> Generator[T, None, None]:
        me = self._owner = object()
        hang_up = self._hang_up
        try:
            while (event := self._take()) is not None:
                yield decode(event)
        except GeneratorExit:  # by `break`, or by the garbage collector, and nobody can tell which
            hang_up = self._hang_up_later
            raise
        finally:
            # If another loop has taken over meanwhile, the connection is that one's.
            if self._owner is me:
                hang_up()

    def _take(self) -> Received | None:
        state = self._state
        while not state.ready:
            if isinstance(state.action, Read):
                self._read()
            elif isinstance(state.action, End):
                self._raise_if_failed()
                return None
            else:
                self._approach()
        return self._hand_out()

    def next_or_gap(self) -> E | Gap | None:
        """The next event, or None at the end; GAP each time it has connected again, before it waits for an event."""
        while not self._state.ready and not isinstance(self._state.action, End):
            if not isinstance(self._state.action, Read):
                self._approach()
            elif self._is_anew:
                self._is_anew = False
                return Gap.GAP
            else:
                self._read()
        event = self._take()
        return None if event is None else self._reader.model(event)

    def _arrive(self) -> None:
        while not isinstance(self._state.action, Read | End):
            self._approach()

    def _approach(self) -> None:
        self._require_only_reader()
        try:
            match self._state.action:
                case Connect(headers):
                    self._connect(headers)
                case Wait(seconds, number, until):
                    self._announced(number, seconds)
                    self._waiter.wait(max(0.0, until - time.monotonic()))
                    self._state.woken()
        finally:
            self._readers.clear()

    def _require_only_reader(self) -> None:
        """Who returns from it is the only one until it clears `_readers`."""
        me = threading.get_ident()
        if self._readers.setdefault(None, me) != me:
            raise two_readers()

    def _connect(self, headers: dict[str, bytes]) -> None:
        try:
            response = self._response = self._client.send(self._request(headers), stream=True)
            if self._opened(response):
                self._chunks = chunks_of(response)
            else:
                response.read()
                self._refused(response)
        except BROKEN as error:
            self._broke_unless_interrupted(error)
        if not isinstance(self._state.action, Read):
            self._hang_up()

    def _read(self) -> None:
        self._require_only_reader()
        # First this and then the look: `close` does it the other way round, so one of the two sees the other.
        self._is_reading = True
        try:
            chunk = next(self._chunks, None) if isinstance(self._state.action, Read) else None
        except BROKEN as error:
            self._broke_unless_interrupted(error)
        else:
            self._came(chunk)
        finally:
            self._is_reading = False
            self._readers.clear()
        if not isinstance(self._state.action, Read):
            self._hang_up()

    def _broke_unless_interrupted(self, error: Exception) -> None:
        if (interrupt := interrupt_behind(error)) is not None:
            self._hang_up()
            raise interrupt from interrupt.__cause__
        self._broke(error)

    def _hang_up(self) -> None:
        self._detach()()

    def _hang_up_later(self) -> None:
        """Neither waits nor takes a lock."""
        close_later(self._detach())

    def _detach(self) -> Callable[[], None]:
        """A later loop opens a connection of its own from here on. Returns what closes this one."""
        tell = self._let_go()
        response, self._response = self._response, None

        def close() -> None:
            tell()
            if response is not None:
                response.close()

        return close


class AsyncStream(SharedStream[E]):
    """`Stream` for asyncio: `async with`, `async for`. A task that is cancelled closes the connection as well.

    A time limit on one event, as in `asyncio.wait_for(anext(stream), 5)`, costs neither the connection nor an event.
    `on_reconnect` may be a coroutine function.
    """

    def _set_up(self) -> None:
        self._connecting: asyncio.Task[None] | None = None
        self._connection: ReadAhead | None = None
        self._closed = asyncio.Event()

    async def __aenter__(self) -> Self:
        require_asyncio()
        self._is_entered = True
        try:
            await self._arrive()
        except BaseException:
            await self._hang_up()
            raise
        self._raise_if_failed()
        self._is_anew = False
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None, /
    ) -> None:
        await self.aclose()

    def __aiter__(self) -> AsyncGenerator[E, None]:
        self._require_entered("async with")
        return self._loop(self._reader.model)

    async def __anext__(self) -> E:
        self._require_entered("async with")
        self._owner = None
        event = await self._take()
        if event is None:
            raise StopAsyncIteration
        model: E = self._reader.model(event)
        return model

    def raw(self) -> AsyncGenerator[ServerSentEvent, None]:
        """The same events as they were sent: by type, text and id."""
        self._require_entered("async with")
        return self._loop(as_sent)

    async def aclose(self) -> None:
        """End the stream. Iterating gives nothing from then on; a task that waits for an event is woken."""
        self._state.closed()
        self._closed.set()
        await self._hang_up()

    async def _loop(self, decode: Callable[[Received], T]) -> AsyncGenerator[T, None]:
        me = self._owner = object()
        try:
            while (event := await self._take()) is not None:
                yield decode(event)
        finally:
            # Also where the caller breaks the loop: asyncio closes the generator soon after nobody holds it. If
            # another loop has taken over by then, the connection is that one's.
            if self._owner is me:
                await self._hang_up()

    async def _take(self) -> Received | None:
        state = self._state
        while not state.ready:
            if isinstance(state.action, Read):
                await self._read()
            elif isinstance(state.action, End):
                self._raise_if_failed()
                return None
            else:
                await self._approach()
        return self._hand_out()

    async def next_or_gap(self) -> E | Gap | None:
        """The next event, or None at the end; GAP each time it has connected again, before it waits for an event."""
        while not self._state.ready and not isinstance(self._state.action, End):
            if not isinstance(self._state.action, Read):
                await self._approach()
            elif self._is_anew:
                self._is_anew = False
                return Gap.GAP
            else:
                await self._read()
        event = await self._take()
        return None if event is None else self._reader.model(event)

    async def _arrive(self) -> None:
        while not isinstance(self._state.action, Read | End):
            await self._approach()

    async def _approach(self) -> None:
        match self._state.action:
            case Connect(headers):
                # A task of its own, as with reading: with a limit on each wait it might never be done otherwise.
                task = self._connecting = self._connecting or asyncio.create_task(self._connect(headers))
                await asyncio.wait([task])
                self._connecting = None
                if not task.cancelled():
                    task.result()
            case Wait(seconds, number, until):
                result = self._announced(number, seconds)
                if inspect.isawaitable(result):
                    await result
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(max(0.0, until - time.monotonic())):
                        await self._closed.wait()
                self._state.woken()

    async def _connect(self, headers: dict[str, bytes]) -> None:
        try:
            async with self._in_time():
                response = await self._client.send(self._request(headers), stream=True)
                if self._opened(response):
                    self._connection = ReadAhead(response)
                else:
                    try:
                        await response.aread()
                    finally:
                        await response.aclose()
                    self._refused(response)
        except BROKEN as error:
            self._broke(error)
        if not isinstance(self._state.action, Read):
            await self._disconnect()

    async def _read(self) -> None:
        connection = self._connection
        assert connection is not None
        try:
            chunk = connection.take() or await self._next(connection)
        except BROKEN as error:
            self._broke(error)
        else:
            self._came(chunk)
        if not isinstance(self._state.action, Read):
            await self._hang_up()

    async def _next(self, connection: ReadAhead) -> bytes | None:
        if self._deadline is None:
            return await connection.next()
        async with self._in_time():
            return await connection.next()

    def _in_time(self) -> asyncio.Timeout:
        return asyncio.timeout(None if self._deadline is None else max(0.0, self._deadline - time.monotonic()))

    async def _hang_up(self) -> None:
        connecting, self._connecting = self._connecting, None
        if connecting is not None and not connecting.done():
            connecting.cancel()
            await asyncio.wait([connecting])
        await self._disconnect()

    async def _disconnect(self) -> None:
        self._let_go()()
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.aclose()


def _wake_reader(response: httpx.Response) -> None:
    stream = response.extensions.get("network_stream")
    if stream is None:  # of a transport that is none of httpx's
        response.close()
        return
    with contextlib.suppress(OSError):  # it is closed already
        stream.get_extra_info("socket").shutdown(socket.SHUT_RDWR)
