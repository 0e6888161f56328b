"""Server-sent events: one channel for each room and workflow instance, with replay for Last-Event-ID.

Ids count up in each channel, from 1 in the first run of a data file, and continue if a room with the same id is created
again, for example after a reset. `Last-Event-ID` resumes after that event; an unknown id (too old, from before a reset
or a restart, or not a number) gets every stored event, so an event may be sent twice but no stored event is lost.
Without the header a subscriber gets only later events. A connection begins with the id after which it continues, in a
block without data. A finished channel ends with `done`; a subscriber that connects when nothing is left to send gets
204, after which a browser's EventSource does not reconnect. A page that creates a new EventSource at each error would:
it sends no `Last-Event-ID`, and has its token in the URL. It gets another `done`, on a connection that stays open until
the page leaves.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import Any

from interactor_ext.sandbox.storage.strict_json import compact

DONE = b'data: {"type":"done"}\n\n'
KEEPALIVE = b": keepalive\n\n"
# Sent at once, so a client behind a buffering proxy knows that it is subscribed. With an id, so a client that is
# disconnected before the first event can resume.
GREETING = "{}id: {}\n: connected\n\n"


class Channel:
    """The newest events of one stream, and its subscribers."""

    def __init__(self, keep: int, first_id: int = 1) -> None:
        self.finished = False
        self.subscribers: set[Subscription] = set()
        self.newest: int = first_id - 1
        self._events: deque[bytes] = deque(maxlen=keep)

    def append(self, text: str) -> None:
        self.newest += 1
        event = f"id: {self.newest}\ndata: {text}\n\n".encode()
        self._events.append(event)
        for subscriber in self.subscribers:
            subscriber.waiting.append(event)
        self.wake()

    def after(self, event_id: int) -> list[bytes]:
        """Return the stored events after this one."""
        newer = self.newest - event_id
        return list(self._events)[-newer:] if newer else []

    def resume_point(self, last_event_id: str) -> int:
        """Return the id after which a subscriber with this Last-Event-ID continues."""
        if not last_event_id:
            return self.newest
        known = last_event_id.isdecimal() and int(last_event_id) <= self.newest
        return int(last_event_id) if known else 0

    def wake(self) -> None:
        for subscriber in self.subscribers:
            subscriber.wakeup.set()

    def disconnect(self) -> None:
        for subscriber in list(self.subscribers):
            subscriber.close()


class Subscription:
    """The subscriber of one open stream. `chunks()` yields bytes until the stream ends or `close()` is called."""

    def __init__(self, channel: Channel, last_event_id: str, *, stays: bool = False) -> None:
        self.wakeup: asyncio.Event = asyncio.Event()
        self._channel = channel
        self._stays = stays
        self._after = channel.resume_point(last_event_id)
        self.waiting: list[bytes] = channel.after(self._after)
        self._closed = False
        channel.subscribers.add(self)

    def close(self) -> None:
        self._closed = True
        self._channel.subscribers.discard(self)
        self.wakeup.set()

    async def chunks(self, keepalive: float, retry: int | None) -> AsyncIterator[bytes]:
        yield GREETING.format("" if retry is None else f"retry: {retry}\n", self._after).encode()
        if self._stays:
            yield DONE
        while not self._closed:
            self.wakeup.clear()
            if self.waiting:
                waiting, self.waiting = self.waiting, []
                yield b"".join(waiting)
            elif self._channel.finished and not self._stays:
                yield DONE
                return
            else:
                try:
                    await asyncio.wait_for(self.wakeup.wait(), keepalive)
                except TimeoutError:
                    yield KEEPALIVE


class Streams:
    """The channels by the id of their room or workflow instance."""

    def __init__(self, *, keep: int) -> None:
        self._keep = keep
        # The first id of channels that are created from now on.
        self.first_id: int = 1
        self._channels: dict[str, Channel] = {}
        # Last ids of removed channels: subscribers would mistake an event with a known id for a repetition.
        self._last_ids: dict[str, int] = {}

    @property
    def open(self) -> int:
        """How many subscribers are connected."""
        return sum(len(channel.subscribers) for channel in self._channels.values())

    def emit(self, channel_id: str, event: dict[str, Any]) -> None:
        self._channel(channel_id).append(compact(event))

    def is_over(self, channel_id: str, last_event_id: str) -> bool:
        """Whether a channel is finished and has nothing to send after this id."""
        channel = self._channel(channel_id)
        return channel.finished and not channel.after(channel.resume_point(last_event_id))

    def subscribe(self, channel_id: str, last_event_id: str, *, stays: bool = False) -> Subscription:
        """Return a subscriber. One that `stays` gets `done` at once, and is kept until it leaves."""
        return Subscription(self._channel(channel_id), last_event_id, stays=stays)

    def finish(self, channel_id: str) -> None:
        """End a channel: subscribers get the remaining events, then `done`."""
        channel = self._channel(channel_id)
        channel.finished = True
        channel.wake()

    def drop(self, channel_id: str) -> None:
        """Remove a channel; its subscribers are disconnected without `done`."""
        if channel := self._channels.pop(channel_id, None):
            self._last_ids[channel_id] = channel.newest
            channel.disconnect()

    def disconnect(self) -> None:
        """Disconnect every subscriber, as a server restart does; events stay stored for resumption."""
        for channel in self._channels.values():
            channel.disconnect()

    def clear(self) -> None:
        for channel_id in list(self._channels):
            self.drop(channel_id)

    def _channel(self, channel_id: str) -> Channel:
        if channel_id not in self._channels:
            first_id = max(self.first_id, self._last_ids.pop(channel_id, 0) + 1)
            self._channels[channel_id] = Channel(self._keep, first_id)
        return self._channels[channel_id]
