"""Queues the chats of a room, one at a time: the platform's events don't name the message that they reply to.

The replies in a room come one after the other, and a delta on its stream names no message. A chat therefore waits until
the chats that this process began earlier in the room are over, and until every sender's messages have a reply.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from interactor_ext._engine.effects import Effects, Pause, despite_open_circuit, promise, seconds_until
from interactor_ext._engine.errors import APITimeoutError
from interactor_ext._engine.fork import after_fork_in_child, fork_safe_lock
from interactor_ext._engine.logs import logger
from interactor_ext._engine.redaction import clean_text
from interactor_ext.chat._reply_order import ReplyOrder

if TYPE_CHECKING:
    from interactor_client.models import Message

# How many rooms are remembered whose newest message got no reply.
_MAX_GIVEN_UP_ROOMS = 1024
# Seconds between polls for the end of a reply, half a minute in all. After that the chat listens to the stream, and if
# no event comes, the reply counts as cut off.
_POLL_PAUSES = (0.05, 0.1, 0.2, 0.4, 0.8, 1.5, 3.0, 5.0, 5.0, 5.0, 4.0)
_LATER_POLL_PAUSE = 10.0
_LISTEN_SECONDS = 5.0
# A message without a reply after this time won't get one.
_MAX_REPLY_TIME = timedelta(minutes=5)
_NEWEST = 20

ANOTHER_CHAT = "another chat in this room hadn't ended. Nothing was sent"

HasEvents = Callable[[float], Effects[bool]]
"""Whether an event arrives on the room's stream within that many seconds."""


class Room(NamedTuple):
    api_url: str
    namespace: str | None
    id: str


class Place:
    """A chat's place in the queue of its room, acquired with `RoomQueue.join`."""

    def __init__(self, chat: Callable[[], Any], room: Hashable, owner: object) -> None:
        self.chat = chat
        """Returns the chat, or None if it was dropped."""
        self.room = room
        self.owner = owner
        """The thread or task that began the chat: another one can be expected to read it to its end, this one can't."""
        self.over: Future[None] = promise()
        self.ahead: list[Place] = []


class RoomQueue:
    """The chats of this process, by room, in the order in which they began."""

    def __init__(self) -> None:
        self._lock = fork_safe_lock()
        self._reset()
        after_fork_in_child(self._reset)

    def _reset(self) -> None:
        self._places: dict[Hashable, list[Place]] = {}
        # The newest message of each room when its reply was considered cut off.
        self._given_up: dict[Hashable, str] = {}

    def join(self, place: Place) -> None:
        with self._lock:
            queue = self._places.setdefault(place.room, [])
            place.ahead = list(queue)
            queue.append(place)

    def leave(self, place: Place) -> None:
        """Leave the queue. Calling it twice is harmless."""
        with self._lock:
            if place.over.done():
                return
            queue = self._places.get(place.room, [])
            if place in queue:  # a forked child doesn't inherit the queue
                queue.remove(place)
            if not queue:
                self._places.pop(place.room, None)
            place.over.set_result(None)

    def until_quiet(self, user: Any, room: Room, ends_at: float | None, has_events: HasEvents) -> Effects[str | None]:
        """Wait for the end of the current reply: its deltas would be mistaken for the next reply's.

        Returns the id of the room's newest message.

        Waits for an incomplete reply only as long as events come. Raises APITimeoutError at `ends_at`, in
        `time.monotonic()`.
        """
        pauses = iter(_POLL_PAUSES)
        while True:
            _within(0, ends_at)
            page = yield from despite_open_circuit(
                user, ends_at, lambda view: view.messages.list(room.id, order="desc", per_page=_NEWEST)
            )
            messages: list[Message] = page.data
            newest = messages[0].id if messages else None
            if newest is None or not self._is_replying(room, messages):
                return newest
            wait = next(pauses, None)
            if wait == _POLL_PAUSES[0]:
                logger.info("Room %s: a reply is still expected, and the chat waits for it.", clean_text(room.id))
            if wait is None:
                if not (yield from has_events(_within(_LISTEN_SECONDS, ends_at))):
                    logger.warning(
                        "The earlier messages in room %s got no reply: the chat goes on.", clean_text(room.id)
                    )
                    self._give_up(room, newest)
                    return newest
                wait = _LATER_POLL_PAUSE
            yield Pause(_within(wait, ends_at))

    def _is_replying(self, room: Room, newest_first: list[Message]) -> bool:
        """Whether a reply is still to come. One that waits for tool results doesn't count."""
        since = datetime.now(UTC) - _MAX_REPLY_TIME
        alive = [
            each
            for each in reversed(newest_first)
            if each.role != "user" or each.created_at is None or each.created_at > since
        ]
        return bool(ReplyOrder(alive, None, settled=self._given_up.get(room)).unanswered)

    def _give_up(self, room: Room, newest: str) -> None:
        with self._lock:
            self._given_up[room] = newest
            if len(self._given_up) > _MAX_GIVEN_UP_ROOMS:
                del self._given_up[next(iter(self._given_up))]


def too_long() -> APITimeoutError:
    return APITimeoutError(f"The deadline came while {ANOTHER_CHAT}.")


def _within(seconds: float, ends_at: float | None) -> float:
    """Return `seconds`, or the time left if it is shorter. Raises APITimeoutError if no time is left."""
    left = seconds_until(ends_at)
    if left == 0:
        raise too_long()
    return seconds if left is None else min(seconds, left)


ROOMS = RoomQueue()
