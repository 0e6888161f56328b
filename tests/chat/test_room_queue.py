"""RoomQueue: a chat waits until the room is quiet and the chats before it are over."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from interactor_client.models import Message
from interactor_ext._effects import Effects, run_sync
from interactor_ext.chat import _room_queue as room_queue
from interactor_ext.chat._room_queue import Room, RoomQueue

ROOM = Room("http://localhost", "user_1", "room_1")


def message(message_id: str, role: str, age: timedelta = timedelta(0)) -> Message:
    content = "" if role == "user" else "Yes."
    created_at = datetime.now(UTC) - age
    return Message(id=message_id, room_id=ROOM.id, role=role, content=content, created_at=created_at)


def looks(
    queue: RoomQueue, lists: list[list[Message]], *, has_events: Sequence[bool] = (), ends_at: float | None = None
) -> int:
    """The number of lists that are fetched before the room is quiet. The last of `lists` is repeated."""
    asked = 0
    events = iter(has_events)

    def listed(room_id: str, **_: Any) -> Any:
        nonlocal asked
        asked += 1
        return SimpleNamespace(data=lists[min(asked, len(lists)) - 1])

    user = SimpleNamespace(messages=SimpleNamespace(list=listed))
    user.with_options = lambda deadline: user
    newest = run_sync(queue.until_quiet(user, ROOM, ends_at, lambda _: given(next(events))))
    last = lists[min(asked, len(lists)) - 1]
    assert newest == (last[0].id if last else None)
    with pytest.raises(StopIteration):
        next(events)
    return asked


def given(value: Any) -> Effects[Any]:
    return value
    yield


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room_queue, "_POLL_PAUSES", (0.0,) * 5)
    monkeypatch.setattr(room_queue, "_LATER_POLL_PAUSE", 0.0)


def older() -> list[Message]:
    return [message("msg_1", "assistant"), message("msg_0", "user")]


def asked() -> list[Message]:
    return [message("msg_2", "user"), *older()]


def answered() -> list[Message]:
    return [message("msg_3", "assistant"), *asked()]


@pytest.mark.usefixtures("no_pauses")
def test_room_with_a_pending_answer_is_waited_for() -> None:
    queue = RoomQueue()
    assert looks(queue, [[]]) == 1
    assert looks(queue, [older()]) == 1
    assert looks(queue, [asked(), asked(), answered()]) == 3
    # Two messages, the first of which is answered.
    both = [message("msg_3", "user"), *asked()]
    first = [message("msg_4", "assistant"), *both]
    assert looks(queue, [both, first, [message("msg_5", "assistant"), *first]]) == 3


@pytest.mark.usefixtures("no_pauses")
def test_answer_that_never_comes_is_waited_for_once_and_while_its_stream_has_events() -> None:
    queue = RoomQueue()
    assert looks(queue, [asked()], has_events=[True, True, False]) == 8
    assert looks(queue, [asked()]) == 1
    assert looks(queue, [[message("msg_9", "user"), *asked()]], has_events=[False]) == 6
    other = RoomQueue()
    assert looks(other, [asked()] * 7 + [answered()], has_events=[True, True]) == 8


@pytest.mark.usefixtures("no_pauses")
def test_message_unanswered_for_minutes_is_not_waited_for() -> None:
    old = message("msg_2", "user", timedelta(minutes=6))
    assert looks(RoomQueue(), [[old]]) == 1
    assert looks(RoomQueue(), [[message("msg_4", "assistant"), message("msg_3", "user"), old]]) == 1
