"""Tools with a callback_url: the sandbox posts their calls, and the answers are the results."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from interactor_client.models import RoomToolCallPendingEvent
from interactor_ext.sandbox import Sandbox
from tests.support.sandbox_caller import Caller, listening, problem
from tests.support.scripted_server import Receiver, receiving

pytest_plugins = ["tests.support.sandbox_fixtures"]

ORDER = {"order_id": "A-7"}


@pytest.fixture
def shop() -> Iterator[tuple[Receiver, str]]:
    with receiving() as pair:
        yield pair


def answer_to(caller: Caller, room: dict[str, Any], content: str, **fields: Any) -> dict[str, Any]:
    """The message after the callback, from the stream."""
    with listening(caller, f"/rooms/{room['id']}/stream") as stream:
        sent = caller.say(room, content, **fields)
        if not fields:
            assert [each["status"] for each in sent["tool_calls"]] == ["pending"]
        events = stream.until("message.complete")
    return dict(events[-1]["message"])


@pytest.mark.parametrize("fields", [{}, {"stream": True}])
def test_call_is_posted_signed_and_its_answer_is_the_result(
    sandbox: Sandbox, caller: Caller, shop: tuple[Receiver, str], fields: dict[str, Any]
) -> None:
    receiver, url = shop
    receiver.content = b'{"status": "sent"}'
    room = caller.room_with_tools("get_order", callback_url=f"{url}/orders?tool=1")
    answer = answer_to(caller, room, f"/tool get_order {json.dumps(ORDER)}", **fields)
    assert answer["content"] == 'Bot here. get_order returned {"status": "sent"}.'
    [got] = receiver.got
    event = got.verified(sandbox.client_secret, sandbox)
    assert got.path == "/orders?tool=1"
    assert isinstance(event, RoomToolCallPendingEvent)
    assert (event.namespace, event.data.room_id, event.data.arguments) == ("user_1", room["id"], ORDER)
    asking = next(each for each in caller.messages(room) if each.get("tool_calls"))
    assert [(each["id"], each["status"]) for each in asking["tool_calls"]] == [(event.data.tool_call_id, "completed")]
    assert asking["tool_calls"][0]["result"] == {"status": "sent"}


def test_scripted_call_reaches_the_callback_and_then_is_said(
    sandbox: Sandbox, caller: Caller, shop: tuple[Receiver, str]
) -> None:
    receiver, url = shop
    sandbox.replies.add(call=("get_order", ORDER), then="It is on its way.")
    room = caller.room_with_tools("get_order", callback_url=url)
    assert answer_to(caller, room, "Where is it?")["content"] == "It is on its way."
    assert json.loads(receiver.got[0].body)["data"]["arguments"] == ORDER


@pytest.mark.parametrize(
    ("status", "content", "reason"),
    [
        (500, b'{"status": "sent"}', "its callback_url responded with 500"),
        (302, b"", "its callback_url responded with 302"),
        (200, b"<html>", "its callback_url responded with something other than JSON"),
        (200, b'{"a": NaN}', "its callback_url responded with something other than JSON"),
        (200, b"\xff", "its callback_url responded with something other than JSON"),
    ],
    ids=["500", "302", "html", "nan", "no-utf-8"],
)
def test_failed_callback_is_reported_by_the_assistant(
    sandbox: Sandbox, caller: Caller, shop: tuple[Receiver, str], status: int, content: bytes, reason: str
) -> None:
    receiver, url = shop
    receiver.answers.append(status)
    receiver.content = content
    sandbox.replies.add(call=("get_order", ORDER), then="It is on its way.")
    room = caller.room_with_tools("get_order", callback_url=url)
    answer = answer_to(caller, room, "Where is it?")["content"]
    assert answer == f"Bot here. get_order returned {json.dumps({'error': f'The call failed: {reason}.'})}."
    asking = next(each for each in caller.messages(room) if each.get("tool_calls"))
    assert asking["tool_calls"][0]["status"] == "failed"
    assert len(receiver.got) == 1


def test_callback_that_is_too_slow_fails(sandbox: Sandbox, caller: Caller, shop: tuple[Receiver, str]) -> None:
    receiver, url = shop
    receiver.hang()
    sandbox.delivery.timeout = 0.05
    answer = answer_to(caller, caller.room_with_tools("get_order", callback_url=url), "/tool get_order")
    assert "The call failed: no response within 0.05 s." in answer["content"]


@pytest.mark.parametrize(
    ("url", "reason"), [("http://8.8.8.8/", "8.8.8.8 is a public address"), ("http://127.0.0.1:9/", "ConnectError")]
)
def test_callback_that_is_public_or_unreachable_fails(caller: Caller, url: str, reason: str) -> None:
    answer = answer_to(caller, caller.room_with_tools("get_order", callback_url=url), "/tool get_order")
    assert reason in answer["content"]


def test_result_that_was_submitted_first_stays(sandbox: Sandbox, caller: Caller, shop: tuple[Receiver, str]) -> None:
    receiver, url = shop
    receiver.hang()
    receiver.content = b'"late"'
    room = caller.room_with_tools("get_order", callback_url=url)
    [call] = caller.say(room, "/tool get_order")["tool_calls"]
    receiver.wait(1)
    assert caller.submit(room, call, "early")["content"].endswith('returned "early".')
    receiver.go_on.set()
    again = {"tool_call_id": call["id"], "result": "early"}
    problem(caller.post(f"/rooms/{room['id']}/tool-results", json=again), 409, "CONFLICT")
    messages = caller.messages(room)
    assert [each["role"] for each in messages] == ["user", "assistant", "tool", "assistant"]


def test_all_callbacks_of_a_message_bring_one_answer(caller: Caller, shop: tuple[Receiver, str]) -> None:
    receiver, url = shop
    receiver.content = b"1"
    room = caller.room_with_tools("get_order", callback_url=url)
    with listening(caller, f"/rooms/{room['id']}/stream") as stream:
        caller.say(room, "/tool get_order\n/tool get_order\n/then\n/tool get_order")
        events = stream.until("message.complete")
    assert len(receiver.got) == 3
    assert events[-1]["message"]["content"] == "Bot here. " + " ".join(["get_order returned 1."] * 3)


def test_callback_of_deleted_room_is_dropped(caller: Caller, shop: tuple[Receiver, str], sandbox: Sandbox) -> None:
    receiver, url = shop
    receiver.hang()
    room = caller.room_with_tools("get_order", callback_url=url)
    caller.say(room, "/tool get_order")
    receiver.wait(1)
    caller.delete(f"/rooms/{room['id']}")
    receiver.go_on.set()
    other = caller.room_with_tools("get_order", callback_url=url)
    assert answer_to(caller, other, "/tool get_order")["content"] == "Bot here. get_order returned null."
    assert caller.get(f"/rooms/{room['id']}/messages").status_code == 404
