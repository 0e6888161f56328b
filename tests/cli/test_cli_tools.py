"""`interactor tools`: what waits in a room is listed, approved and rejected from a terminal."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest.importorskip("typer", reason="pip install typer rich")

from interactor_ext.sandbox import Sandbox
from tests.support.conversations import NAMESPACE
from tests.support.terminal import Terminal

pytest_plugins = ["tests.support.sandbox_fixtures", "tests.support.command_fixtures"]
SHOP = """
import pathlib
from interactor_ext import ToolSet
tools = ToolSet()

@tools.tool(approval=True)
def refund(order: str, api_key: str = "") -> str:
    "Pays a customer back."
    with (pathlib.Path(__file__).parent / "paid").open("a") as file:
        file.write(order)
    return "paid"
"""


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tool_shop.py").write_text(SHOP)
    yield tmp_path
    sys.modules.pop("tool_shop", None)


@pytest.fixture
def room(sandbox: Sandbox, shop: Path) -> str:
    """A room in which two calls wait."""
    from interactor_ext._engine.named_object import load_named

    tools = load_named("tool_shop:tools", "ToolSet", "")
    with sandbox.client(namespace=NAMESPACE) as user:
        bot = user.assistants.create(name="Bot", model="gpt-4", system_prompt="Be brief.", tools=tools)
        made = user.rooms.create(bot.id).id
        user.messages.send(made, '/tool refund {"order": "o_1", "api_key": "sk_live_1"}\n/tool refund {"order": "o_2"}')
    return made


def test_waiting_calls_are_listed_approved_and_rejected(
    shop: Path, room: str, shown_by: Callable[..., str], sandbox: Sandbox
) -> None:
    where = ["tool_shop:tools", room, "-n", NAMESPACE]
    listed = shown_by("tools", "pending", *where)
    assert '"order": "o_1"' in listed
    assert "sk_live_1" not in listed
    first, second = [json.loads(line) for line in shown_by("tools", "pending", *where, "--json").splitlines()]
    assert (first["tool"], second["arguments"]) == ("refund", {"order": "o_2"})
    assert "Ran the call and submitted its result" in shown_by(
        "tools", "approve", *where, first["id"], "--yes", "--by", "alice"
    )
    assert (shop / "paid").read_text() == "o_1"
    assert "Rejected." in shown_by("tools", "reject", *where, second["id"], "--reason", "It was delivered.")
    assert "No calls are waiting." in shown_by("tools", "pending", *where)
    assert "No call 'tc_0' is waiting" in shown_by("tools", "approve", *where, "tc_0", "--yes", status=1)
    with sandbox.client(namespace=NAMESPACE) as user:
        assert "It was delivered." in user.messages.list(room, order="desc").data[0].content


def test_approval_is_asked_for_on_a_terminal(
    shop: Path, room: str, terminal: Callable[..., Terminal], shown_by: Callable[..., str]
) -> None:
    where = ["tool_shop:tools", room, "-n", NAMESPACE]
    first = json.loads(shown_by("tools", "pending", *where, "--json").splitlines()[0])["id"]
    assert "pass --yes" in shown_by("tools", "approve", *where, first, status=1)
    assert not (shop / "paid").exists()
    asked = terminal("tools", "approve", *where, first)
    asked.until("Run it? [y/N]")
    asked.type("y")
    assert "Ran the call and submitted its result." in asked.end()
    assert (shop / "paid").read_text() == "o_1"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("tool_shop", "'tool_shop' doesn't name a ToolSet: write module:name, for example shop.tools:tools."),
        ("tool_shop:pathlib", "'tool_shop:pathlib' isn't a ToolSet; its type is module."),
        ("tool_shop:missing", "The module 'tool_shop' has no 'missing'."),
    ],
)
def test_name_that_is_no_tool_set_is_refused(name: str, message: str, shop: Path, shown_by: Callable[..., str]) -> None:
    assert message in shown_by("tools", "pending", name, "room_1", "-n", NAMESPACE, status=1)
