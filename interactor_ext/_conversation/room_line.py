"""One conversation at a time in a room, because the platform's events do not say whose answer they belong to.

The answers of a room come one after the other, and a piece of text on its stream names no message. So whoever starts to
chat in a room waits until the chats that this process began there before are over. It cannot know of other processes.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Hashable, Iterator
from concurrent.futures import Future
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from interactor_ext._errors import APITimeoutError
from interactor_ext._fork import after_fork_in_child
from interactor_ext._plans import Call, Pause, Plan, promise

if TYPE_CHECKING:
    from interactor_client.models import Message

# How many rooms with an answer that nobody read to its end are remembered.
_MOST_UNFINISHED = 1024
# Between looks whether such an answer is over: half a minute in all. Then it counts as cut off.
_LOOKS = (0.05, 0.1, 0.2, 0.4, 0.8, 1.5, 3.0, 5.0, 5.0, 5.0, 10.0)


class Room(NamedTuple):
    api_url: str
    namespace: str | None
    id: str


class Place:
    """A chat's place in the line of its room."""

    def __init__(self, chat: Any, room: Hashable, owner: object, ahead: Place | None) -> None:
        self.chat = chat
        self.room = room
        self.owner = owner
        """The thread or task that began it: only another can be expected to read it to its end."""
        self.over: Future[None] = promise()
        self._ahead = ahead

    def those_ahead(self) -> Iterator[Place]:
        """Those to wait for: one, and others only where that one gave up while it waited itself."""
        while self._ahead is not None:
            yield self._ahead
            self._ahead = self._ahead._ahead

    @property
    def still_ahead(self) -> Place | None:
        place = self._ahead
        while place is not None and place.over.done():
            place = place._ahead
        return place


class RoomLine:
    def __init__(self) -> None:
        self._start_afresh()
        after_fork_in_child(self._start_afresh)

    def _start_afresh(self) -> None:
        self._lock = threading.Lock()
        self._last: dict[Hashable, Place] = {}
        self._unfinished: dict[Hashable, Message] = {}

    def join(self, room: Hashable, chat: Any, owner: object) -> Place:
        with self._lock:
            place = self._last[room] = Place(chat, room, owner, self._last.get(room))
        return place

    def leave(self, place: Place, unanswered: Message | None) -> None:
        """Twice does no harm. `unanswered` is the message whose answer may still be on its way."""
        with self._lock:
            if place.over.done():
                return
            if self._last.get(place.room) is place:
                before = place.still_ahead
                if before is None:
                    del self._last[place.room]
                else:
                    self._last[place.room] = before
            if unanswered is not None:
                self._unfinished[place.room] = unanswered
                if len(self._unfinished) > _MOST_UNFINISHED:
                    del self._unfinished[next(iter(self._unfinished))]
            place.over.set_result(None)

    def until_quiet(self, user: Any, room: Room, ends_at: float | None) -> Plan[None]:
        """Wait for the rest of an answer that was left early: its words would pass for those of the next.

        Raises APITimeoutError if that takes until `ends_at`, an instant of `time.monotonic()`.
        """
        unanswered = self._unfinished.get(room)
        if unanswered is None:
            return
        for wait in _LOOKS:
            view = user if ends_at is None else user.with_options(deadline=_left(ends_at))
            page = yield Call(partial(view.messages.list, room.id, order="desc"), ())
            if not _is_on_its_way(page.data, unanswered):
                break
            yield Pause(wait if ends_at is None else min(wait, _left(ends_at)))
        if ends_at is not None:
            _left(ends_at)
        with self._lock:
            self._unfinished.pop(room, None)


def too_long() -> APITimeoutError:
    return APITimeoutError("The deadline has come while another chat of this room was not over. Nothing was sent.")


def _left(ends_at: float) -> float:
    left = ends_at - time.monotonic()
    if left <= 0:
        raise too_long()
    return left


def _is_on_its_way(newest_first: list[Message], unanswered: Message) -> bool:
    """An assistant that waits for the results of tools says nothing either."""
    for message in newest_first:
        if message.id == unanswered.id:
            return True
        if message.role == "assistant":
            return False
    return False


ROOMS = RoomLine()
