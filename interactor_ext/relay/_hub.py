"""One stream of the platform shared by all readers of a room or workflow instance in one event loop.

A reader that reconnects receives the events it missed from the newest ones, which the hub keeps. If its last event
isn't among them, a new hub starts after that event, and serves all readers that resume there.
"""

from __future__ import annotations

import asyncio
import copy
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from interactor_client.models import StreamErrorEvent
from interactor_ext._engine.errors import APITimeoutError, InteractorError, ResponseValidationError, StreamError
from interactor_ext._engine.streams.base import Gap
from interactor_ext._engine.waiting.event_loop import with_timeout
from interactor_ext.relay._background import Background
from interactor_ext.relay._event_ids import END, EventIds, Numbering, Position
from interactor_ext.relay._http import Refused, log_failure, relay_closed
from interactor_ext.relay._public import dump
from interactor_ext.relay._reader import Entry, HubOptions, Reader

# The time limit for opening a stream, including retries.
_OPEN_SECONDS = 30.0
_MAX_KEPT_EVENTS = 1000
_BUSY_SECONDS = 10.0
_DONE = f"event: done\ndata: {dump({'type': 'done'})}\n\n".encode()
_FAILED = f"data: {dump({'type': 'error', 'error': 'The stream was interrupted.'})}\n\n".encode()


class Source(NamedTuple):
    """`open` creates a stream of the platform, starting after a Last-Event-ID; the hub enters it. `publish` converts an
    event, or the error of one that doesn't fit its model, to the form browsers get; None hides it. `is_closed` tells
    whether the application has closed its client.
    """

    open: Callable[[str], Any]
    publish: Callable[[Any], Awaitable[dict[str, Any] | None]]
    is_closed: Callable[[], bool]


