"""The event streams, sync and async: loops that do the actions of `StreamState` and hold the open response."""

from __future__ import annotations

import contextlib
import functools
import inspect
import math
import operator
import socket
import threading
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from typing import TYPE_CHECKING, Self, TypeVar

import httpx

from interactor_ext._engine.call import Call
from interactor_ext._engine.errors import ResponseValidationError
from interactor_ext._engine.fork import fork_safe_lock
from interactor_ext._engine.lazy import asyncio
from interactor_ext._engine.network.sync_connection import SyncConnection
from interactor_ext._engine.responses.connection_error import interrupt_behind
from interactor_ext._engine.sse import ServerSentEvent
from interactor_ext._engine.streams import read_ahead
from interactor_ext._engine.streams.base import BROKEN, BaseStream, Gap, two_readers
from interactor_ext._engine.streams.events import AsyncEvents, Events, Received
from interactor_ext._engine.streams.state import Action, Backoff, Connect, Receive
from interactor_ext._engine.waiting import NO_ASYNC_WITH, NO_WITH, TaskWaiter, ThreadWaiter, require_asyncio
from interactor_ext._engine.waiting.closer import close_later, start_closer

if TYPE_CHECKING:
    from interactor_ext._engine.telemetry_events import DisconnectReason

E = TypeVar("E")
T = TypeVar("T")
_AS_SENT: Callable[[Received], ServerSentEvent] = operator.attrgetter("sent")


