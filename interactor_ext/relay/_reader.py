"""The stream of one browser: blocks are queued until it reads them or falls too far behind."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from interactor_ext.relay._event_ids import EventIds, Position

# The first heartbeat comes early: it tells a reader where to resume even before the first event.
_FIRST_HEARTBEAT = 1.0
_HEARTBEAT = b": heartbeat\n\n"
_CONNECTED = b": connected\n\n"


class Entry(NamedTuple):
    position: Position
    block: bytes


@dataclass(frozen=True, slots=True)
class HubOptions:
    """Times are in seconds, sizes in bytes; `max_readers` is per namespace."""

    grace: float
    heartbeat: float
    max_queued_bytes: int
    max_readers: int
    drain: float


class Reader:
    """The stream of one browser: a bounded queue of blocks.

    `resume` is the position of the last event it received, and `newest` returns the stream's position. `leave` is
    called,
    perhaps twice, as soon as nothing more is sent to it.
    """

    def __init__(
        self,
        options: HubOptions,
        ids: EventIds,
        resume: Position | None,
        newest: Callable[[], Position | None],
        leave: Callable[[Reader], None],
    ) -> None:
        self.stalled: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done when the reader was dropped because it stopped reading."""
        self.position: Position | None = None
        """The position of the last queued event."""
        self._options = options
        self._ids = ids
        self._resume = resume
        self._newest = newest
        self._leave = leave
        self._pause = min(_FIRST_HEARTBEAT, options.heartbeat)
        self._blocks: deque[bytes] = deque((_CONNECTED,))
        self._bytes = 0
        self._last_sent: Position | None = None
        self._ended = False
        self._changed = asyncio.Event()

    def put(self, entry: Entry) -> None:
        """Queue a live event. A reader too far behind is dropped, and reconnects with the id of its last event."""
        if self._ended or (self._resume is not None and entry.position.repeats(self._resume)):
            return
        if self._bytes and self._bytes + len(entry.block) > self._options.max_queued_bytes:
            self._blocks.clear()
            self._bytes = 0
            self._ended = True
            self._leave(self)
            if not self.stalled.done():
                self.stalled.set_result(None)
            self._changed.set()
        else:
            self._bytes += len(entry.block)
            self.put_missed(entry)

    def tell(self, event: str) -> None:
        """Queue an event without a position, unless one with a position is queued: that one is newer."""
        if not self._ended and self.position is None:
            self._blocks.append(f"data: {event}\n\n".encode("utf-8", "replace"))
            self._changed.set()

    def put_missed(self, entry: Entry) -> None:
        """Queue an event from before the reader connected. It doesn't count towards the limit."""
        self._blocks.append(entry.block)
        self.position = self._last_sent = entry.position
        self._changed.set()

    def end(self, *last: bytes) -> None:
        """Queue the last blocks."""
        if not self._ended:
            self._blocks.extend(last)
            self._ended = True
        self._changed.set()

    async def next(self) -> bytes | None:
        """Return the queued blocks, a heartbeat if none arrive for a while, or None at the end."""
        if not self._blocks and not self._ended:
            self._changed.clear()
            try:
                async with asyncio.timeout(self._pause):
                    await self._changed.wait()
            except TimeoutError:
                self._pause = self._options.heartbeat
                return self._heartbeat()
        if not self._blocks:
            return None
        blocks = b"".join(self._blocks)
        self._blocks.clear()
        self._bytes = 0
        return blocks

    def _heartbeat(self) -> bytes:
        position = self._newest()
        if position is None or position == self._last_sent:
            return _HEARTBEAT
        self._last_sent = position
        return self._ids.line(position) + _HEARTBEAT

    async def aclose(self) -> None:
        """Close the stream when the browser has left. Calling it twice is harmless."""
        self.end()
        self._blocks.clear()
        self._leave(self)
