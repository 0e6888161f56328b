"""How far an answer has come, told from events and lists of messages, also those of a platform with other ways."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from interactor_client.models import (
    Message,
    MessageComplete,
    MessageDelta,
    ToolCall,
    ToolCallComplete,
    ToolCallStart,
    UnknownEvent,
)
from interactor_ext import APIConnectionError, APITimeoutError, NotFoundError, StreamError
from interactor_ext.chat._state import Done, ListMessages, ReadStream, ReplyState, RunTools, Sleep

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def message(message_id: str, content: str = "", role: str = "assistant", *calls: ToolCall) -> Message:
    more: dict[str, Any] = {"tool_calls": list(calls)} if calls else {}
    return Message(id=message_id, room_id="room_1", role=role, content=content, created_at=NOW, **more)


def call(call_id: str, status: str = "pending") -> ToolCall:
    return ToolCall(id=call_id, tool_id="tool_1", arguments={}, status=status)


QUESTION = message("msg_1", "Hello?", "user")
ANSWER = message("msg_9", "Hello there")
RESULT = message("msg_3", "3", "tool")


def asked(*, runs_tools: bool = True) -> ReplyState:
    """A message that was sent in a room where nobody else is."""
    state = ReplyState(runs_tools=runs_tools)
    state.quiet(None)
    state.sent(QUESTION)
    assert state.action == ReadStream()
    state.resumed("1")
    state.listed([QUESTION])
    assert state.action == ReadStream()
    return state


def text(state: ReplyState) -> str:
    return "".join(event.content for event in state.events if isinstance(event, MessageDelta))


def test_words_and_then_the_message() -> None:
    state = asked()
    for event in (MessageDelta(content="Hello "), MessageDelta(content="there"), MessageComplete(message=ANSWER)):
        state.received(event)
    assert (state.message, state.action, text(state)) == (ANSWER, Done(), "Hello there")
    assert len(state.events) == 3


def test_a_message_without_its_words() -> None:
    state = asked()
    state.received(MessageDelta(content="Hello "))
    state.received(MessageComplete(message=ANSWER))
    assert list(state.events) == [
        MessageDelta(content="Hello "),
        MessageDelta(content="there"),
        MessageComplete(message=ANSWER),
    ]


def test_words_that_are_not_those_of_the_message_are_left_as_they_are() -> None:
    state = asked()
    state.received(MessageDelta(content="Hm, "))
    state.received(MessageComplete(message=ANSWER))
    assert text(state) == "Hm, "


def test_a_platform_that_answers_at_once() -> None:
    state = ReplyState(runs_tools=False)
    state.sent(ANSWER)
    assert (state.message, state.action, text(state)) == (ANSWER, Done(), "Hello there")


def test_a_platform_that_gives_back_the_answer_empty_as_yet() -> None:
    state = ReplyState(runs_tools=False)
    state.sent(message("msg_9"))
    assert state.action == ReadStream()
    state.resumed("")
    state.listed([message("msg_9"), QUESTION])
    assert state.action == ReadStream()
    state.resumed("")
    state.listed([ANSWER, QUESTION])
    assert (state.message, state.action) == (ANSWER, Done())


def test_events_that_are_not_the_answer() -> None:
    state = asked()
    echo = MessageComplete(message=message("msg_1", "Hello?", "user"))
    result = MessageComplete(message=message("msg_2", "3", "tool"))
    new = UnknownEvent(type="message.thinking")
    for event in (echo, result, new):
        state.received(event)
    assert list(state.events) == [echo, result, new]
    assert state.action == ReadStream()


def test_calls_that_were_asked_for_together_run_together() -> None:
    state = asked()
    state.received(ToolCallStart(tool_call=call("tc_1")))
    assert state.action == ListMessages()
    state.listed([message("msg_2", "", "assistant", call("tc_1"), call("tc_2"), call("tc_3", "completed")), QUESTION])
    assert state.action == RunTools((call("tc_1"), call("tc_2")))
    state.ran()
    assert state.action == ReadStream()
    # Their own events come only now, and again after a reconnect.
    for _ in range(2):
        state.received(ToolCallStart(tool_call=call("tc_2")))
        assert state.action == ReadStream()
    state.resumed("7")
    state.listed([message("msg_2", "", "assistant", call("tc_1"), call("tc_2")), QUESTION])
    assert state.action == ReadStream()


def test_a_call_that_somebody_else_has_answered_meanwhile() -> None:
    state = asked()
    state.received(ToolCallStart(tool_call=call("tc_1")))
    state.listed([message("msg_2", "", "assistant", call("tc_1", "completed")), QUESTION])
    assert state.action == ReadStream()


def test_a_call_runs_although_the_messages_cannot_be_listed() -> None:
    state = asked()
    state.received(ToolCallStart(tool_call=call("tc_1")))
    state.list_failed(NotFoundError("no"))
    assert state.action == RunTools((call("tc_1"),))


def test_a_call_runs_although_the_list_does_not_show_it() -> None:
    state = asked()
    state.received(ToolCallStart(tool_call=call("tc_1")))
    state.listed([])
    assert state.action == RunTools((call("tc_1"),))


def test_calls_within_a_complete_message() -> None:
    """Such a message asks; it is not the answer. One whose calls are done is."""
    state = asked()
    state.received(MessageDelta(content="Let me see."))
    state.received(MessageComplete(message=message("msg_2", "Let me see.", "assistant", call("tc_1"), call("tc_2"))))
    assert state.action == RunTools((call("tc_1"), call("tc_2")))
    state.ran()
    final = message("msg_2", "Let me see. Three.", "assistant", call("tc_1", "completed"), call("tc_2", "failed"))
    state.received(MessageComplete(message=final))
    assert (state.message, state.action) == (final, Done())
    assert text(state) == "Let me see.Let me see. Three."


def test_calls_are_left_alone_where_nobody_asked_to_run_them() -> None:
    state = asked(runs_tools=False)
    asking = message("msg_2", "", "assistant", call("tc_1"))
    state.received(ToolCallStart(tool_call=call("tc_1")))
    state.listed([asking, QUESTION])
    state.received(MessageComplete(message=asking))
    assert state.action == ReadStream()
    state.received(ToolCallComplete(tool_call=call("tc_1", "completed")))
    state.received(MessageComplete(message=ANSWER))
    state.listed([ANSWER, RESULT, message("msg_2", "", "assistant", call("tc_1", "completed")), QUESTION])
    assert state.message == ANSWER


def test_a_gap_that_the_server_can_fill() -> None:
    state = asked()
    state.received(MessageDelta(content="Hello "))
    state.resumed("5")
    assert state.action == ListMessages()
    state.listed([QUESTION])
    assert state.action == ReadStream()
    state.received(MessageDelta(content="there"))
    assert text(state) == "Hello there"


def test_a_gap_that_nobody_can_fill() -> None:
    """Without an id there may be words missing, and only the message tells which."""
    state = asked()
    state.received(MessageDelta(content="He"))
    state.resumed("")
    state.list_failed(APIConnectionError("away"))
    assert state.action == ReadStream()
    state.received(MessageDelta(content="there"))
    assert text(state) == "He"
    state.received(MessageComplete(message=ANSWER))
    assert text(state) == "Hello there"


def test_an_answer_that_came_in_a_gap() -> None:
    state = asked()
    state.resumed("")
    state.listed([ANSWER, QUESTION, message("msg_0", "An older answer.")])
    assert (state.message, text(state)) == (ANSWER, "Hello there")


def test_older_answers_and_unknown_messages_are_not_the_answer() -> None:
    state = asked()
    state.missed()
    state.listed([message("msg_7", "From a page that does not reach back to the question.")])
    assert state.action == ReadStream()
    early = ReplyState(runs_tools=False)
    early.listed([ANSWER])
    assert early.action == ReadStream()


def test_a_list_that_does_not_reach_back_to_the_question() -> None:
    state = asked()
    state.missed()
    later = Message(
        id="msg_8", room_id="room_1", role="assistant", content="Yes.", created_at=NOW + timedelta(seconds=1)
    )
    state.listed([later, message("msg_0", "An older answer.")])
    assert state.message == later


def test_a_list_that_is_refused_ends_it() -> None:
    state = asked()
    state.resumed("")
    state.list_failed(NotFoundError("gone"))
    assert isinstance(state.reason, NotFoundError)
    assert state.action == Done()
    assert not state.go_without_stream()


def test_without_the_stream_it_looks_again_and_again() -> None:
    state = asked()
    state.stream_failed(StreamError("broken"))
    assert state.action == Done()
    assert state.go_without_stream()
    assert state.action == ListMessages()
    state.listed([QUESTION])
    assert isinstance(state.action, Sleep)
    state.woken()
    state.list_failed(APIConnectionError("away"))
    assert isinstance(state.action, Sleep)
    state.woken()
    state.listed([message("msg_2", "", "assistant", call("tc_1")), QUESTION])
    assert state.action == RunTools((call("tc_1"),))
    state.ran()
    assert isinstance(state.action, Sleep)
    state.woken()
    state.listed([ANSWER, message("msg_2", "", "assistant", call("tc_1", "completed")), QUESTION])
    assert (state.message, state.error, state.action) == (ANSWER, None, Done())


def test_without_the_stream_it_does_not_look_for_ever() -> None:
    state = asked()
    state.ended()
    assert state.action == ListMessages()
    pauses = 0.0
    while not isinstance(state.action, Done):
        if isinstance(state.action, Sleep):
            pauses += state.action.seconds
            state.woken()
        else:
            state.listed([QUESTION])
    assert 5 < pauses < 15
    assert "ended" in str(state.reason)
    assert not state.go_without_stream()


def test_without_the_stream_a_refusal_is_the_end() -> None:
    state = asked()
    state.stream_failed(StreamError("broken"))
    assert state.go_without_stream()
    state.list_failed(NotFoundError("gone"))
    assert state.action == Done()
    assert "broken" in str(state.reason)


def test_a_stream_that_ends_before_the_message() -> None:
    state = asked()
    state.received(MessageDelta(content="Hello "))
    state.ended()
    state.listed([ANSWER, QUESTION])
    assert (state.message, state.error, text(state)) == (ANSWER, None, "Hello there")


def test_a_deadline_is_the_end() -> None:
    state = asked()
    state.stream_failed(APITimeoutError("too late"))
    assert not state.go_without_stream()


def test_leaving() -> None:
    state = asked()
    state.closed()
    assert state.action == Done()
    assert not state.go_without_stream()
    answered = asked()
    answered.received(MessageComplete(message=ANSWER))
    answered.closed()
    assert (answered.message, answered.error) == (ANSWER, None)


def test_what_was_left_stays_left() -> None:
    """Whatever another thread reports that has not heard of it yet."""
    for report in (
        lambda state: state.received(MessageDelta(content="Hello ")),
        lambda state: state.received(ToolCallStart(tool_call=call("tc_1"))),
        lambda state: state.received(MessageComplete(message=message("msg_2", "", "assistant", call("tc_1")))),
        lambda state: state.resumed("5"),
        ReplyState.missed,
        lambda state: state.listed([message("msg_2", "", "assistant", call("tc_1")), QUESTION]),
        lambda state: state.list_failed(APIConnectionError("away")),
        ReplyState.ran,
        ReplyState.woken,
        ReplyState.ended,
        lambda state: state.stream_failed(StreamError("broken")),
        lambda state: state.failed(NotFoundError("gone")),
    ):
        state = asked()
        state.closed()
        report(state)
        assert (state.action, list(state.events)) == (Done(), [])
        assert "left" in str(state.reason)
        assert not state.go_without_stream()


def test_a_call_that_nobody_here_runs_is_told_of(caplog: pytest.LogCaptureFixture) -> None:
    state = asked(runs_tools=False)
    state.received(ToolCallStart(tool_call=call("tc_1")))
    state.received(MessageComplete(message=message("msg_2", "", "assistant", call("tc_1"), call("tc_2"))))
    assert [record.getMessage().split(". ")[0] for record in caplog.records] == [
        "The assistant waits for the result of the tool call tc_1",
        "The assistant waits for the result of the tool call tc_2",
    ]
    state.stream_failed(APITimeoutError("The deadline of the stream has come."))
    assert state.action == Done()
    assert re.search(r"has come\. .*tool calls tc_1, tc_2\. .*pass tools=", str(state.reason))


def test_a_call_that_was_answered_elsewhere_is_waited_for_no_longer() -> None:
    state = asked(runs_tools=False)
    state.received(ToolCallStart(tool_call=call("tc_1")))
    state.received(MessageDelta(content="Now "))
    state.stream_failed(APITimeoutError("The deadline of the stream has come."))
    assert "tc_1" not in str(state.reason)
