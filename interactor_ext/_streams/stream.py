"""The streams of events, in both colours: thin loops that do what `StreamState` decides."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator
from types import TracebackType
from typing import Self, TypeVar

import httpx

from interactor_ext._streams.events import Received
from interactor_ext._streams.shared import BROKEN, Gap, SharedStream, as_sent
from interactor_ext._streams.state import Connect, End, Read, Wait
from interactor_ext.sse import ServerSentEvent

E = TypeVar("E")
T = TypeVar("T")


class Stream(SharedStream[E]):
    """The events of one room or workflow instance as they happen: a context manager and an iterator.

    It connects on entering, and again by itself when the connection breaks, is silent for 45 seconds, or ends without
    a `done`; what the server can replay is not lost, and no event comes twice. Leaving the block or a `for` loop closes
    the connection at once; a later loop goes on after the last event.

    Raises, on entering or on iterating:
        StreamError: an `error` event came, or the stream cannot be resumed.
        APIStatusError, APIConnectionError: it cannot be opened.
        APITimeoutError: the deadline has come.
        ResponseValidationError: an event does not fit its model; iterating again goes on after it.
    """

    _chunks: Iterator[bytes]

    def __enter__(self) -> Self:
        self._arrive()
        self._raise_if_failed()
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None, /
    ) -> None:
        self.close()

    def __iter__(self) -> Generator[E, None, None]:
        return self._loop(self._reader.model)

    def __next__(self) -> E:
        event = self._take()
        if event is None:
            raise StopIteration
        model: E = self._reader.model(event)
        return model

    def raw(self) -> Generator[ServerSentEvent, None, None]:
        """The same events as they were sent: by type, text and id."""
        return self._loop(as_sent)

    def close(self) -> None:
        """End the stream. Iterating gives nothing from then on."""
        self._state.ready.clear()
        self._state.finished()
        self._hang_up()

    def _loop(self, decode: Callable[[Received], T]) -> Generator[T, None, None]:
        try:
            while (event := self._take()) is not None:
                yield decode(event)
        finally:
            # Also where the caller breaks the loop: the generator is then closed at once.
            self._hang_up()

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
        while not self._state.ready and isinstance(self._state.action, Read):
            self._read()
        if not self._state.ready and not isinstance(self._state.action, End):
            self._arrive()
            if isinstance(self._state.action, Read):
                return Gap.GAP
        event = self._take()
        return None if event is None else self._reader.model(event)

    def _arrive(self) -> None:
        while not isinstance(self._state.action, Read | End):
            self._approach()

    def _approach(self) -> None:
        match self._state.action:
            case Connect(headers):
                self._connect(headers)
            case Wait(seconds, number):
                if self._on_reconnect is not None:
                    self._on_reconnect(number, seconds)
                time.sleep(seconds)
                self._state.woken()

    def _connect(self, headers: dict[str, bytes]) -> None:
        try:
            response = self._response = self._client.send(self._request(headers), stream=True)
            if self._opened(response):
                self._chunks = _chunks(response)
            else:
                response.read()
                self._refused(response)
        except BROKEN as error:
            self._broke(error)
        if not isinstance(self._state.action, Read):
            self._hang_up()

    def _read(self) -> None:
        try:
            chunk = next(self._chunks, None)
        except BROKEN as error:
            self._broke(error)
        else:
            self._came(chunk)
        if not isinstance(self._state.action, Read):
            self._hang_up()

    def _hang_up(self) -> None:
        response = self._let_go()
        if response is not None:
            response.close()


class AsyncStream(SharedStream[E]):
    """`Stream` for asyncio: `async with`, `async for`. A task that is cancelled closes the connection as well.

    `on_reconnect` may be a coroutine function.
    """

    _chunks: AsyncIterator[bytes]

    async def __aenter__(self) -> Self:
        await self._arrive()
        self._raise_if_failed()
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None, /
    ) -> None:
        await self.aclose()

    def __aiter__(self) -> AsyncGenerator[E, None]:
        return self._loop(self._reader.model)

    async def __anext__(self) -> E:
        event = await self._take()
        if event is None:
            raise StopAsyncIteration
        model: E = self._reader.model(event)
        return model

    def raw(self) -> AsyncGenerator[ServerSentEvent, None]:
        """The same events as they were sent: by type, text and id."""
        return self._loop(as_sent)

    async def aclose(self) -> None:
        """End the stream. Iterating gives nothing from then on."""
        self._state.ready.clear()
        self._state.finished()
        await self._hang_up()

    async def _loop(self, decode: Callable[[Received], T]) -> AsyncGenerator[T, None]:
        try:
            while (event := await self._take()) is not None:
                yield decode(event)
        finally:
            # Also where the caller breaks the loop: asyncio closes the generator as soon as nobody holds it.
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
        while not self._state.ready and isinstance(self._state.action, Read):
            await self._read()
        if not self._state.ready and not isinstance(self._state.action, End):
            await self._arrive()
            if isinstance(self._state.action, Read):
                return Gap.GAP
        event = await self._take()
        return None if event is None else self._reader.model(event)

    async def _arrive(self) -> None:
        while not isinstance(self._state.action, Read | End):
            await self._approach()

    async def _approach(self) -> None:
        match self._state.action:
            case Connect(headers):
                await self._connect(headers)
            case Wait(seconds, number):
                if self._on_reconnect is not None:
                    result = self._on_reconnect(number, seconds)
                    if inspect.isawaitable(result):
                        await result
                await asyncio.sleep(seconds)
                self._state.woken()

    async def _connect(self, headers: dict[str, bytes]) -> None:
        try:
            async with self._in_time():
                response = self._response = await self._client.send(self._request(headers), stream=True)
                if self._opened(response):
                    self._chunks = _async_chunks(response)
                else:
                    await response.aread()
                    self._refused(response)
        except BROKEN as error:
            self._broke(error)
        if not isinstance(self._state.action, Read):
            await self._hang_up()

    async def _read(self) -> None:
        try:
            if self._deadline is None:
                chunk = await anext(self._chunks, None)
            else:
                async with self._in_time():
                    chunk = await anext(self._chunks, None)
        except BROKEN as error:
            self._broke(error)
        else:
            self._came(chunk)
        if not isinstance(self._state.action, Read):
            await self._hang_up()

    def _in_time(self) -> asyncio.Timeout:
        return asyncio.timeout(None if self._deadline is None else max(0.0, self._deadline - time.monotonic()))

    async def _hang_up(self) -> None:
        response = self._let_go()
        if response is not None:
            await response.aclose()


def _chunks(response: httpx.Response) -> Iterator[bytes]:
    if "content-encoding" in response.headers:
        return response.iter_bytes()
    # What iter_raw counts and regroups costs more than the events themselves.
    assert isinstance(response.stream, httpx.SyncByteStream)
    return iter(response.stream)


def _async_chunks(response: httpx.Response) -> AsyncIterator[bytes]:
    if "content-encoding" in response.headers:
        return response.aiter_bytes()
    assert isinstance(response.stream, httpx.AsyncByteStream)
    return aiter(response.stream)
