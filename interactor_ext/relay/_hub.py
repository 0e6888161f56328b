"""One stream of the platform for all readers of a room or of a workflow instance, in one event loop.

A reader that comes back is sent what it missed out of the newest events, which the hub keeps. If its last event is not
among them, a stream of its own catches up: from that event on, until it meets an event that the hub has as well.
"""

from __future__ import annotations

import asyncio
import copy
import itertools
import signal
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any, NamedTuple

from interactor_client.models import MessageComplete, MessageDelta
from interactor_ext._errors import (
    APITimeoutError,
    ConfigurationError,
    InteractorError,
    ResponseValidationError,
    StreamError,
)
from interactor_ext._waiting.event_loop import with_timeout
from interactor_ext.relay._event_ids import END, EventIds, Numbering, Position
from interactor_ext.relay._http import log_failure
from interactor_ext.relay._public import dump
from interactor_ext.relay._reader import Entry, HubOptions, Reader
from interactor_ext.streams._shared import Gap

# For the first connection of a stream, with its retries.
_OPEN_SECONDS = 30.0
# Of the newest events, and of an answer that is being written.
_KEPT_BYTES = 256 * 1024
_LONGEST_ANSWER = 512 * 1024
# Of one namespace, streams that nobody reads any more and that wait for a reload.
_MOST_UNUSED = 5
# Between two looks at whether the server shuts down.
_LOOK_SECONDS = 0.25
# What an event takes beyond its text.
_ENTRY_BYTES = 300
_DONE = f"event: done\ndata: {dump({'type': 'done'})}\n\n".encode()
_FAILED = f"data: {dump({'type': 'error', 'error': 'The stream was interrupted.'})}\n\n".encode()


class Source(NamedTuple):
    """`open` makes a stream of the platform, from a Last-Event-ID on; it is entered here. `publish` returns an event as
    browsers get it, or None.
    """

    open: Callable[[str], Any]
    publish: Callable[[Any], Awaitable[dict[str, Any] | None]]


