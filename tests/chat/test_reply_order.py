"""ReplyOrder: which reply belongs to which message, according to the order of a room's messages."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from interactor_client.models import Message, ToolCall
from interactor_ext.chat._reply_order import ReplyOrder

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def room(*lines: str) -> list[Message]:
    """Messages, oldest first: `u1` is a user's, `a1` a reply, `t` a result; `c1:x+,y` calls x, which is done, and y."""
    return [message(line) for line in lines]


def message(line: str) -> Message:
    message_id, _, names = line.partition(":")
    role = {"u": "user", "t": "tool"}.get(line[0], "assistant")
    calls = [
        ToolCall(
            id=name.rstrip("+"), tool_id="t", arguments={}, status="completed" if name.endswith("+") else "pending"
        )
        for name in names.split(",")
        if name
    ]
    more: dict[str, Any] = {"tool_calls": calls} if calls else {}
    content = "" if line[0] in "ce" else "text"
    return Message(id=message_id, room_id="r", role=role, content=content, created_at=NOW, **more)


def order_of(ours: str, *lines: str, **about: Any) -> tuple[str | None, list[str], set[str], bool]:
    order = ReplyOrder(room(*lines), ours, **about)
    assert not order.is_ambiguous
    reply = None if order.reply is None else order.reply.id
    return reply, [call.id for call in order.calls], order.others, order.is_ours_next


@pytest.mark.parametrize(
    ("ours", "lines", "reply", "others", "is_next"),
    [
        ("u1", "u1", None, "", True),
        ("u1", "u1 a1", "a1", "", True),
        ("u2", "u1 u2", None, "", False),
        ("u2", "u1 u2 a1", None, "a1", True),
        ("u2", "u1 u2 a1 a2", "a2", "a1", True),
        ("u1", "u1 u2 a1 a2", "a1", "a2", True),
        ("u1", "u1 e1", None, "", True),
        ("u3", "u1 a1 u2 u3 a2", None, "a1 a2", True),
        # Nobody's: it greets.
        ("u1", "a0 u1 a1", "a1", "a0", True),
        ("u1", "s0 u1 a1", "a1", "s0", True),
    ],
)
def test_replies_belong_to_messages_in_their_order(
    ours: str, lines: str, reply: str | None, others: str, is_next: bool
) -> None:
    assert order_of(ours, *lines.split()) == (reply, [], set(others.split()), is_next)


@pytest.mark.parametrize(
    ("ours", "lines", "reply", "calls", "others", "is_next"),
    [
        ("u1", "u1 c1:x", None, "x", "", True),
        ("u1", "u1 c1:x+ t", None, "x", "", True),
        ("u1", "u1 c1:x+ t a1", "a1", "x", "", True),
        ("u1", "u1 c1:x+,y t", None, "x y", "", True),
        ("u1", "u1 c1:x+ t c2:y+ t a1", "a1", "x y", "", True),
        # Another message gets its reply while this one waits for its tools.
        ("u1", "u1 c1:x u2", None, "x", "", False),
        ("u1", "u1 c1:x u2 a2", None, "x", "a2", True),
        ("u1", "u1 c1:x+ u2 t", None, "x", "", False),
        ("u1", "u1 c1:x+ u2 t a2 a1", "a1", "x", "a2", True),
        ("u1", "u1 c1:x+ t u2 a1 a2", "a1", "x", "a2", True),
        ("u2", "u1 c1:x u2", None, "", "", True),
        ("u2", "u1 c1:x u2 a2", "a2", "", "", True),
        ("u2", "u1 c1:x+ t u2", None, "", "", False),
        ("u2", "u1 c1:x+ u2 t a2 a1", "a2", "", "a1", True),
        # A call that never gets a result blocks no other message.
        ("u2", "u1 c1:x u2 c2:y+ t a2", "a2", "y", "", True),
        # The result belongs to the call that is done, not to the first one.
        ("u2", "u1 u2 c1:x,y+ t c2:z+ t a2", "a2", "z", "", True),
        # A platform that keeps no results.
        ("u1", "u1 c1:x+ a1", "a1", "x", "", True),
    ],
)
def test_message_that_waits_for_tool_results_is_overtaken(
    ours: str, lines: str, reply: str | None, calls: str, others: str, is_next: bool
) -> None:
    assert order_of(ours, *lines.split()) == (reply, calls.split(), set(others.split()), is_next)


def test_results_of_two_messages_at_once_are_ambiguous() -> None:
    lines = ["u1", "u2", "c1:x+", "c2:y+", "t", "t"]
    for ours in ("u1", "u2"):
        order = ReplyOrder(room(*lines), ours)
        assert (order.is_ours_next, order.is_ambiguous) == (False, False)
        order = ReplyOrder(room(*lines, "a1"), ours)
        assert (order.reply, order.is_ambiguous) == (None, True)
    # Until it is settled.
    order = ReplyOrder(room(*lines, "a1", "a2", "u3", "a3"), "u3", settled="a2")
    assert order.reply is not None
    assert order.reply.id == "a3"
    assert not order.is_ambiguous


def test_settled_messages_are_not_waited_for() -> None:
    assert order_of("u2", "u1", "u2", settled="u1") == (None, [], set(), True)
    assert order_of("u2", "u1", "u2", "a2", settled="u1") == ("a2", [], set(), True)
    assert order_of("u2", "a1", "u2", "a2", settled="a1") == ("a2", [], set(), True)
    # But a message that was sent before, with the same key, is still looked for.
    assert order_of("u1", "u1", "u2", "a1", "a2", settled="u2") == ("a1", [], {"a2"}, True)
    order = ReplyOrder(room("u0", "a0", "u1"), "u1", settled="a0")
    assert (order.past, order.others) == ({"a0"}, set())
    # Nobody waits for the reply to a result whose call was before the list.
    assert ReplyOrder(room("t1", "u2", "a2"), None, settled="t1").unanswered == []


def test_list_that_begins_after_the_message_is_read() -> None:
    assert order_of("u1", is_cut_off=True) == (None, [], set(), True)
    assert order_of("u1", "t", "c2:y+", "t", "a1", is_cut_off=True) == ("a1", ["y"], set(), True)
    assert order_of("u1", "t", "u2", "a1", "a2", is_cut_off=True) == ("a1", [], {"a2"}, True)
    assert order_of("u2", "t", "u2", "a1", "a2") == ("a2", [], {"a1"}, True)
