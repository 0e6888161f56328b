"""`interactor webhooks dead`: dead letters of a router's queue, for people and for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from interactor_ext.webhooks import SQLiteEventQueue
from tests.support.webhook_deliveries import body_of, envelope

pytest.importorskip("typer", reason="pip install typer rich")

from interactor_ext.cli import main

pytest_plugins = ["tests.support.webhook_fixtures"]
SHOP = """
import pathlib
from tests.support.webhook_routers import make
from interactor_ext.webhooks import SQLiteEventQueue
router = make(queue=SQLiteEventQueue(pathlib.Path(__file__).parent / "queue.db"))
"""


@pytest.fixture
def dead(
    tmp_path: Path, queue: SQLiteEventQueue, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Callable[..., str]]:
    """Run a command on a queue with three dead letters, and one of another service; returns its output."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dead_shop.py").write_text(SHOP)
    for key, body in (
        ("shop:a", body_of(key="a")),
        ("shop:b", body_of("workflow.instance.halted", key="b")),
        ("shop:c", b"no event"),
        ("other:a", body_of(key="a")),
    ):
        queue.put(key, body)
        taken = queue.take(key, 60)
        assert taken is not None
        queue.bury(taken.key, key, f"LookupError: {taken.key}")

    def run(command: str, *arguments: str, status: int = 0) -> str:
        commands = [command] if command == "rename" else ["dead", command]
        ended = main(["webhooks", *commands, "dead_shop:router", *arguments])
        shown = "".join(capsys.readouterr())
        assert ended == status, shown
        return shown

    yield run
    del sys.modules["dead_shop"]


def keys(queue: SQLiteEventQueue) -> list[str]:
    return [letter.key for letter in queue.dead_letters()]


def lines(shown: str) -> list[Any]:
    return [json.loads(line) for line in shown.splitlines()]


def test_list_shows_dead_letters_of_this_router_oldest_first(dead: Callable[..., str]) -> None:
    shown = dead("list")
    assert [line.split()[0] for line in shown.splitlines() if line.startswith("shop:")] == [
        "shop:a",
        "shop:b",
        "shop:c",
    ]
    assert "shop:a room.message.created, 1 attempts" in shown
    assert "shop:c unreadable" in shown
    assert "LookupError: shop:b" in shown
    assert "other:a" not in shown
    assert "3 dead letters." in shown


def test_list_as_json_has_one_object_a_line(dead: Callable[..., str]) -> None:
    letters = lines(dead("list", "--json"))
    assert [(each["key"], each["event"]) for each in letters] == [
        ("shop:a", "room.message.created"),
        ("shop:b", "workflow.instance.halted"),
        ("shop:c", None),
    ]
    assert letters[0]["attempts"] == 1
    assert letters[0]["error"] == "LookupError: shop:a"
    assert letters[0]["failed_at"].endswith("+00:00")


def test_show_has_the_body_of_an_event_and_the_text_of_what_is_none(dead: Callable[..., str]) -> None:
    assert json.loads(dead("show", "shop:a"))["body"] == envelope(key="a")
    assert json.loads(dead("show", "shop:c"))["body"] == "no event"
    assert "has the key 'nothing'" in dead("show", "nothing", status=1)
    assert "has the key 'other:a'" in dead("show", "other:a", status=1)


def test_replay_queues_the_named_letters_with_all_attempts(dead: Callable[..., str], queue: SQLiteEventQueue) -> None:
    assert "1 dead letter replayed." in dead("replay", "shop:b")
    assert keys(queue) == ["shop:a", "shop:c", "other:a"]
    taken = queue.take("t", 60)
    assert taken is not None
    assert (taken.key, taken.attempt) == ("shop:b", 1)


def test_drop_deletes_letters_for_good(dead: Callable[..., str], queue: SQLiteEventQueue) -> None:
    assert "2 dead letters dropped." in dead("drop", "shop:a", "shop:c", "--yes")
    assert keys(queue) == ["shop:b", "other:a"]
    assert not queue.put("shop:a", b"{}")
    assert queue.take("t", 60) is None


def test_named_letters_are_read_without_the_others(dead: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    dead_letters = SQLiteEventQueue.dead_letters

    def count(*arguments: Any) -> list[Any]:
        letters = dead_letters(*arguments)
        read.append(len(letters))
        return letters

    monkeypatch.setattr(SQLiteEventQueue, "dead_letters", count)
    for command in (["show", "shop:a"], ["replay", "shop:a"], ["drop", "shop:b", "--yes"]):
        dead(*command)
    assert read == [1, 1, 1]


def test_events_of_a_former_name_are_moved_to_the_router(dead: Callable[..., str], queue: SQLiteEventQueue) -> None:
    assert "Rows moved: 0." in dead("rename", "other")  # shop:a is known, and other:a its duplicate
    queue.put("nameless", b"{}")
    assert "Rows moved: 1." in dead("rename", "")
    taken = queue.take("t", 60)
    assert taken is not None
    assert taken.key == "shop:nameless"
    assert "name must be" in dead("rename", "o'ther", status=1)


def test_drop_without_a_terminal_needs_yes(dead: Callable[..., str], queue: SQLiteEventQueue) -> None:
    assert (
        "Dropping 1 dead letter can't be undone. Continue? "
        "This isn't a terminal, so there is nobody to ask: pass --yes."
    ) in dead("drop", "shop:a", status=1)
    assert keys(queue) == ["shop:a", "shop:b", "shop:c", "other:a"]


@pytest.mark.parametrize("command", ["replay", "drop"])
def test_all_letters_of_this_router_and_no_other(
    dead: Callable[..., str], queue: SQLiteEventQueue, command: str
) -> None:
    options = ["--yes"] if command == "drop" else []
    assert "3 dead letters" in dead(command, "--all", *options)
    assert keys(queue) == ["other:a"]


@pytest.mark.parametrize("command", ["replay", "drop"])
@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["shop:a", "nothing"], "has the key 'nothing'"), ([], "--all"), (["shop:a", "--all"], "not both")],
)
def test_unclear_choice_of_letters_changes_nothing(
    dead: Callable[..., str], queue: SQLiteEventQueue, command: str, arguments: list[str], said: str
) -> None:
    assert said in dead(command, *arguments, status=1)
    assert keys(queue) == ["shop:a", "shop:b", "shop:c", "other:a"]
