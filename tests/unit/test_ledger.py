"""Several ask for the same thing, one does it; and the line of chats before a room."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from interactor_client.models import Message
from interactor_ext._conversation import room_line
from interactor_ext._conversation.room_line import Room, RoomLine
from interactor_ext._plans import Call, Plan, adrive, drive
from interactor_ext._tools import ledger
from interactor_ext._tools.ledger import Ledger

ROOM = Room("http://localhost", "user_1", "room_1")


class Job:
    """Counts how often it was run and handed in, and fails where it is told to."""

    def __init__(self) -> None:
        self.ledger: Ledger[str] = Ledger()
        self.runs = self.handed_in = 0
        self.failures = 0
        self.go_on = threading.Event()
        self.go_on.set()

    def plan(self, key: object = "key") -> Plan[str]:
        return self.ledger.once(key, self._run, self._hand_in)

    def _run(self) -> Plan[int]:
        self.runs += 1
        yield Call(self.go_on.wait, (10,))
        return self.runs

    def _hand_in(self, result: int) -> Plan[str]:
        self.handed_in += 1
        yield Call(self.go_on.wait, (10,))
        if self.failures:
            self.failures -= 1
            raise ConnectionError
        return f"answer {result}"


def test_once_for_all_who_ask() -> None:
    job = Job()
    job.go_on.clear()
    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(drive, job.plan()) for _ in range(4)]
        job.go_on.set()
        assert [future.result() for future in asked] == ["answer 1"] * 4
    assert drive(job.plan()) == "answer 1"
    assert (job.runs, job.handed_in) == (1, 1)
    assert drive(job.plan("another")) == "answer 2"


def test_what_was_run_is_handed_in_again_and_not_run_again() -> None:
    job = Job()
    job.failures = 2
    for _ in range(2):
        with pytest.raises(ConnectionError):
            drive(job.plan())
    assert drive(job.plan()) == "answer 1"
    assert (job.runs, job.handed_in) == (1, 3)


async def test_who_is_cancelled_leaves_the_others_to_it() -> None:
    job = Job()
    job.go_on.clear()
    first = asyncio.create_task(adrive(job.plan()))
    while not job.runs:
        await asyncio.sleep(0)
    others = [asyncio.create_task(adrive(job.plan())) for _ in range(3)]
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
    assert [drive(job.plan(key)) for key in range(4)] == [f"answer {number}" for number in range(1, 5)]
    assert drive(job.plan(3)) == "answer 4"
    assert drive(job.plan(0)) == "answer 5"
    assert len(job.ledger._jobs) == 3


def message(message_id: str, role: str) -> Message:
    return Message(id=message_id, room_id=ROOM.id, role=role, content="", created_at=datetime.now(UTC))


def left_early(line: RoomLine, room: Room, message_id: str = "msg_1") -> None:
    line.leave(line.join(room, None, None), message(message_id, "user"))


def waits(line: RoomLine, lists: list[list[Message]], monkeypatch: pytest.MonkeyPatch) -> int:
    """How often it looks before the next chat may begin."""
    looks = 0

    def listed(room_id: str, *, order: str) -> Any:
        nonlocal looks
        looks += 1
        return SimpleNamespace(data=lists[min(looks, len(lists)) - 1])

    monkeypatch.setattr(room_line, "_LOOKS", (0.0,) * 5)
    drive(line.until_quiet(SimpleNamespace(messages=SimpleNamespace(list=listed)), ROOM, None))
    return looks


def test_it_waits_for_the_rest_of_an_answer_and_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    line = RoomLine()
    asked = [message("msg_1", "user"), message("msg_0", "assistant")]
    assert waits(line, [asked], monkeypatch) == 0
    left_early(line, ROOM)
    assert waits(line, [asked, asked, [message("msg_2", "assistant"), *asked]], monkeypatch) == 3
    assert waits(line, [asked], monkeypatch) == 0
    left_early(line, ROOM)
    assert waits(line, [asked], monkeypatch) == 5
    left_early(line, ROOM)
    assert waits(line, [[]], monkeypatch) == 1


def test_only_so_many_rooms_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room_line, "_MOST_UNFINISHED", 3)
    line = RoomLine()
    for number in range(5):
        left_early(line, ROOM._replace(id=f"room_{number}"))
    assert [room.id for room in line._unfinished] == ["room_2", "room_3", "room_4"]
    assert not line._last


def test_a_line_with_some_who_gave_up() -> None:
    line = RoomLine()
    first, second, third = (line.join(ROOM, name, name) for name in ("first", "second", "third"))
    line.leave(third, None)
    fourth = line.join(ROOM, "fourth", "fourth")
    assert [place.chat for place in fourth.those_ahead()] == ["second", "first"]
    line.leave(second, None)
    line.leave(first, None)
    line.leave(first, None)
    line.leave(fourth, None)
    assert not line._last
    assert list(line.join(ROOM, "fifth", "fifth").those_ahead()) == []