class Hub:
    """One stream and its readers. `forget` is called as soon as no reader can join it any more."""

    def __init__(self, source: Source, ids: EventIds, options: HubOptions, forget: Callable[[Hub], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._source = source
        self._ids = ids
        self._options = options
        self._forget = forget
        self._readers: set[Reader] = set()
        # Until the stream is open, with where they resume.
        self._waiting: dict[Reader, Position | None] = {}
        self._closer: asyncio.TimerHandle | None = None
        self._stream: Any = None
        self._start = ""
        self._kept: deque[Entry] = deque()
        self._kept_bytes = 0
        self._first = 0  # the number of the oldest that is kept, counted from the start of the stream
        self._numbers: dict[Position, int] = {}
        self._last: Position | None = None
        self._answer: list[str] = []
        self._answer_size = 0
        self._opened: asyncio.Future[InteractorError | bool] = self._loop.create_future()
        """Whether the stream is open; False if it was over already."""
        self._last_blocks: tuple[bytes, ...] | None = None
        """With which it has ended."""
        self._task: asyncio.Task[None] | None = None

    def start(self, resume: Position | None) -> None:
        self._start = resume.id if resume is not None else ""
        self._task = self._loop.create_task(self._run())

    @property
    def is_unused(self) -> bool:
        return not self._readers

    def position(self) -> Position | None:
        """After the last event; before the first, where the platform's stream began, if it said so."""
        if self._last is None and self._stream is not None and self._stream.resume_id:
            self._start = self._stream.resume_id
            return Position(self._start, 0)
        return self._last

    async def join(self, resume: Position | None, release: Callable[[], object]) -> Reader | None:
        """A new reader, when the stream is open; None if it is over. Raises why it could not be opened.

        `release` is called when the reader is closed, but not if there is none.
        """
        reader = Reader(self._options, self._ids, self.position, self.leave, release)
        self._readers.add(reader)
        if self._closer is not None:
            self._closer.cancel()
        if self._opened.done():  # and not in vain: then nobody joins it any more
            self._attach(reader, resume)
            return reader
        self._waiting[reader] = resume
        outcome: InteractorError | bool = False
        try:
            outcome = await asyncio.shield(self._opened)
        finally:
            if outcome is not True:
                self.leave(reader)
        if isinstance(outcome, InteractorError):
            raise copy.copy(outcome)  # several tasks raise it
        return reader if outcome else None

    def leave(self, reader: Reader) -> None:
        """Twice does no harm."""
        if reader not in self._readers:
            return
        self._readers.remove(reader)
        self._waiting.pop(reader, None)
        if reader.catching_up is not None:
            reader.catching_up.cancel()
        if not self._readers and self._last_blocks is None:
            self._closer = self._loop.call_later(self._options.grace, self.close_if_unused)

    async def aclose(self) -> None:
        """End the stream and all of its readers, who come back."""
        for reader in list(self._readers):
            reader.end()
            if reader.catching_up is not None:
                reader.catching_up.cancel()
        if self._closer is not None:
            self._closer.cancel()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def close_if_unused(self) -> None:
        if self.is_unused and self._task is not None:
            self._forget(self)
            self._task.cancel()

    async def _run(self) -> None:
        last: tuple[bytes, ...] = ()
        try:
            last = (await self._follow(),)
        finally:
            self._settle(ConfigurationError("The relay is closed."))
            self._forget(self)
            self._last_blocks = last
            for reader in self._readers:
                if reader.catching_up is None:
                    reader.end(*last)

    async def _follow(self) -> bytes:
        """Returns the last block for the readers."""
        stream = self._stream = self._source.open(self._start)
        try:
            await _enter(stream)
            self._settle(not stream.is_over)
            if stream.is_over:
                return b""
            numbering = Numbering()
            async for event, public in _events(stream, self._source.publish):
                self._note_answer(event)
                self._add(self._entry(public, numbering.next(stream.last_event_id)))
            return self._end_block()
        except Exception as error:
            log_failure("A stream", error)
            self._settle(error if isinstance(error, InteractorError) else StreamError())
            return self._failed_block(stream)
        finally:
            await stream.aclose()

    def _settle(self, outcome: InteractorError | bool) -> None:
        """Tell those who wait whether the stream is open. Only the first outcome counts."""
        if self._opened.done():
            return
        if outcome is True:
            for reader, resume in self._waiting.items():
                self._attach(reader, resume)
        else:
            self._forget(self)
        self._waiting.clear()
        self._opened.set_result(outcome)

    async def _catch_up(self, reader: Reader, resume: Position) -> None:
        last: tuple[bytes, ...] = ()
        stream = self._source.open(resume.id)
        try:
            await _enter(stream)
            numbering = Numbering()
            async for _, public in _events(stream, self._source.publish):
                entry = self._entry(public, numbering.next(stream.last_event_id))
                if not entry.position.repeats(resume):
                    reader.put(entry)
                following = self._after(entry.position)
                if following is not None:
                    reader.catching_up = None
                    self._send_kept(reader, following, resume)
                    if self._last_blocks is not None:
                        reader.end(*self._last_blocks)
                    return
                await reader.until_taken()
            last = (self._end_block(),)
        except Exception as error:
            log_failure("A stream that catches up", error)
            last = (self._failed_block(stream),)
        finally:
            await stream.aclose()
        reader.end(*last)

    def _failed_block(self, stream: Any) -> bytes:
        """With an id from which an `error` event of the platform does not come again."""
        event_id = stream.last_event_id
        return self._ids.line(Position(event_id, 0)) + _FAILED if event_id else _FAILED

    def _end_block(self) -> bytes:
        return self._ids.line(END) + _DONE

    def _add(self, entry: Entry) -> None:
        position = self._last = entry.position
        self._numbers[position] = self._first + len(self._kept)
        self._kept.append(entry)
        self._kept_bytes += len(entry.block) + _ENTRY_BYTES
        while self._kept_bytes > _KEPT_BYTES and len(self._kept) > 1:
            oldest = self._kept.popleft()
            self._kept_bytes -= len(oldest.block) + _ENTRY_BYTES
            del self._numbers[oldest.position]
            self._first += 1
        for reader in list(self._readers):
            if reader.catching_up is None:
                reader.put(entry)
            elif reader.position == position:
                reader.catching_up.cancel()
                reader.catching_up = None

    def _note_answer(self, event: Any) -> None:
        if isinstance(event, MessageDelta):
            self._answer_size += len(event.content)
            if self._answer_size <= _LONGEST_ANSWER:
                self._answer.append(event.content)
            else:
                self._answer.clear()
        elif isinstance(event, MessageComplete):
            self._answer.clear()
            self._answer_size = 0

    def _entry(self, event: dict[str, Any], position: Position) -> Entry:
        data = f"data: {dump(event)}\n\n".encode("utf-8", "replace")
        return Entry(position, self._ids.line(position) + data)

    def _attach(self, reader: Reader, resume: Position | None) -> None:
        """Send a reader what it misses, then all that comes."""
        following = None if resume is None else self._after(resume)
        if resume is not None and following is not None:
            self._send_kept(reader, following, resume)
        elif resume is not None and resume.id:
            reader.position = resume
            reader.catching_up = self._loop.create_task(self._catch_up(reader, resume))
        elif self._answer and self._last is not None:
            # From its beginning, which may no longer be among the events that are kept.
            answer = {"type": "message.delta", "content": "".join(self._answer)}
            reader.put_missed(self._entry(answer, self._last))

    def _after(self, place: Position) -> int | None:
        """The number of the event that follows, if all are kept from there on."""
        self.position()  # which notes where the stream began
        number = self._numbers.get(place)
        if number is not None:
            return number + 1
        if place.id and place.id == self._start and self._first == 0:
            return 0
        if place.number == 0:
            return max((each + 1 for position, each in self._numbers.items() if position.id == place.id), default=None)
        return None

    def _send_kept(self, reader: Reader, following: int, resume: Position) -> None:
        for entry in itertools.islice(self._kept, following - self._first, None):
            if not entry.position.repeats(resume):
                reader.put_missed(entry)


class Hubs:
    """The hubs of one event loop, and the relay's tasks in it."""

    def __init__(self) -> None:
        self._hubs: dict[tuple[str, ...], Hub] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._is_watched = False

    async def join(
        self,
        name: tuple[str, ...],
        source: Source,
        ids: EventIds,
        resume: Position | None,
        options: HubOptions,
        release: Callable[[], object],
    ) -> Reader | None:
        """See `Hub.join`."""
        hub = self._hubs.get(name)
        if hub is None:

            def forget(ended: Hub) -> None:
                if self._hubs.get(name) is ended:
                    del self._hubs[name]

            unused = [each for other, each in self._hubs.items() if other[0] == name[0] and each.is_unused]
            for each in unused[:-_MOST_UNUSED]:
                each.close_if_unused()
            hub = self._hubs[name] = Hub(source, ids, options, forget)
            hub.start(resume)
            if not self._is_watched:
                self._is_watched = True
                self.run(self._end_with_server())
        return await hub.join(resume, release)

    async def _end_with_server(self) -> None:
        """End the streams when uvicorn shuts down: it waits for open responses, and tells an application after that."""
        while self._hubs:
            await asyncio.sleep(_LOOK_SECONDS)
            if _is_server_ending():
                await asyncio.gather(*(hub.aclose() for hub in list(self._hubs.values())), return_exceptions=True)
        self._is_watched = False

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine in the background, until this is closed."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def aclose(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, *(hub.aclose() for hub in list(self._hubs.values())), return_exceptions=True)


def _is_server_ending() -> bool:
    """Whether the uvicorn that runs in this process has been told to end: its handler of signals is its method."""
    server = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
    return getattr(server, "should_exit", False) is True


async def _enter(stream: Any) -> None:
    try:
        await with_timeout(stream.__aenter__(), _OPEN_SECONDS)
    except TimeoutError as error:
        raise APITimeoutError("The stream couldn't be opened in time.") from error


async def _events(
    stream: Any, publish: Callable[[Any], Awaitable[dict[str, Any] | None]]
) -> AsyncIterator[tuple[Any, dict[str, Any]]]:
    """What the stream of the SDK gives, through its reconnects, and how browsers get it: without events that cannot be
    read and those that are not for them.
    """
    while True:
        try:
            event = await stream.next_or_gap()
        except ResponseValidationError as error:
            log_failure("An event", error)
            continue
        if event is None:
            return
        if event is not Gap.GAP and (public := await publish(event)) is not None:
            yield event, public