class Hub:
    """One stream and its readers. `forget` is called as soon as no more readers can join."""

    def __init__(
        self,
        source: Source,
        ids: EventIds,
        start: Position | None,
        options: HubOptions,
        background: Background,
        forget: Callable[[Hub], object],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._ids = ids
        self._options = options
        self._forget = forget
        self._publish, self._is_closed = source.publish, source.is_closed
        self._stream = source.open(start.id if start is not None else "")
        # The ids after which the hub has received all events.
        self._starts = {start.id if start is not None else ""}
        self.readers: set[Reader] = set()
        self._closer: asyncio.TimerHandle | None = None
        self._kept: deque[Entry] = deque(maxlen=_MAX_KEPT_EVENTS)
        self._reply_text: list[str] = []
        self._opened: asyncio.Future[Exception | bool] = self._loop.create_future()
        """Whether the stream is open; False if it was already over."""
        self._task = background.stream(self._follow())
        self._task.add_done_callback(self._end)

    def position(self) -> Position | None:
        """The position after the last event. Before the first event, the start of the platform's stream, if known."""
        if self._kept:
            return self._kept[-1].position
        if resume_id := self._stream.resume_id:
            self._starts.add(resume_id)
            return Position(resume_id, 0)
        return None

    def can_join(self, resume: Position | None) -> bool:
        """Whether a reader that resumes there can receive all the events it missed."""
        return resume is None or not resume.id or self._missed(resume) is not None

    async def join(self, resume: Position | None) -> Reader | None:
        """Return a new reader once the stream is open, or None if it is over. Raises the error that kept it from
        opening.
        """
        reader = Reader(self._options, self._ids, resume, self.position, self.leave)
        self.readers.add(reader)
        if self._closer is not None:
            self._closer.cancel()
        missed = None if resume is None else self._missed(resume)
        if missed is None and self._reply_text:
            # The reply so far, because its beginning may no longer be among the kept events.
            reply = {"type": "message.delta", "content": "".join(self._reply_text)}
            missed = [self._entry(reply, self._kept[-1].position)]
        for entry in missed or ():
            reader.put_missed(entry)
        outcome: Exception | bool = False
        try:
            outcome = await asyncio.shield(self._opened)
        finally:
            if outcome is not True:
                self.leave(reader)
        if isinstance(outcome, Exception):
            raise copy.copy(outcome)  # several tasks raise it
        return reader if outcome else None

    def leave(self, reader: Reader) -> None:
        """Remove the reader. Calling it twice is harmless."""
        if reader not in self.readers:
            return
        self.readers.remove(reader)
        if not self.readers and not self._task.done():
            self._closer = self._loop.call_later(self._options.grace, self._close_if_unused)

    def _close_if_unused(self) -> None:
        if not self.readers:
            self._forget(self)
            self._task.cancel()

    def _end(self, task: asyncio.Task[bytes]) -> None:
        """End all readers. They reconnect unless the stream was over."""
        self._settle(relay_closed())
        self._forget(self)
        last = () if task.cancelled() else (task.result(),)
        for reader in self.readers:
            reader.end(*last)

    async def _follow(self) -> bytes:
        """Forward events until the stream ends. Return the last block for the readers."""
        stream = self._stream
        try:
            await _enter(stream)
            self._settle(not stream.is_over)
            if stream.is_over:
                return b""
            numbering = Numbering()
            while (event := await stream.next_or_gap()) is not None:
                if isinstance(event, ResponseValidationError | StreamErrorEvent):
                    log_failure("An event", event if isinstance(event, Exception) else StreamError())
                if event is Gap.GAP or (public := await self._publish(event)) is None:
                    continue
                self._note_reply(public)
                entry = self._entry(public, numbering.next(stream.last_event_id))
                self._kept.append(entry)
                for reader in list(self.readers):
                    reader.put(entry)
            return self._ids.line(END) + _DONE
        except Exception as error:
            if not self._is_closed():
                log_failure("A stream", error)
            self._settle(error if isinstance(error, InteractorError) else StreamError())
            event_id = stream.last_event_id
            return self._ids.line(Position(event_id, 0)) + _FAILED if event_id else _FAILED
        finally:
            await stream.aclose()

    def _settle(self, outcome: Exception | bool) -> None:
        """Tell waiting readers whether the stream is open. Only the first outcome counts."""
        if not self._opened.done():
            self._opened.set_result(outcome)

    def _note_reply(self, event: dict[str, Any]) -> None:
        if event["type"] == "message.delta":
            if isinstance(piece := event.get("content"), str):
                self._reply_text.append(piece)
        elif event["type"] in ("message.complete", "error"):  # after an error, another reply begins
            self._reply_text.clear()

    def _entry(self, event: dict[str, Any], position: Position) -> Entry:
        data = f"data: {dump(event)}\n\n".encode("utf-8", "replace")
        return Entry(position, self._ids.line(position) + data)

    def _missed(self, place: Position) -> list[Entry] | None:
        """Return the events after `place`; None if some weren't kept, or `place` is unknown."""
        self.position()  # notes where the stream began
        kept = list(self._kept)
        for number in range(len(kept), 0, -1):
            last = kept[number - 1].position
            if last == place or (place.number == 0 and last.id == place.id):
                return kept[number:]
        return kept if place.id and place.id in self._starts and len(kept) < _MAX_KEPT_EVENTS else None


class Hubs:
    """The hubs and background tasks of one event loop."""

    def __init__(self, options: HubOptions) -> None:
        self._options = options
        self._hubs: dict[Hub, tuple[str, ...]] = {}
        self.background = Background(options.drain)

    async def join(
        self, name: tuple[str, ...], source: Source, ids: EventIds, resume: Position | None
    ) -> Reader | None:
        """See `Hub.join`. `name` starts with the namespace. Raises Refused if the namespace has too many readers."""
        if sum(len(hub.readers) for hub, its in self._hubs.items() if its[0] == name[0]) >= self._options.max_readers:
            raise Refused(429, retry_after=_BUSY_SECONDS)
        hub = next((each for each, its in self._hubs.items() if its == name and each.can_join(resume)), None)
        if hub is None:
            hub = Hub(source, ids, resume, self._options, self.background, lambda ended: self._hubs.pop(ended, None))
            self._hubs[hub] = name
        return await hub.join(resume)


async def _enter(stream: Any) -> None:
    try:
        await with_timeout(stream.__aenter__(), _OPEN_SECONDS)
    except TimeoutError as error:
        raise APITimeoutError("The stream couldn't be opened in time.") from error
