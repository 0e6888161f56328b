"""`user.chat(...)`, sync and async: sends a message and follows its reply."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from concurrent.futures import wait
from typing import TYPE_CHECKING, Self

from interactor_client.advised import called
from interactor_client.models import Message, MessageDelta, ToolCall
from interactor_ext._engine.effects import run_async, run_sync
from interactor_ext._engine.streams.events import AsyncEvents
from interactor_ext._engine.waiting import NO_ASYNC_WITH, NO_WITH, require_asyncio
from interactor_ext._engine.waiting.closer import close_later
from interactor_ext.chat._base import SERVING, BaseReply
from interactor_ext.tools._calls import TOOL_THREADS

if TYPE_CHECKING:
    from interactor_client.models import StreamEvent
    from interactor_ext.tools._approval import WaitingCall

_cancelled: set[asyncio.Task[None]] = set()


class Reply(BaseReply):
    """A sent message and its reply as it arrives: a context manager, and an iterator of typed events.

    A tool call that needs approval comes as a `WaitingCall`, and the events end there; `waiting` lists such calls.

    Entering opens the room's stream and sends the message; leaving closes everything at once. What has already arrived
    can still be read. Chats of one process in one room wait for each other; one that this thread has begun is read to
    its end first.

    Raises, on entering or iterating:
        StreamError: the platform reported an error, or the stream can't be resumed.
        APIStatusError, APIConnectionError: the message, or the result of a tool, could not be sent.
        APITimeoutError: the view's deadline has passed.
    """

    __aenter__ = NO_ASYNC_WITH

    def __enter__(self) -> Self:
        place = self._join_queue(threading.get_ident())
        try:
            run_sync(self._send(place))
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, exc_type: type[BaseException] | None, *_: object) -> None:
        if exc_type is GeneratorExit:
            # May run in the garbage collector, while this thread holds a lock that closing needs.
            self._state.closed()
            close_later(self.close)
        else:
            self.close()

    def __iter__(self) -> Iterator[StreamEvent | WaitingCall]:
        self._require_entered()
        while (event := run_sync(self._next_event())) is not None:
            yield event

    def text(self) -> Iterator[str]:
        """The text of the reply as it arrives, including what the assistant says before it calls tools."""
        self._require_entered()
        return (event.content for event in self if isinstance(event, MessageDelta))

    @called
    def message(self) -> Message:
        """Wait for the complete reply. If the stream failed permanently, it is looked up among the room's messages.

        Events that weren't iterated over are kept, so `text()` can still be read. Raises ApprovalError if the reply
        waits for a call to be approved.
        """
        return run_sync(self._answer())

    def close(self) -> None:
        """Stop listening at once. A thread that waits for the reply gets a StreamError."""
        self._state.closed()
        run_sync(self._release_if_over())

    def _advance(self) -> None:
        run_sync(self._step())

    def _run_tools(self, calls: tuple[ToolCall, ...]) -> None:
        token = SERVING.set(SERVING.get() | {self._room})
        try:
            if len(calls) == 1:
                run_sync(self._run_tool(calls[0]))
                return
            # Runs that aren't done at the deadline keep their threads.
            runs = [TOOL_THREADS.submit(run_sync, self._run_tool(call)) for call in calls]
            done, late = wait(runs, self._time_left())
        finally:
            SERVING.reset(token)
        for thread in done:
            thread.result()
        if late:
            raise self._tools_too_slow(calls)


class AsyncReply(BaseReply):
    """`Reply` for asyncio: `async with`, `async for`. A cancelled task leaves at once.

    A time limit on one event, as in `asyncio.wait_for(anext(events), 5)` with `events = aiter(reply)`, loses no event.
    """

    _work: asyncio.Task[None] | None = None

    __enter__ = NO_WITH

    async def __aenter__(self) -> Self:
        require_asyncio()
        place = self._join_queue(asyncio.current_task())
        try:
            await run_async(self._send(place))
        except BaseException:
            await self.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def __aiter__(self) -> AsyncIterator[StreamEvent | WaitingCall]:
        return AsyncEvents(self._next, _unguarded())

    def text(self) -> AsyncIterator[str]:
        """The text of the reply as it arrives, including what the assistant says before it calls tools."""
        self._require_entered()
        return AsyncEvents(self._next_text, _unguarded())

    async def _next(self) -> StreamEvent | WaitingCall:
        self._require_entered()
        event = await run_async(self._next_event())
        if event is None:
            raise StopAsyncIteration
        return event

    async def _next_text(self) -> str:
        while not isinstance(event := await self._next(), MessageDelta):
            pass
        return event.content

    @called
    async def message(self) -> Message:
        """Wait for the complete reply. If the stream failed permanently, it is looked up among the room's messages.

        Events that weren't iterated over are kept, so `text()` can still be read. Raises ApprovalError if the reply
        waits for a call to be approved.
        """
        return await run_async(self._answer())

    async def aclose(self) -> None:
        """Stop listening at once. Tools are cancelled; one in a thread runs to its end, and its result is dropped."""
        self._state.closed()
        await run_async(self._release_if_over())

    async def _advance(self) -> None:
        await run_async(self._step())

    async def _run_tools(self, calls: tuple[ToolCall, ...]) -> None:
        # In a task: a caller whose wait for the reply times out hasn't left the chat, and may wait again.
        work = self._work = self._work or asyncio.create_task(self._run_all(calls))
        await asyncio.wait([work], timeout=self._time_left())
        if not work.done():
            raise self._tools_too_slow(calls)
        self._work = None
        work.result()

    async def _run_all(self, calls: tuple[ToolCall, ...]) -> None:
        SERVING.set(SERVING.get() | {self._room})
        outcomes = await asyncio.gather(*(run_async(self._run_tool(call)) for call in calls), return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome

    def _leave_tools(self) -> None:
        work, self._work = self._work, None
        if work is not None and not work.done():
            # Not awaited, because a thread can't be stopped; kept here, because a loop only holds weak references to
            # its tasks.
            _cancelled.add(work)
            work.add_done_callback(_cancelled.discard)
            work.cancel()


async def _unguarded() -> AsyncGenerator[None, None]:
    """Nothing needs closing when a loop over the events ends."""
    while True:
        yield