class Stream(BaseStream[E]):
    """The events of one room or workflow instance as they happen: a context manager and an iterator.

    It connects on entering, and reconnects by itself when the connection breaks, is silent for 45 seconds, or ends
    without a `done`. No event that the server can replay is lost, and none with an id comes twice. Leaving the block
    closes the connection at once, and so does leaving a `for` loop, in a separate thread; a later loop continues after
    the last event. Only one thread at a time may read a stream; any thread may close it.

    An `error` event is an event like any other, and the stream continues.

    Raises, on entering or iterating:
        StreamError: the stream can't be resumed, or isn't readable: it has another content type, or is compressed.
        APIStatusError, APIConnectionError: it can't be opened.
        APITimeoutError: the deadline has passed.
        ResponseValidationError: an event doesn't fit its model, and there is no `on_invalid`. Iterating again continues
            after it, over the same connection.
        ConfigurationError: it is iterated without having been entered.
    """

    def _set_up(self) -> None:
        self._response: httpx.Response | None = None
        self._chunks: Iterator[bytes] = iter(())
        self._waiter = ThreadWaiter()
        self._lock = fork_safe_lock()
        self._reader_thread: int | None = None  # the thread that is doing an action

    __aenter__ = NO_ASYNC_WITH

    def __enter__(self) -> Self:
        self._is_entered = True
        start_closer()
        try:
            for action in self._actions(until_connected=True):
                self._do(action)
        except BaseException:
            self._disconnect()
            raise
        self._opened()
        return self

    def __exit__(self, exc_type: type[BaseException] | None, *_: object) -> None:
        if exc_type is GeneratorExit:  # a generator around the block was closed early, maybe by the garbage collector
            close_later(self.close)
        else:
            self.close()

    def __iter__(self) -> Events[E]:
        return self._events(self._reader.model)

    def __next__(self) -> E:
        self._require_entered("with")
        model: E = self._next(None, self._reader.model)
        return model

    def raw(self) -> Events[ServerSentEvent]:
        """The same events, undecoded: type, text and id."""
        return self._events(_AS_SENT)

    def next_or_gap(self) -> E | Gap | ResponseValidationError | None:
        """Return the next event, the error of one that doesn't fit its model, or None at the end. Returns GAP after
        each reconnect, before waiting for an event.
        """
        for action in self._actions(until_connected=True):
            self._do(action)
        return self._hand_out_or_gap()

    def end_by(self, ends_at: float | None) -> None:
        super().end_by(ends_at)
        if self._response is not None:
            Call.of(self._response.request).wait_ends_at = math.inf if ends_at is None else ends_at

    def close(self) -> None:
        """End the stream. Iterating yields nothing more; a thread that waits for an event is woken."""
        self._state.closed()
        self._waiter.wake()
        if self._reader_thread is None:
            self._disconnect()
        elif self._response is not None:
            # Another thread is waiting for bytes. It is woken and closes the connection.
            _wake_reader(self._response)

    def _events(self, decode: Callable[[Received], T]) -> Events[T]:
        self._require_entered("with")
        return Events(self._next, self._leave, decode)

    def _next(self, owner: object, decode: Callable[[Received], T]) -> T:
        self._owner = owner
        while True:
            ready = self._state.ready
            try:
                event = ready.popleft() if ready else None  # calling `_hand_out` would make each event 3 % slower
            except IndexError:  # another reader took it, as in `_hand_out`
                event = None
            if event is None:
                for action in self._actions():
                    self._do(action)
                event = self._hand_out()
                if event is None:
                    raise StopIteration
            else:
                self._last_event_id = event.sent.id
            try:
                return decode(event)
            except ResponseValidationError as error:
                self._refuse(error)

    def _leave(self, owner: object) -> None:
        # After a `break`, or in the garbage collector, where nothing may wait. If another loop has taken over in the
        # meantime, the connection belongs to that one.
        if self._owner is owner:
            self._owner = None
            close_later(self._detach())

    def _do(self, action: Action) -> None:
        me = threading.get_ident()
        try:
            with self._lock:
                if self._reader_thread not in (None, me):
                    raise two_readers()
                self._reader_thread = me
            match action:
                case Connect(headers):
                    self._connect(headers)
                case Receive():
                    self._receive()
                case Backoff(seconds, number, until):
                    self._announce(number, seconds)
                    self._client_closing.wait(max(0.0, until - time.monotonic()), self._waiter)
                    self._state.woken()
        finally:
            if self._reader_thread == me:
                self._reader_thread = None
        if not isinstance(self._state.action, Receive):
            self._disconnect()

    def _connect(self, headers: dict[str, bytes]) -> None:
        try:
            response = self._response = self._client.send(self._request(headers), stream=True)
            if response.is_success:
                assert isinstance(response.stream, httpx.SyncByteStream)
                self.end_by(self._state.deadline)
                # iter_raw's counting and regrouping costs more than the events themselves.
                self._chunks = iter(response.stream)
            else:
                response.read()
            self._on_response(response)
        except BROKEN as error:
            self._on_failure_unless_interrupted(error)

    def _receive(self) -> None:
        # The action is read after this thread is noted as the reader; `close` does the two in reverse order, so one
        # side sees the other.
        try:
            chunk = next(self._chunks, None) if isinstance(self._state.action, Receive) else None
        except BROKEN as error:
            self._on_failure_unless_interrupted(error)
        else:
            self._on_chunk(chunk)

    def _on_failure_unless_interrupted(self, error: Exception) -> None:
        if (interrupt := interrupt_behind(error)) is not None:
            self._disconnect()
            raise interrupt from interrupt.__cause__
        self._on_failure(error)

    def _disconnect(self) -> None:
        self._detach()()

    def _detach(self) -> Callable[[], None]:
        """Forget the connection. Returns what closes it."""
        reason = self._disconnected()
        response, self._response = self._response, None
        return functools.partial(self._close, reason, response)

    def _close(self, reason: DisconnectReason | None, response: httpx.Response | None) -> None:
        self._report_end(reason)
        if response is not None:
            response.close()


