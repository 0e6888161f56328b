"""State machine of a chat: decides from events and lists of messages what to do next, without a socket or a clock.

A loop hands out `events`, carries out `action`, and reports the outcome:

    ReadStream      wait for the next event of the stream     -> received, resumed, missed, ended or stream_failed
    ListMessages    list the room's messages, newest first    -> listed or list_failed
    RunTools        run these tool calls, all at once         -> ran or failed
    Sleep           sleep, then go on                         -> woken
    Done            `message` is the answer, or `error` is the reason why there is none

Done is for good, whatever is reported after it, unless `go_without_stream` is called: another thread or task may have
left the chat meanwhile.

Events do not name the message that they answer, and other senders may use the same room. So before the first event that
may belong to another message, after the message was sent and after each round of tools, the room's messages are listed,
and their order decides (_answer_order.py). While another message is being answered, nothing is handed out.
"""

from __future__ import annotations

from collections import deque
from enum import Enum, auto
from typing import Any, NamedTuple

import attrs

from interactor_client.models import Message, MessageComplete, MessageDelta, ToolCall, ToolCallComplete, ToolCallStart
from interactor_ext._errors import (
    APIConnectionError,
    APITimeoutError,
    CircuitOpenError,
    InteractorError,
    RateLimitError,
    ServerError,
    StreamError,
)
from interactor_ext._redaction import clean_text
from interactor_ext.chat._answer_order import NOT_THE_ASSISTANT, AnswerOrder
from interactor_ext.logs import logger
from interactor_ext.tools._approval import ApprovalError, WaitingCall
from interactor_ext.tools._calls import is_finished

# Seconds between lists of a room whose stream is lost, or whose list lags behind it.
_POLL_PAUSES = (0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0, 2.0)
WAYS = (
    "pass tools= to the chat, give the tool a callback_url, or submit the result in a webhook handler of "
    "room.tool_call.pending"
)
_ADVICE = f"Unless something else already runs it, {WAYS}."


class ReadStream(NamedTuple):
    """Without a time limit of its own: the stream has that of the chat."""


class ListMessages(NamedTuple):
    """One page: the order of the newest messages decides."""


class RunTools(NamedTuple):
    calls: tuple[ToolCall, ...]


class Sleep(NamedTuple):
    seconds: float


class Done(NamedTuple):
    """With or without an answer."""


class _Turn(Enum):
    """Which answer the next events of the stream belong to."""

    OURS = auto()
    ANOTHERS = auto()
    UNKNOWN = auto()


