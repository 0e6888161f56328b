"""`user.chat(...)` sync and async: thin loops that do what `ReplyState` decides."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import wait
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from interactor_client.models import MessageDelta
from interactor_ext._effects import Effects, run_async, run_sync
from interactor_ext._errors import InteractorError
from interactor_ext.chat._room_queue import Place, too_long
from interactor_ext.chat._shared import SERVING, SharedReply
from interactor_ext.chat._state import Look, Pause, Read, Run
from interactor_ext.streams._shared import Gap
from interactor_ext.tools._calls import TOOL_THREADS
from interactor_ext.transports._closer import close_later

if TYPE_CHECKING:
    from interactor_client.models import Message, StreamEvent, ToolCall

_MOST_AT_ONCE = 32
_cancelled: set[asyncio.Task[None]] = set()


class Reply(SharedReply):
    """A message that was sent, and its answer as it comes: a context manager, and an iterator of typed events.

    Entering opens the room's stream and sends the message; leaving closes everything at once. Everything that has come
    can still be read after that. Chats of one room wait for each other, as far as they are of one process; one that
    this very thread has begun is read to its end first.

    Raises, on entering or on iterating:
        StreamError: the platform reports an error, or the stream cannot be resumed.
        APIStatusError, APIConnectionError: the message, or the result of a tool, could not be sent.
        APITimeoutError: the view's deadline has come.
    """

    def __enter__(self) -> Self:
        place = self._join_line(threading.get_ident())
        try:
            self._await_turn(place)
            run_sync(self._sending(self._open, self._speaks))
        except BaseException:
            self.close()
            raise
        self._let_go_if_over()
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if exc_type is GeneratorExit:
            # Perhaps of the garbage collector's, while this very thread holds a lock that closing needs.
            self._state.closed()
            close_later(self._let_go_if_over)
        else:
            self.close()

    def __iter__(self) -> Iterator[StreamEvent]:
        self._require_entered()
        while True:
            while not self._state.events and not self._is_over():
                self._step()
            if not self._has_event():
                return
            yield self._state.events.popleft()

    def text(self) -> Iterator[str]:
        """The words of the answer as they come, and those that it says before it calls tools."""
        return (event.content for event in self if isinstance(event, MessageDelta))

    def message(self) -> Message:
        """The answer, when it is complete. If the stream failed for good, it is looked for among the room's messages.

        Events that were not iterated over are kept, so `text()` can still be read.
        """
        self._require_entered()
        while True:
            while not self._is_over():
                self._step()
            if self._state.message is not None:
                return self._state.message
            if not self._state.go_without_stream():
                raise self._state.reason

    def close(self) -> None:
        """Stop listening, at once. A thread that waits for the answer gets a StreamError."""
        self._state.closed()
        self._let_go_if_over()

    def _await_turn(self, place: Place) -> None:
        for ahead in place.those_ahead():
            if ahead.owner == place.owner and (chat := ahead.chat()) is not None:
                while not chat._is_over():
                    if self._time_to_wait() == 0:
                        raise too_long()
                    chat._step()
            try:
                ahead.over.result(self._time_to_wait())
            except TimeoutError as error:
                raise too_long() from error

    def _step(self) -> None:
        match self._state.action:
            case Read():
                try:
                    self._take(self._stream.next_or_gap())
                except InteractorError as error:
                    self._broke(error)
            case Look():
                run_sync(self._looking())
            case Run(calls):
                try:
                    self._run(calls)
                    self._state.ran()
                except InteractorError as error:
                    self._state.failed(error)
            case Pause(seconds):
                time.sleep(self._left_of_pause(seconds))
                self._woken()
        self._let_go_if_over()

    def _run(self, calls: tuple[ToolCall, ...]) -> None:
        plans = deque(self._plans(calls))
        token = SERVING.set(SERVING.get() | {self._room})
        try:
            if len(calls) == 1:
                self._carry_out_all(plans)
            else:
                self._run_in_threads(calls, plans)
        finally:
            SERVING.reset(token)

    def _run_in_threads(self, calls: tuple[ToolCall, ...], plans: deque[Effects[Any]]) -> None:
        """Those that are not done at the deadline are left to their threads."""
        try:
            threads = [TOOL_THREADS.submit(self._carry_out_all, plans) for _ in range(min(len(calls), _MOST_AT_ONCE))]
            done, late = wait(threads, self._time_to_wait())
        finally:
            plans.clear()  # nobody begins another
        for thread in done:
            thread.result()
        if late:
            raise self._tools_too_slow(calls)

    def _carry_out_all(self, plans: deque[Effects[Any]]) -> None:
        while True:
            try:
                plan = plans.popleft()
            except IndexError:  # by another thread
                return
            run_sync(plan)

    def _open(self) -> None:
        self._stream = self._in_time().rooms.stream(self._room.id)
        self._stream.__enter__()

    def _speaks(self, seconds: float) -> bool:
        stream: Any = self._user.with_options(deadline=seconds).rooms.stream(self._room.id)
        try:
            with stream:
                return stream.next_or_gap() not in (None, Gap.GAP)
        except InteractorError:
            return False

    def _let_go_if_over(self) -> None:
        if self._is_over():
            try:
                if self._stream is not None:
                    self._stream.close()
            finally:
                self._leave_line()


class AsyncReply(SharedReply):
    """`Reply` for asyncio: `async with`, `async for`. A task that is cancelled leaves at once."""

    _work: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        place = self._join_line(asyncio.current_task())
        try:
            await self._await_turn(place)
            await run_async(self._sending(self._open, self._speaks))
        except BaseException:
            await self.aclose()
            raise
        await self._let_go_if_over()
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def __aiter__(self) -> AsyncIterator[StreamEvent]:
        self._require_entered()
        while True:
            while not self._state.events and not self._is_over():
                await self._step()
            if not self._has_event():
                return
            yield self._state.events.popleft()

    def text(self) -> AsyncIterator[str]:
        """The words of the answer as they come, and those that it says before it calls tools."""
        return (event.content async for event in self if isinstance(event, MessageDelta))

    async def message(self) -> Message:
        """The answer, when it is complete. If the stream failed for good, it is looked for among the room's messages.

        Events that were not iterated over are kept, so `text()` can still be read.
        """
        self._require_entered()
        while True:
            while not self._is_over():
                await self._step()
            if self._state.message is not None:
                return self._state.message
            if not self._state.go_without_stream():
                raise self._state.reason

    async def aclose(self) -> None:
        """Stop listening, at once. Tools are cancelled; one that runs in a thread finishes there, but goes unheard."""
        self._state.closed()
        await self._let_go_if_over()

    async def _await_turn(self, place: Place) -> None:
        for ahead in place.those_ahead():
            try:
                async with asyncio.timeout(self._time_to_wait()):
                    chat = ahead.chat() if ahead.owner is place.owner else None
                    while chat is not None and not chat._is_over():
                        await chat._step()
                    await asyncio.wrap_future(ahead.over)
            except TimeoutError as error:
                raise too_long() from error

    async def _step(self) -> None:
        match self._state.action:
            case Read():
                try:
                    self._take(await self._stream.next_or_gap())
                except InteractorError as error:
                    self._broke(error)
            case Look():
                await run_async(self._looking())
            case Run(calls):
                try:
                    await self._run(calls)
                    self._state.ran()
                except InteractorError as error:
                    self._state.failed(error)
            case Pause(seconds):
                await asyncio.sleep(self._left_of_pause(seconds))
                self._woken()
        await self._let_go_if_over()

    async def _run(self, calls: tuple[ToolCall, ...]) -> None:
        # Shielded: who gives up waiting for the answer, by a timeout say, has not left yet, and may wait again.
        if self._work is None:
            self._work = asyncio.create_task(self._answer_all(calls))
        limit = asyncio.timeout(self._time_to_wait())
        try:
            async with limit:
                await asyncio.shield(self._work)
        except TimeoutError as error:
            if limit.expired():
                raise self._tools_too_slow(calls) from error
            raise
        self._work = None

    async def _answer_all(self, calls: tuple[ToolCall, ...]) -> None:
        SERVING.set(SERVING.get() | {self._room})
        limit = asyncio.Semaphore(_MOST_AT_ONCE)

        async def answer(plan: Any) -> None:
            async with limit:
                await run_async(plan)

        outcomes = await asyncio.gather(*map(answer, self._plans(calls)), return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome

    async def _open(self) -> None:
        self._stream = self._in_time().rooms.stream(self._room.id)
        await self._stream.__aenter__()

    async def _speaks(self, seconds: float) -> bool:
        stream: Any = self._user.with_options(deadline=seconds).rooms.stream(self._room.id)
        try:
            async with stream:
                return await stream.next_or_gap() not in (None, Gap.GAP)
        except InteractorError:
            return False

    async def _let_go_if_over(self) -> None:
        if self._is_over():
            try:
                self._leave_tools()
                if self._stream is not None:
                    await self._stream.aclose()
            finally:
                self._leave_line()

    def _leave_tools(self) -> None:
        work, self._work = self._work, None
        if work is not None and not work.done():
            # Not waited for, because a thread can't be stopped; held, because a loop holds its tasks weakly.
            _cancelled.add(work)
            work.add_done_callback(_forget)
            work.cancel()


def _forget(task: asyncio.Task[None]) -> None:
    _cancelled.discard(task)
    if not task.cancelled():
        task.exception()  # looked at, so that asyncio does not report it
