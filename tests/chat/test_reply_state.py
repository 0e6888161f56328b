"""ReplyState: what a chat does next after each event, list and failure, also of platforms that behave differently."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from interactor_client.models import Message, MessageComplete, MessageDelta, ToolCall, ToolCallStart
from interactor_ext import APIConnectionError, APITimeoutError, NotFoundError, StreamError
from interactor_ext.chat._state import Done, ListMessages, ReadStream, ReplyState, RunTools, Sleep
from interactor_ext.tools import WaitingCall

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def message(message_id: str, content: str = "", role: str = "assistant", *calls: ToolCall) -> Message:
    more: dict[str, Any] = {"tool_calls": list(calls)} if calls else {}
    return Message(id=message_id, room_id="room_1", role=role, content=content, created_at=NOW, **more)


def call(call_id: str, status: str = "pending") -> ToolCall:
    return ToolCall(id=call_id, tool_id="tool_1", arguments={}, status=status)


QUESTION = message("msg_1", "Hello?", "user")
ANSWER = message("msg_9", "Hello there")


def asked(*, runs_tools: bool = True) -> ReplyState:
    """The state after a message was sent in a room without other chats."""
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


def test_missing_text_is_added_as_a_delta_before_the_complete_message() -> None:
    state = asked()
    state.received(MessageDelta(content="Hello "))
    state.received(MessageComplete(message=ANSWER))
    assert list(state.events) == [
        MessageDelta(content="Hello "),
        MessageDelta(content="there"),
        MessageComplete(message=ANSWER),
    ]


@pytest.mark.parametrize("said", [{"content": None}, {}], ids=["null", "left out"])
@pytest.mark.parametrize("is_whole", [True, False])
def test_complete_message_without_content_has_what_was_streamed_or_listed(said: dict[str, Any], is_whole: bool) -> None:
    state = asked()
    state.received(MessageDelta(content="Hello there" if is_whole else "Hello "))
    if not is_whole:
        state.missed()
        state.listed([QUESTION])
    state.received(MessageComplete(message=Message.from_dict({"id": "msg_9", "role": "assistant", **said})))
    if not is_whole:
        assert state.action == ListMessages()
        state.listed([ANSWER, QUESTION])
    assert (text(state), state.action) == ("Hello there", Done())
    assert state.message is not None
    assert state.message.content == "Hello there"


def test_deltas_that_differ_from_the_message_stay_as_they_are() -> None:
    state = asked()
    state.received(MessageDelta(content="Hm, "))
    state.received(MessageComplete(message=ANSWER))
    assert text(state) == "Hm, "


def test_answer_in_the_response_ends_the_chat() -> None:
    state = ReplyState(runs_tools=False)
    state.sent(ANSWER)
    assert (state.message, state.action, text(state)) == (ANSWER, Done(), "Hello there")


def test_empty_answer_in_the_response_is_waited_for() -> None:
    state = ReplyState(runs_tools=False)
    state.sent(message("msg_9"))
    assert state.action == ReadStream()
    state.resumed("")
    state.listed([message("msg_9"), QUESTION])
    assert state.action == ReadStream()
    state.resumed("")
    state.listed([ANSWER, QUESTION])
    assert (state.message, state.action) == (ANSWER, Done())


def test_tool_calls_of_one_message_run_together() -> None:
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


@pytest.mark.parametrize(
    ("listing", "action"),
    [
        ([message("msg_2", "", "assistant", call("tc_1", "completed")), QUESTION], ReadStream()),
        ([], RunTools((call("tc_1"),))),
    ],
    ids=["completed", "lags behind"],
)
def test_tool_call_runs_unless_it_is_completed(listing: list[Message], action: Any) -> None:
    state = asked()
    state.received(ToolCallStart(tool_call=call("tc_1")))
    state.listed(listing)
    assert state.action == action


def test_decision_that_came_while_another_tool_ran_is_not_waited_for() -> None:
    state = asked()
    state.received(ToolCallStart(tool_call=call("tc_1")))
    state.listed([message("msg_2", "", "assistant", call("tc_1"), call("tc_2")), QUESTION])
    assert state.action == RunTools((call("tc_1"), call("tc_2")))
    state.waits(WaitingCall("tc_1", "refund", "room_1", None, {}, {}, ""))
    state.ran()
    state.listed([message("msg_2", "", "assistant", call("tc_1", "completed"), call("tc_2", "completed")), QUESTION])
    assert (state.action, state.waiting) == (ReadStream(), [])


def test_tool_calls_within_a_complete_message_run() -> None:
    """A message with open calls is not the answer; one whose calls are done is."""
    state = asked()
    state.received(MessageDelta(content="Let me see."))
    state.received(MessageComplete(message=message("msg_2", "Let me see.", "assistant", call("tc_1"), call("tc_2"))))
    assert state.action == RunTools((call("tc_1"), call("tc_2")))
    state.ran()
    final = message("msg_2", "Let me see. Three.", "assistant", call("tc_1", "completed"), call("tc_2", "failed"))
    state.received(MessageComplete(message=final))
    assert (state.message, state.action) == (final, Done())
    assert text(state) == "Let me see.Let me see. Three."


def test_reconnect_without_last_event_id_takes_the_text_from_the_message() -> None:
    """Without an id deltas may be missing, so the text comes from the complete message."""
    state = asked()
    state.received(MessageDelta(content="He"))
    state.resumed("")
    state.list_failed(APIConnectionError("away"))
    assert state.action == Sleep(0.1)
    state.woken()
    state.listed([QUESTION])
    assert state.action == ReadStream()
    state.received(MessageDelta(content="there"))
    assert text(state) == "He"
    state.received(MessageComplete(message=ANSWER))
    assert text(state) == "Hello there"


def test_reports_of_another_thread_after_close_are_ignored() -> None:
    state = asked()
    state.closed()
    state.received(MessageDelta(content="Hello "))
    state.listed([message("msg_2", "", "assistant", call("tc_1")), QUESTION])
    state.list_failed(APIConnectionError("away"))
    assert (state.action, list(state.events)) == (Done(), [])
    assert "before the reply was complete" in str(state.error)


def test_older_answers_and_unknown_messages_are_ignored() -> None:
    state = asked()
    state.missed()
    state.listed([message("msg_7", "From a page that does not reach back to the question.")])
    assert state.action == ReadStream()
    early = ReplyState(runs_tools=False)
    early.listed([ANSWER])
    assert early.action == ReadStream()


def test_answer_is_found_in_a_list_without_the_question() -> None:
    state = asked()
    state.missed()
    later = Message(
        id="msg_8", room_id="room_1", role="assistant", content="Yes.", created_at=NOW + timedelta(seconds=1)
    )
    state.listed([later, message("msg_0", "An older answer.")])
    assert state.message == later


@pytest.mark.parametrize("lists", [1, 3, 20])
def test_end_of_the_answer_that_cannot_be_read_is_looked_for_in_lists_that_lag(lists: int) -> None:
    """No event may follow that would show it."""
    state = asked()
    state.missed(is_complete=True)
    pauses = 0
    for _ in range(lists):
        state.listed([QUESTION])
        if isinstance(state.action, Sleep):
            pauses += 1
            state.woken()
    assert pauses == min(lists, 8)
    if lists < 8:
        state.listed([ANSWER, QUESTION])
        assert (state.action, state.message) == (Done(), ANSWER)
    else:
        assert state.action == ReadStream()


def test_without_a_stream_polling_ends_after_some_seconds() -> None:
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
    assert "ended" in str(state.error)
    assert not state.go_without_stream()


def test_without_a_stream_a_rejected_list_ends_the_chat() -> None:
    state = asked()
    state.stream_failed(StreamError("broken"))
    assert state.go_without_stream()
    state.list_failed(NotFoundError("gone"))
    assert state.action == Done()
    assert "broken" in str(state.error)


def test_tool_call_without_tools_is_logged_and_named_in_the_timeout(caplog: pytest.LogCaptureFixture) -> None:
    state = asked(runs_tools=False)
    state.received(ToolCallStart(tool_call=call("tc_1")))
    state.received(MessageComplete(message=message("msg_2", "", "assistant", call("tc_1"), call("tc_2"))))
    assert [record.getMessage().split(". ")[0] for record in caplog.records] == [
        "The assistant waits for the result of the tool call tc_1",
        "The assistant waits for the result of the tool call tc_2",
    ]
    state.stream_failed(APITimeoutError("The deadline of the stream has come."))
    assert state.action == Done()
    assert re.search(r"has come\. .*tool calls tc_1, tc_2\. .*pass tools=", str(state.error))


def test_tool_call_answered_elsewhere_is_not_named_in_the_timeout() -> None:
    state = asked(runs_tools=False)
    state.received(ToolCallStart(tool_call=call("tc_1")))
    state.received(MessageDelta(content="Now "))
    state.stream_failed(APITimeoutError("The deadline of the stream has come."))
    assert "tc_1" not in str(state.error)


@pytest.mark.parametrize("error", [None, APIConnectionError("away")], ids=["lags", "fails"])
def test_complete_message_that_is_not_listed_is_looked_for_for_some_seconds(error: APIConnectionError | None) -> None:
    state, others = asked(), [message("msg_2", "Hi.", "user"), QUESTION, message("msg_0", "Hello.", "user")]
    state.missed()
    state.listed(others)
    state.received(MessageComplete(message=message("msg_5", "To whom?")))
    pauses = 0.0
    while not isinstance(state.action, Done):
        if isinstance(state.action, Sleep):
            pauses += state.action.seconds
            state.woken()
        elif error is not None:
            state.list_failed(error)
        else:
            state.listed(others)
    assert 5 < pauses < 15
    assert error in (None, state.error)
    assert error is not None or "ambiguous" in str(state.error)