class AsyncStream(BaseStream[E]):
    """`Stream` for asyncio: `async with`, `async for`. A cancelled task closes the connection as well.

    A time limit on one event, as in `asyncio.wait_for(anext(stream), 5)`, loses neither the connection nor an event,
    and neither does one on `anext` of `aiter(stream)` or `raw()`. `on_reconnect` and `on_invalid` may be coroutine
    functions.
    """

    _awaits_callbacks = True

    def _set_up(self) -> None:
        self._connecting: asyncio.Task[None] | None = None
        self._connection: read_ahead.ReadAhead | None = None
        self._waiter: TaskWaiter | None = None

    __enter__ = NO_WITH

    async def __aenter__(self) -> Self:
        require_asyncio()
        self._waiter = TaskWaiter()
        self._is_entered = True
        try:
            for action in self._actions(until_connected=True):
                await self._do(action)
        except BaseException:
            await self._cancel_and_disconnect()
            raise
        self._opened()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def __aiter__(self) -> AsyncEvents[E]:
        return self._events(self._reader.model)

    async def __anext__(self) -> E:
        self._require_entered("async with")
        model: E = await self._next(None, self._reader.model)
        return model

    def raw(self) -> AsyncEvents[ServerSentEvent]:
        """The same events, undecoded: type, text and id."""
        return self._events(_AS_SENT)

    async def next_or_gap(self) -> E | Gap | ResponseValidationError | None:
        """Return the next event, the error of one that doesn't fit its model, or None at the end. Returns GAP after
        each reconnect, before waiting for an event.
        """
        for action in self._actions(until_connected=True):
            await self._do(action)
        return self._hand_out_or_gap()

    async def aclose(self) -> None:
        """End the stream. Iterating yields nothing more; a task that waits for an event is woken."""
        self._state.closed()
        if self._waiter is not None:
            self._waiter.wake()
        await self._cancel_and_disconnect()

    def _events(self, decode: Callable[[Received], T]) -> AsyncEvents[T]:
        self._require_entered("async with")
        me = object()
        return AsyncEvents(functools.partial(self._next, me, decode), self._guard(me))

    async def _next(self, owner: object, decode: Callable[[Received], T]) -> T:
        self._owner = owner
        while True:
            if not self._state.ready:
                for action in self._actions():
                    await self._do(action)
            event = self._hand_out()
            if event is None:
                raise StopAsyncIteration
            try:
                return decode(event)
            except ResponseValidationError as error:
                if inspect.isawaitable(result := self._refuse(error)):
                    await result

    async def _guard(self, owner: object) -> AsyncGenerator[None, None]:
        try:
            while True:
                yield
        finally:
            # Also after a `break`: asyncio closes the generator soon after it is dropped. If another loop has taken
            # over by then, the connection belongs to that one.
            if self._owner is owner:
                await self._cancel_and_disconnect()

    async def _do(self, action: Action) -> None:
        match action:
            case Connect(headers):
                # In its own task, like reading; with a time limit on each event, it might otherwise never finish.
                task = self._connecting = self._connecting or asyncio.create_task(self._connect(headers))
                await asyncio.wait([task])
                self._connecting = None
                if not task.cancelled():
                    task.result()
            case Receive():
                await self._receive()
            case Backoff(seconds, number, until):
                result = self._announce(number, seconds)
                if inspect.isawaitable(result):
                    await result
                await self._client_closing.wait_async(max(0.0, until - time.monotonic()), self._waiter)
                self._state.woken()

    async def _connect(self, headers: dict[str, bytes]) -> None:
        try:
            async with self._deadline_timeout():
                response = await self._client.send(self._request(headers), stream=True)
                if response.is_success:
                    self._connection = read_ahead.ReadAhead(response)
                else:
                    try:
                        await response.aread()
                    finally:
                        await response.aclose()
                self._on_response(response)
        except BROKEN as error:
            self._on_failure(error)
        if not isinstance(self._state.action, Receive):
            await self._disconnect()

    async def _receive(self) -> None:
        assert self._connection is not None
        try:
            async with self._deadline_timeout():
                chunk = await self._connection.next()
        except BROKEN as error:
            self._on_failure(error)
        else:
            self._on_chunk(chunk)
        if not isinstance(self._state.action, Receive):
            await self._cancel_and_disconnect()

    def _deadline_timeout(self) -> asyncio.Timeout:
        ends_at = self._state.deadline
        return asyncio.timeout(None if ends_at is None else max(0.0, ends_at - time.monotonic()))

    async def _cancel_and_disconnect(self) -> None:
        connecting, self._connecting = self._connecting, None
        if connecting is not None and not connecting.done():
            connecting.cancel()
            await asyncio.wait([connecting])
        await self._disconnect()

    async def _disconnect(self) -> None:
        self._report_end(self._disconnected())
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.aclose()


def _wake_reader(response: httpx.Response) -> None:
    stream = response.extensions.get("network_stream")
    if isinstance(stream, SyncConnection):
        stream.shut_down()
        return
    if stream is None:  # from a transport other than httpx's
        response.close()
        return
    with contextlib.suppress(OSError):  # already closed
        stream.get_extra_info("socket").shutdown(socket.SHUT_RDWR)