class ReplyState:
    """One message and its answer, which may take several rounds of tool calls."""

    def __init__(self, *, runs_tools: bool) -> None:
        self.events: deque[Any] = deque()
        self.action: ReadStream | ListMessages | RunTools | Sleep | Done = ReadStream()
        self.message: Message | None = None
        self.error: InteractorError | None = None
        self._runs_tools = runs_tools
        self.sent_message: Message | None = None
        # The id of the newest message that was there before.
        self._settled: str | None = None
        self._turn = _Turn.UNKNOWN
        # An event that is handed out, or dropped, after the next list.
        self._held: Any = None
        # Ids from the stream: completed answers to others, and results in their order. Then the ids of calls
        # that are known to be of this answer, and of those that are not.
        self._completed: set[str] = set()
        self._results: list[str] = []
        self._calls: set[str] = set()
        self._calls_of_others: set[str] = set()
        self._lag_pauses = deque(_POLL_PAUSES)
        # The text of the current message that was handed out, and whether some was lost after that.
        self._text = ""
        self._has_gap = False
        self._looks_for_answer = False
        self._to_run: dict[str, ToolCall] = {}
        # The calls whose results another client has to submit, by id; and those that were not looked into yet.
        self.others_to_run: dict[str, ToolCall] = {}
        self.to_look_into: deque[ToolCall] = deque()
        # The calls that wait until a person approves them.
        self.waiting: list[WaitingCall] = []
        self._started: set[str] = set()
        self._poll_pauses: deque[float] | None = None
        self._is_resumable = False
        self._is_closed = False

    @property
    def is_done(self) -> bool:
        return isinstance(self.action, Done)

    def quiet(self, newest: str | None) -> None:
        """No message in the room waits for an answer. `newest` is the id of its newest message."""
        self._settled = newest

    def sent(self, message: Message, *, is_repeat: bool = False) -> None:
        """The message was accepted; the platform gives it back, or, if it does not stream, the answer itself.

        If it may have been sent before, with the same idempotency key, it may have been answered then.
        """
        self.sent_message = message
        if is_repeat:
            self._set_action(ListMessages())
        if self._is_answer and (message.content or message.tool_calls):
            self._complete(MessageComplete(message=message))

    def received(self, event: Any) -> None:
        if self.is_done:
            return
        if self._is_of_others(event):
            self._drop_text()
        elif not self._may_be_of_others(event):
            self._accept(event)
        elif self._turn is _Turn.ANOTHERS and isinstance(event, MessageDelta):
            self._has_gap = True
        else:
            self._held = event
            self._set_action(ListMessages())

    def resumed(self, last_event_id: str) -> None:
        """The stream broke off and is connected again. Without an id the server cannot know what to send again."""
        self._has_gap = self._has_gap or not last_event_id
        self._set_action(ListMessages())

    def missed(self, *, is_complete: bool = False) -> None:
        """An event could not be read. `is_complete` tells whether it completed a message."""
        self._has_gap = True
        if is_complete:  # no event may follow, and the list may lag behind
            self._lag_pauses = deque(_POLL_PAUSES)
            self._looks_for_answer = True
        self._set_action(ListMessages())

    def listed(self, newest_first: list[Message]) -> None:
        if self.is_done:
            return
        order = self._order(newest_first)
        held, self._held = self._held, None
        if isinstance(held, MessageComplete) and held.message.id in order.others | order.past:
            self._completed.add(held.message.id)
        self._note_calls(order)
        if held is not None and self._is_of_others(held):
            self._drop_text()
            held = None
        self._turn = _Turn.OURS if order.is_ours_next and order.others <= self._completed else _Turn.ANOTHERS
        self._set_action(ReadStream())
        if held is not None and (self._turn is _Turn.OURS or self._is_listed(held, order)):
            self._accept(held)
        elif order.answer is not None and not self._to_run:
            self._finish(MessageComplete(message=order.answer))
        elif (
            order.is_ambiguous
            and not self._to_run
            and (self._poll_pauses is not None or isinstance(held, MessageComplete))
        ):
            # Before that, the stream may still show which result came first.
            self.failed(self._ambiguous_error())
        elif isinstance(held, MessageDelta):
            self._has_gap = True
        elif held is not None:
            self._list_again_later(held, self._ambiguous_error())
            return
        if self._to_run:
            self._run_tools()
        elif self.waiting:
            self._needs_approval()
        elif isinstance(self.action, ReadStream):
            if self._looks_for_answer and self._turn is _Turn.OURS and self._lag_pauses:
                self._set_action(Sleep(self._lag_pauses.popleft()))
            else:
                self._looks_for_answer = False
                self._continue()

    def list_failed(self, error: InteractorError) -> None:
        if self.is_done:
            return
        held, self._held = self._held, None
        is_transient = isinstance(error, APIConnectionError | CircuitOpenError | RateLimitError | ServerError)
        if self._poll_pauses is None:
            if is_transient:
                self._list_again_later(held, error)
            else:
                self.failed(error)
        elif is_transient:
            self._continue()
        else:
            self._set_action(Done())  # with the stream's error

    def waits(self, call: WaitingCall) -> None:
        """A person has to approve a call before it is run."""
        self.waiting.append(call)
        self.events.append(call)

    def ran(self) -> None:
        self._turn = _Turn.UNKNOWN
        if self.waiting:
            # The assistant may have called more tools at the same time, whose events are still to come.
            self._set_action(ListMessages())
        else:
            self._continue()

    def woken(self) -> None:
        self._set_action(ListMessages())

    def ended(self) -> None:
        """The server ended the stream. The answer may be among the room's messages nevertheless."""
        if not self.is_done:
            self.stream_failed(StreamError("The stream ended before the reply was complete."))
            self._look_without_stream()

    def stream_failed(self, error: InteractorError) -> None:
        if not self.is_done:
            # A deadline is the end of everything.
            self._is_resumable = not isinstance(error, APITimeoutError)
            if isinstance(error, APITimeoutError) and self.others_to_run:
                names = ", ".join(sorted(map(clean_text, self.others_to_run)))
                error = APITimeoutError(
                    f"{error} The assistant waits for the result of the tool calls {names}. {_ADVICE}"
                )
            self.failed(error)

    def failed(self, error: InteractorError) -> None:
        if not self.is_done:
            self.error = error
            self._set_action(Done())

    def closed(self) -> None:
        """The caller left. May be called from any thread."""
        self._is_closed = True
        self.failed(StreamError("The chat ended before the reply was complete."))

    def go_without_stream(self) -> bool:
        """After the stream failed for good: find the answer in the room's messages. False if that is of no use."""
        if not self._is_resumable or self.error is None:
            return False
        self._is_closed = False
        self._look_without_stream()
        return True

    def _look_without_stream(self) -> None:
        self._is_resumable = False
        self._poll_pauses = deque(_POLL_PAUSES)
        self._has_gap = True
        self.action = Done() if self._is_closed else ListMessages()

    def _set_action(self, action: ReadStream | ListMessages | RunTools | Sleep | Done) -> None:
        if not self.is_done:
            self.action = action
        if self._is_closed:  # by another thread, between the two lines above
            self.action = Done()

    def _continue(self) -> None:
        if self._poll_pauses is None:
            self._set_action(ReadStream())
        elif self._poll_pauses:
            self._set_action(Sleep(self._poll_pauses.popleft()))
        else:
            self._set_action(Done())  # with the stream's error

    @property
    def _is_answer(self) -> bool:
        """Whether the platform gave back an answer in place of the message."""
        return self.sent_message is not None and self.sent_message.role not in NOT_THE_ASSISTANT

    def _may_be_of_others(self, event: Any) -> bool:
        match event:
            case ToolCallStart(tool_call=call):
                return call.id not in self._calls
            case MessageDelta():
                return self._turn is not _Turn.OURS
            case MessageComplete(message=message) if message.role not in NOT_THE_ASSISTANT:
                return self._turn is not _Turn.OURS and not self._has_call_of_ours(message)
            case _:
                return False

    def _has_call_of_ours(self, message: Message) -> bool:
        return any(call.id in self._calls for call in message.tool_calls or ())

    def _is_of_others(self, event: Any) -> bool:
        match event:
            case ToolCallStart(tool_call=call):
                return call.id in self._calls_of_others
            case MessageComplete(message=message):
                return message.id in self._completed
            case _:
                return False

    def _is_listed(self, event: Any, order: AnswerOrder) -> bool:
        """Whether it is of the answer to this message for certain."""
        match event:
            case ToolCallStart(tool_call=call):
                return call.id in self._calls
            case MessageComplete(message=message):
                is_answer = order.answer is not None and order.answer.id == message.id
                return is_answer or self._has_call_of_ours(message)
            case _:
                return False

    def _accept(self, event: Any) -> None:
        match event:
            case MessageDelta(content=text):
                self.others_to_run.clear()
                if self._has_gap:
                    return  # the complete message has the text in between
                self._text += text
                self.events.append(event)
            case ToolCallStart(tool_call=call):
                self._begin_message()
                self.events.append(event)
                if self._is_ours(call):
                    self._to_run[call.id] = call
                self._leave_to_others(call)
            case MessageComplete():
                self._complete(event)
            case ToolCallComplete(tool_call=call):
                self._results.append(call.id)
                self.others_to_run.pop(call.id, None)
                self.events.append(event)
            case _:
                self.events.append(event)

    def _complete(self, event: MessageComplete) -> None:
        message = event.message
        pending = [call for call in message.tool_calls or () if not is_finished(call)]
        if message.role in NOT_THE_ASSISTANT:
            self.events.append(event)
        elif not pending and self._has_gap and "content" in message.left_out:
            self.missed(is_complete=True)  # what was said is among the room's messages
        elif not pending:
            self._finish(event)
        else:
            self._begin_message()
            self.events.append(event)
            for call in pending:
                self._leave_to_others(call)
            self._calls.update(call.id for call in pending)
            self._to_run |= {call.id: call for call in pending if self._is_ours(call)}
            if self._to_run:
                self._run_tools()
            elif self.waiting:
                self._set_action(ListMessages())

    def _finish(self, event: MessageComplete) -> None:
        """The answer is complete; text of it that came in no delta is handed out before it."""
        if "content" in event.message.left_out:  # the deltas have said it
            event = attrs.evolve(event, message=attrs.evolve(event.message, content=self._text))
        content = event.message.content
        if content.startswith(self._text) and content != self._text:
            self.events.append(MessageDelta(content=content[len(self._text) :]))
        self.events.append(event)
        self.message, self.error = event.message, None
        self._set_action(Done())

    def _drop_text(self) -> None:
        """Another message is complete: forget its text."""
        if self._turn is not _Turn.OURS:
            self._begin_message()

    def _begin_message(self) -> None:
        self._text = ""
        self._has_gap = False

    def _leave_to_others(self, call: ToolCall) -> None:
        """Log it where this chat runs no tools: with a forgotten `tools=` the assistant would seem to hang."""
        if self._runs_tools or is_finished(call):
            return
        self._turn = _Turn.UNKNOWN  # while it waits, others may be answered
        if call.id not in self.others_to_run:
            self.others_to_run[call.id] = call
            self.to_look_into.append(call)
            logger.warning("The assistant waits for the result of the tool call %s. %s", clean_text(call.id), _ADVICE)

    def _is_ours(self, call: ToolCall) -> bool:
        return self._runs_tools and not is_finished(call) and call.id not in self._started

    def _note_calls(self, order: AnswerOrder) -> None:
        self._calls.update(call.id for call in order.calls)
        self._calls_of_others |= order.calls_of_others
        for call in order.calls:
            if is_finished(call):
                self._started.add(call.id)
                self._to_run.pop(call.id, None)
                self.waiting = [each for each in self.waiting if each.id != call.id]
            elif self._is_ours(call):
                self._to_run[call.id] = call

    def _run_tools(self) -> None:
        calls = tuple(self._to_run.values())
        self._to_run.clear()
        self._started.update(call.id for call in calls)
        if self._poll_pauses is not None:
            self._poll_pauses = deque(_POLL_PAUSES)
        self._set_action(RunTools(calls))

    def _needs_approval(self) -> None:
        """All that this chat could run has run."""
        names = ", ".join(f"{call.tool} ({clean_text(call.id)})" for call in self.waiting)
        self.failed(
            ApprovalError(
                f"The reply waits for the approval of {names}: call `tools.approve(user, call, by=...)` or "
                "`tools.reject(...)` for each of `reply.waiting`. The platform replies after that.",
                code="approval_needed",
            )
        )

    def _list_again_later(self, held: Any, error: InteractorError) -> None:
        """The list lags behind the stream, or cannot be had for now."""
        if self._lag_pauses:
            self._held = held
            self._set_action(Sleep(self._lag_pauses.popleft()))
        else:
            self.failed(error)

    def _ambiguous_error(self) -> StreamError:
        assert self.sent_message is not None
        return StreamError(
            "Another message was sent to the room at the same time as "
            f"{clean_text(self.sent_message.id)}, and it's ambiguous which reply belongs to which. "
            "`client.messages.list` shows both."
        )

    def _order(self, newest_first: list[Message]) -> AnswerOrder:
        """Whose turn it is in the room, and what belongs to the message that was sent."""
        sent = self.sent_message
        if sent is None:
            return AnswerOrder((), None)
        ids = [message.id for message in newest_first]
        if self._is_answer and sent.id in ids:
            newest_first = newest_first[: ids.index(sent.id) + 1]
        elif sent.id in ids:
            return AnswerOrder(reversed(newest_first), sent.id, settled=self._settled, results=self._results)
        else:
            # Many rounds of tools can fill the page.
            newest_first = [message for message in newest_first if _is_later(message, sent)]
        return AnswerOrder(reversed(newest_first), sent.id, is_cut_off=True, results=self._results)


def _is_later(message: Message, sent: Message) -> bool:
    """Whether `message` is certainly newer."""
    return message.created_at is not None and sent.created_at is not None and message.created_at > sent.created_at
