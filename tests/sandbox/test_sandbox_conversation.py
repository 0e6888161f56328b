"""Messages, replies, rounds of tool calls, and the events on room streams."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from interactor_ext.sandbox import Sandbox
from tests.support.sandbox_caller import Caller, check_event, listening, problem, waiting_replies
from tests.support.waiting import eventually

pytest_plugins = ["tests.support.sandbox_fixtures"]

Another = Callable[..., Caller]


def test_message_without_stream_returns_reply_and_emits_events(caller: Caller) -> None:
    room = caller.room(name="Support Bot")
    with listening(caller, f"/rooms/{room['id']}/stream") as stream:
        answer = caller.say(room, "Hello!")
        events = stream.until("message.complete")
    assert (answer["role"], answer["content"]) == ("assistant", "Support Bot here. You said: Hello!")
    assert [event["content"] for event in events[:-1]] == ["Support ", "Bot ", "here. ", "You ", "said: ", "Hello!"]
    assert events[-1]["message"] == answer == caller.messages(room)[1]
    assert caller.messages(room)[0]["content"] == "Hello!"


def test_message_with_stream_returns_own_message_and_streams_reply(caller: Caller) -> None:
    room = caller.room()
    with listening(caller, f"/rooms/{room['id']}/stream") as stream:
        own = caller.say(room, "one  two\nthree", stream=True)
        events = stream.until("message.complete")
    assert (own["role"], own["content"]) == ("user", "one  two\nthree")
    assert "".join(event["content"] for event in events[:-1]) == "Bot here. You said: one  two\nthree"
    assert caller.messages(room) == [own, events[-1]["message"]]


@pytest.mark.parametrize("role", ["system", "assistant", "tool"])
def test_message_of_other_role_is_stored_without_reply(caller: Caller, role: str) -> None:
    room = caller.room()
    kept = caller.say(room, "/tool add", role=role, stream=True)
    assert kept["role"] == role
    assert caller.messages(room) == [kept]


def test_replies_in_a_room_are_serialized(caller: Caller) -> None:
    room = caller.room()
    texts = [f"{letter} " * 30 for letter in "abcdef"]
    with listening(caller, f"/rooms/{room['id']}/stream") as stream, ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda text: caller.say(room, text, stream=text[0] in "ace"), texts))
        eventually(lambda: sum(event["type"] == "message.complete" for event in stream.events) == 6)
    answers, words = [], ""
    for event in stream.events:
        if event["type"] == "message.delta":
            words += event["content"]
        else:
            answers.append(words)
            assert event["message"]["content"] == words
            words = ""
    assert sorted(answers) == sorted(f"Bot here. You said: {text}" for text in texts)


def test_one_tool_call_is_issued_and_completed(sandbox: Sandbox, caller: Caller) -> None:
    room = caller.room_with_tools("get_weather")
    with listening(caller, f"/rooms/{room['id']}/stream") as stream:
        asking = caller.say(room, 'What now?\n/tool get_weather {"city": "Oslo"}')
        (call,) = asking["tool_calls"]
        assert (asking["content"], call["arguments"], call["status"]) == ("", {"city": "Oslo"}, "pending")
        assert caller.read(f"/tools/{call['tool_id']}")["name"] == "get_weather"
        answer = caller.submit(room, call, {"sky": "grey"})
        events = stream.until("message.complete")
    assert answer["content"] == 'Bot here. get_weather returned {"sky": "grey"}.'
    started, completed = events[:2]
    assert started == {"type": "tool_call.start", "tool_call": call}
    done = {**call, "status": "completed", "result": {"sky": "grey"}}
    assert completed == {"type": "tool_call.complete", "tool_call": done}
    assert [message["role"] for message in caller.messages(room)] == ["user", "assistant", "tool", "assistant"]
    assert caller.messages(room)[1]["tool_calls"] == [done]
    for event in sandbox.events:
        check_event("WebhookEvent", "event", event)
    pending = next(event for event in sandbox.events if event["event"] == "room.tool_call.pending")
    assert pending["data"]["tool_name"] == "get_weather"


def test_tool_calls_run_in_rounds(caller: Caller) -> None:
    room = caller.room_with_tools("a", "b", "c")
    first = caller.say(room, "/tool a\n/tool b {}\n/then\n/tool c")
    one, two = first["tool_calls"]
    waiting = caller.submit(room, two, [1, None])
    assert [call["status"] for call in waiting["tool_calls"]] == ["pending", "completed"]
    assert waiting["id"] == first["id"]
    second = caller.submit(room, one, {"error": "boom"})
    (three,) = second["tool_calls"]
    assert second["id"] != first["id"]
    final = caller.submit(room, three, "x" * 500)
    assert final["content"].startswith('Bot here. a returned {"error": "boom"}. b returned [1, null]. c returned "xxx')
    assert final["content"].endswith("....")
    kept = [call["status"] for message in caller.messages(room) for call in message.get("tool_calls", ())]
    assert kept == ["failed", "completed", "completed"]


def test_streamed_reply_continues_after_tool_result(caller: Caller) -> None:
    room = caller.room_with_tools("a")
    with listening(caller, f"/rooms/{room['id']}/stream") as stream:
        caller.say(room, "/tool a", stream=True)
        call = stream.until("tool_call.start")[0]["tool_call"]
        given = caller.submit(room, call, "3 °C")
        final = stream.until("message.complete")[-1]["message"]
    assert [each["id"] for each in given["tool_calls"]] == [call["id"]]
    assert final["content"] == 'Bot here. a returned "3 °C".'


def test_uncallable_tools_are_named_in_reply(caller: Caller) -> None:
    room = caller.room_with_tools("a")
    caller.make("/tools", name="unlisted", description="", parameters={})
    content = "/toolbox a\n/tool\n/tool unlisted\n/tool a [1]\n/tool a {bad\n/tool a NaN\n/then\n/tool nothing"
    answer = caller.say(room, content)
    assert "I don't know a tool named unlisted." in answer["content"]
    assert answer["content"].count("I couldn't read the arguments for a") == 3
    assert "I don't know a tool named nothing." in answer["content"]
    mixed = caller.say(room, "/tool nothing\n/tool a")
    assert (
        "I don't know a tool named nothing. a returned null."
        in caller.submit(room, mixed["tool_calls"][0], None)["content"]
    )


def test_tool_result_is_accepted_once_and_in_its_room(caller: Caller, another: Another) -> None:
    room = caller.room_with_tools("a")
    call = caller.say(room, "/tool a")["tool_calls"][0]
    path, body = f"/rooms/{room['id']}/tool-results", {"tool_call_id": call["id"], "result": 1}
    other_room = caller.room()
    assert "tool_call_id" in problem(
        caller.post(f"/rooms/{other_room['id']}/tool-results", json=body), 422, "VALIDATION_ERROR"
    )
    problem(another("user_2").post(path, json=body), 404, "NOT_FOUND")
    assert "result" in problem(caller.post(path, json={"tool_call_id": call["id"]}), 422, "VALIDATION_ERROR")
    assert caller.post(path, json=body).status_code == 200
    problem(caller.post(path, json=body), 409, "CONFLICT")


@pytest.mark.parametrize("streamed", [True, False])
@pytest.mark.parametrize("content", ["Hello", "/tool a"])
def test_message_waiting_in_deleted_room_returns_404(streamed: bool, content: str) -> None:
    with Sandbox(word_delay=0.2).run() as sandbox, Caller(sandbox) as caller, ThreadPoolExecutor(1) as pool:
        room = caller.room_with_tools("a")
        with listening(caller, f"/rooms/{room['id']}/stream") as stream:
            caller.say(room, "word " * 100, stream=True)
            stream.until("message.delta")
            body = {"content": content, "stream": streamed}
            waiting = pool.submit(caller.post, f"/rooms/{room['id']}/messages", json=body)
            eventually(lambda: waiting_replies(sandbox, room["id"]) == 1)
            caller.delete(f"/rooms/{room['id']}")
            assert not [event for event in stream.end() if event["type"] in {"done", "message.complete"}]
            assert waiting.result().status_code == (201 if streamed else 404)
        assert sandbox.open_streams == 0


@pytest.mark.parametrize("streamed", [False, True])
def test_message_and_tool_result_for_deleted_assistant_are_not_stored(caller: Caller, streamed: bool) -> None:
    room = caller.room_with_tools("a")
    with listening(caller, f"/rooms/{room['id']}/stream") as stream:
        caller.say(room, "/tool a", stream=streamed)
        stream.until("tool_call.start")
    before = caller.messages(room)
    caller.delete(f"/assistants/{room['assistant_id']}")
    body = {"tool_call_id": before[1]["tool_calls"][0]["id"], "result": 1}
    problem(caller.post(f"/rooms/{room['id']}/tool-results", json=body), 409, "CONFLICT")
    problem(caller.post(f"/rooms/{room['id']}/messages", json={"content": "Hello"}), 409, "CONFLICT")
    assert caller.messages(room) == before
