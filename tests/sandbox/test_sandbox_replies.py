"""Scripted replies: what assistants say and which tools they call; in seeds, over HTTP, and in data files."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from interactor_ext.sandbox import Sandbox
from tests.support.sandbox_caller import Caller, listening, problem, seed_file

pytest_plugins = ["tests.support.sandbox_fixtures"]

ORDER = {"order_id": "A-7"}
SEED: dict[str, Any] = {
    "user_1": {
        "assistants": [{"id": "asst_1", "name": "Bot", "model": "gpt-4", "system_prompt": ""}],
        "rooms": [{"id": "room_1", "assistant_id": "asst_1"}],
        "replies": [{"id": "reply_1", "pattern": "(?i)^hello", "say": "From the seed.", "times": 1}],
    }
}


def test_matching_message_gets_scripted_reply_and_others_are_echoed(sandbox: Sandbox, caller: Caller) -> None:
    room = caller.room()
    sandbox.replies.add(when="my ORDER", say="It left yesterday.")
    sandbox.replies.add(when=re.compile(r"^refund (\d+)$", re.IGNORECASE), say="Refunded.")
    assert caller.say(room, "Where is my order?")["content"] == "It left yesterday."
    assert caller.say(room, "Refund 12")["content"] == "Refunded."
    assert caller.say(room, "Refund twelve")["content"] == "Bot here. You said: Refund twelve"


def test_scripted_reply_is_streamed_word_by_word(sandbox: Sandbox, caller: Caller) -> None:
    room = caller.room()
    sandbox.replies.add(say="It left yesterday.")
    with listening(caller, f"/rooms/{room['id']}/stream") as stream:
        caller.say(room, "Where is it?", stream=True)
        events = stream.until("message.complete")
    assert [event.get("content") for event in events[:-1]] == ["It ", "left ", "yesterday."]
    assert events[-1]["message"]["content"] == "It left yesterday."


def test_conditions_select_by_room_assistant_and_namespace(sandbox: Sandbox, caller: Caller, another: Any) -> None:
    room, named, other = caller.room(), caller.room(name="Sales"), caller.room()
    stranger = another("user_2")
    elsewhere = stranger.room()
    sandbox.replies.add(room=room["id"], say="by room")
    sandbox.replies.add(assistant="Sales", say="by name")
    sandbox.replies.add(assistant=other["assistant_id"], say="by id")
    sandbox.replies.add(namespace="user_2", say="by namespace")
    answers = [caller.say(each, "?")["content"] for each in (room, named, other, caller.room())]
    assert answers == ["by room", "by name", "by id", "Bot here. You said: ?"]
    assert stranger.say(elsewhere, "?")["content"] == "by namespace"


def test_earlier_reply_goes_first_until_it_is_used_up(sandbox: Sandbox, caller: Caller) -> None:
    room = caller.room()
    sandbox.replies.add(say="one", times=1)
    sandbox.replies.add(say="two", times=2)
    sandbox.replies.add(say="always")
    assert [caller.say(room, "?")["content"] for _ in range(2)] == ["one", "two"]
    assert [(each.say, each.left) for each in sandbox.replies] == [("two", 1), ("always", None)]
    assert [caller.say(room, "?")["content"] for _ in range(3)] == ["two", "always", "always"]


def test_unprompted_tool_call_is_followed_by_then(sandbox: Sandbox, caller: Caller) -> None:
    room = caller.room_with_tools("get_order")
    sandbox.replies.add(when="order", say="Let me look.", call=("get_order", ORDER), then="It is on its way.")
    with listening(caller, f"/rooms/{room['id']}/stream") as stream:
        asking = caller.say(room, "Where is my order?")
        stream.until("tool_call.start")
        [call] = asking["tool_calls"]
        assert (asking["content"], call["arguments"], call["status"]) == ("Let me look.", ORDER, "pending")
        answer = caller.submit(room, call, {"status": "sent"})
        assert answer["content"] == "It is on its way."
        types = [event["type"] for event in stream.until("message.complete")]
    assert types[:5] == ["message.delta"] * 3 + ["tool_call.start", "tool_call.complete"]


@pytest.mark.parametrize(
    ("then", "result", "answer"),
    [
        (None, {"status": "sent"}, 'Bot here. get_order returned {"status": "sent"}.'),
        ("It is on its way.", {"error": "down"}, 'Bot here. get_order returned {"error": "down"}.'),
    ],
)
def test_answer_quotes_result_without_then_and_after_failed_call(
    sandbox: Sandbox, caller: Caller, then: str | None, result: Any, answer: str
) -> None:
    room = caller.room_with_tools("get_order")
    sandbox.replies.add(call=("get_order", ORDER), then=then)
    [call] = caller.say(room, "?")["tool_calls"]
    sent = caller.submit(room, call, result)
    assert sent["content"] == answer


@pytest.mark.parametrize("stream", [False, True])
def test_scripted_call_of_unlisted_tool_is_422_and_changes_nothing(
    sandbox: Sandbox, caller: Caller, stream: bool
) -> None:
    room = caller.room_with_tools("get_order")
    sandbox.replies.add(call=("get_oder", {}), times=1)
    response = caller.post(f"/rooms/{room['id']}/messages", json={"content": "?", "stream": stream})
    message = problem(response, 422, "VALIDATION_ERROR")["content"]
    assert "calls the tool get_oder" in message
    assert "it lists get_order" in message
    assert caller.messages(room) == []
    assert len(sandbox.replies) == 1


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"when": "x"}, "something to say or a tool to call"),
        ({"say": ""}, "say: must not be empty"),
        ({"say": 5}, "say: must be a string"),
        ({"say": "x", "when": 5}, "when: must be a string"),
        ({"say": "x", "times": 0}, "times: must be at least 1"),
        ({"say": "x", "then": "y"}, "then: needs `call`"),
        ({"call": "get_order"}, "call: must be a list"),
        ({"call": ("get_order",)}, "call: must be the name of a tool and its arguments"),
        ({"call": ("get_order", {"id": float("nan")})}, "not JSON compliant"),
        ({"call": ("", {})}, "call: must be the name of a tool and its arguments"),
    ],
)
def test_invalid_scripted_reply_is_refused(sandbox: Sandbox, arguments: Any, problem: str) -> None:
    with pytest.raises(ValueError, match=re.escape(problem)):
        sandbox.replies.add(**arguments)
    assert len(sandbox.replies) == 0


def test_compiled_pattern_keeps_its_flags(sandbox: Sandbox, caller: Caller) -> None:
    room = caller.room()
    pattern = re.compile(r"^a.b$  # the last line", re.IGNORECASE | re.MULTILINE | re.DOTALL | re.VERBOSE)
    sandbox.replies.add(when=pattern, say="found")
    assert caller.say(room, "first\nA\nB")["content"] == "found"
    assert caller.say(room, "first\nA\nB.")["content"] != "found"


def test_replies_can_be_added_listed_and_removed_over_http(
    sandbox: Sandbox, caller: Caller, control: httpx.Client
) -> None:
    room = caller.room()
    made = control.post("/replies", json={"pattern": "^ask", "say": "By HTTP.", "times": 2})
    assert (made.status_code, made.json()["left"]) == (201, 2)
    control.post("/replies", json={"when": "call", "call": ["get_order", ORDER], "then": "Done."})
    assert caller.say(room, "ask")["content"] == "By HTTP."
    first, second = control.get("/replies").json()["replies"]
    assert (first["id"], first["left"], second["call"]) == (made.json()["id"], 1, ["get_order", ORDER])
    assert [each.call for each in sandbox.replies] == [None, ("get_order", ORDER)]
    assert control.delete(f"/replies/{first['id']}").status_code == 204
    assert control.delete(f"/replies/{first['id']}").status_code == 404
    assert caller.say(room, "ask")["content"] == "Bot here. You said: ask"
    assert control.delete("/replies").status_code == 204
    assert control.get("/replies").json() == {"replies": []}


def test_seed_replies_belong_to_their_namespace_and_return_after_reset(tmp_path: Path) -> None:
    with (
        Sandbox(seed=seed_file(tmp_path, SEED)).run() as sandbox,
        Caller(sandbox) as caller,
        Caller(sandbox, "user_2") as stranger,
    ):
        assert stranger.say(stranger.room(), "Hello")["content"] == "Bot here. You said: Hello"
        room = caller.read("/rooms/room_1")
        answers = [caller.say(room, "Hello")["content"] for _ in range(2)]
        assert answers == ["From the seed.", "Bot here. You said: Hello"]
        sandbox.replies.add(say="Added later.")
        sandbox.reset()
        assert [(each.id, each.namespace, each.left) for each in sandbox.replies] == [("reply_1", "user_1", 1)]
    flawed = seed_file(tmp_path, {"user_1": {"replies": [{"say": "x", "room": 5}]}})
    with pytest.raises(ValueError, match=r"user_1\.replies\[0\]\.room: must be a string"):
        Sandbox(seed=flawed)


def test_replies_and_pending_then_survive_restart(tmp_path: Path) -> None:
    path = tmp_path / "platform.db"
    with Sandbox(data=path).run() as sandbox, Caller(sandbox) as caller:
        room = caller.room_with_tools("get_order")
        sandbox.replies.add(call=("get_order", ORDER), then="It left.", times=1)
        sandbox.replies.add(when=re.compile("again"), say="And again.", times=2)
        [call] = caller.say(room, "?")["tool_calls"]
        caller.say(room, "again")
    with Sandbox(data=path).run() as sandbox, Caller(sandbox) as caller:
        assert [each.left for each in sandbox.replies] == [1]
        answer = caller.submit(room, call, 1)
        assert answer["content"] == "It left."
        assert [caller.say(room, "again")["content"] for _ in range(2)] == ["And again.", "Bot here. You said: again"]
