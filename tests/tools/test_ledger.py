"""Several ask for the same thing, one does it; and the line of chats before a room."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

from interactor_client.models import Message
from interactor_ext import APITimeoutError
from interactor_ext._effects import Call, Effects, run_async, run_sync
from interactor_ext._threads import DaemonThreads
from interactor_ext.chat import _room_queue as room_queue
from interactor_ext.chat._room_queue import Room, RoomQueue
from interactor_ext.tools import _once_registry as ledger
from interactor_ext.tools._once_registry import OnceRegistry

THREADS = DaemonThreads("test")
ROOM = Room("http://localhost", "user_1", "room_1")


class Job:
    """Counts how often it was run and handed in, and fails where it is told to."""

    def __init__(self) -> None:
        self.ledger: OnceRegistry[str] = OnceRegistry()
        self.runs = self.handed_in = 0
        self.failures = 0
        self.go_on = threading.Event()
        self.go_on.set()

    def plan(self, key: object = "key") -> Effects[str]:
        return self.ledger.once(key, self._run, self._hand_in)

    def _run(self, _: float | None) -> Effects[int]:
        self.runs += 1
        yield Call(self.go_on.wait, (10,), THREADS)
        return self.runs

    def _hand_in(self, result: int) -> Effects[str]:
        self.handed_in += 1
        yield Call(self.go_on.wait, (10,), THREADS)
        if self.failures:
            self.failures -= 1
            raise ConnectionError
        return f"answer {result}"


def test_once_for_all_who_ask() -> None:
    job = Job()
    job.go_on.clear()
    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(run_sync, job.plan()) for _ in range(4)]
        job.go_on.set()
        assert [future.result() for future in asked] == ["answer 1"] * 4
    assert run_sync(job.plan()) == "answer 1"
    assert (job.runs, job.handed_in) == (1, 1)
    assert run_sync(job.plan("another")) == "answer 2"


def test_what_was_run_is_handed_in_again_and_not_run_again() -> None:
    job = Job()
    job.failures = 2
    for _ in range(2):
        with pytest.raises(ConnectionError):
            run_sync(job.plan())
    assert run_sync(job.plan()) == "answer 1"
    assert (job.runs, job.handed_in) == (1, 3)


async def test_who_is_cancelled_leaves_the_others_to_it() -> None:
    job = Job()
    job.go_on.clear()
    first = asyncio.create_task(run_async(job.plan()))
    while not job.runs:
        await asyncio.sleep(0)
    others = [asyncio.create_task(run_async(job.plan())) for _ in range(3)]
    await asyncio.sleep(0)
    # One that waits, and then the one that runs.
    others[0].cancel()
    first.cancel()
    job.go_on.set()
    assert await asyncio.gather(*others[1:]) == ["answer 1"] * 2
    with pytest.raises(asyncio.CancelledError):
        await others[0]
    # What ran in a thread could not be stopped, and was not lost.
    await asyncio.gather(first, return_exceptions=True)
    assert job.runs == 1


def test_only_so_many_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "_REMEMBERED", 3)
    job = Job()
    assert [run_sync(job.plan(key)) for key in range(4)] == [f"answer {number}" for number in range(1, 5)]
    assert run_sync(job.plan(3)) == "answer 4"
    assert run_sync(job.plan(0)) == "answer 5"
    assert len(job.ledger._jobs) == 3


def message(message_id: str, role: str, age: timedelta = timedelta(0)) -> Message:
    content = "" if role == "user" else "Yes."
    created_at = datetime.now(UTC) - age
    return Message(id=message_id, room_id=ROOM.id, role=role, content=content, created_at=created_at)


def looks(
    line: RoomQueue, lists: list[list[Message]], *, speaks: Sequence[bool] = (), ends_at: float | None = None
) -> int:
    """How often it looks before the next chat may begin. The last of the lists stays as it is."""
    asked = 0
    spoken = iter(speaks)

    def listed(room_id: str, **_: Any) -> Any:
        nonlocal asked
        asked += 1
        return SimpleNamespace(data=lists[min(asked, len(lists)) - 1])

    user = SimpleNamespace(messages=SimpleNamespace(list=listed))
    user.with_options = lambda deadline: user
    newest = run_sync(line.until_quiet(user, ROOM, ends_at, lambda _: given(next(spoken))))
    last = lists[min(asked, len(lists)) - 1]
    assert newest == (last[0].id if last else None)
    with pytest.raises(StopIteration):
        next(spoken)
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
def test_chat_waits_for_an_answer_that_is_still_to_come() -> None:
    line = RoomQueue()
    assert looks(line, [[]]) == 1
    assert looks(line, [older()]) == 1
    assert looks(line, [asked(), asked(), answered()]) == 3
    # Two messages, the first of which is answered.
    both = [message("msg_3", "user"), *asked()]
    first = [message("msg_4", "assistant"), *both]
    assert looks(line, [both, first, [message("msg_5", "assistant"), *first]]) == 3


@pytest.mark.usefixtures("no_pauses")
def test_answer_that_never_comes_is_waited_for_once_and_as_long_as_there_are_words() -> None:
    line = RoomQueue()
    assert looks(line, [asked()], speaks=[True, True, False]) == 8
    assert looks(line, [asked()]) == 1
    assert looks(line, [[message("msg_9", "user"), *asked()]], speaks=[False]) == 6
    other = RoomQueue()
    assert looks(other, [asked()] * 7 + [answered()], speaks=[True, True]) == 8


@pytest.mark.usefixtures("no_pauses")
def test_message_that_was_left_without_an_answer_long_ago_is_not_waited_for() -> None:
    old = message("msg_2", "user", timedelta(minutes=6))
    assert looks(RoomQueue(), [[old]]) == 1
    assert looks(RoomQueue(), [[message("msg_4", "assistant"), message("msg_3", "user"), old]]) == 1


def test_deadline_ends_the_wait_for_an_answer() -> None:
    with pytest.raises(APITimeoutError, match="Nothing was sent"):
        looks(RoomQueue(), [asked()], ends_at=time.monotonic() + 0.1)


@pytest.mark.usefixtures("no_pauses")
def test_only_so_many_rooms_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room_queue, "_MOST_GIVEN_UP", 3)
    line = RoomQueue()
    for number in range(5):
        line._give_up(ROOM._replace(id=f"room_{number}"), "msg_1")
    assert [room.id for room in line._given_up] == ["room_2", "room_3", "room_4"]  # type: ignore[attr-defined]


def test_a_line_with_some_who_gave_up() -> None:
    line = RoomQueue()
    first, second, third = (line.join(ROOM, partial(str, name), name) for name in ("first", "second", "third"))
    line.leave(third)
    fourth = line.join(ROOM, lambda: "fourth", "fourth")
    assert [place.chat() for place in fourth.those_ahead()] == ["second", "first"]
    line.leave(second)
    line.leave(first)
    line.leave(first)
    line.leave(fourth)
    assert not line._last
    assert list(line.join(ROOM, lambda: "fifth", "fifth").those_ahead()) == []
