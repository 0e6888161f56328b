"""State machine of a chat: decides from events and lists of messages what to do next, without a socket or a clock.

A loop returns `events` to the caller, performs `action`, and reports the outcome:

    ReadStream      wait for the next event of the stream     -> received, resumed, missed, ended or stream_failed
    ListMessages    list the room's messages, newest first    -> listed or list_failed
    RunTools        run these tool calls, all at once         -> ran or failed
    Sleep           sleep, then continue                      -> woken
    Done            `message` is the reply, or `error` is the reason for its absence

Done is final, whatever is reported after it, unless `go_without_stream` is called: another thread or task may have
left the chat in the meantime.

Events don't name the message that they reply to, and other senders may use the same room. Therefore the room's messages
are listed before the first event that may belong to another message, both after sending and after each round of tools,
and their order decides (_reply_order.py). While another message gets its reply, no events are returned.
"""

from __future__ import annotations

from collections import deque
from enum import Enum, auto
from typing import Any, NamedTuple

import attrs

from interactor_client.models import Message, MessageComplete, MessageDelta, ToolCall, ToolCallComplete, ToolCallStart
from interactor_ext._engine.errors import (
    APIConnectionError,
    APITimeoutError,
    CircuitOpenError,
    InteractorError,
    RateLimitError,
    ServerError,
    StreamError,
)
from interactor_ext._engine.logs import logger
from interactor_ext._engine.redaction import clean_text
from interactor_ext.chat._reply_order import NOT_THE_ASSISTANT, ReplyOrder
from interactor_ext.tools._approval import ApprovalError, WaitingCall
from interactor_ext.tools._calls import is_finished

# Seconds between lists of a room whose stream is lost, or whose list lags behind the stream.
_POLL_PAUSES = (0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0, 2.0)
HOW_TO_RUN_TOOLS = (
    "pass tools= to the chat, give the tool a callback_url, or submit the result in a webhook handler of "
    "room.tool_call.pending"
)
_ADVICE = f"Unless something else already runs it, {HOW_TO_RUN_TOOLS}."


class ReadStream(NamedTuple):
    """Has no time limit of its own: the chat's deadline applies to the stream."""


class ListMessages(NamedTuple):
    """List one page: the order of the newest messages decides."""


class RunTools(NamedTuple):
    calls: tuple[ToolCall, ...]


class Sleep(NamedTuple):
    seconds: float


class Done(NamedTuple):
    """The chat is over, with or without a reply."""


class _Turn(Enum):
    """Which message the next events of the stream reply to."""

    OURS = auto()
    ANOTHERS = auto()
    UNKNOWN = auto()


class ReplyState:
    """One message and its reply, which may take several rounds of tool calls."""

    def __init__(self, *, runs_tools: bool) -> None:
        self.events: deque[Any] = deque()
        self.action: ReadStream | ListMessages | RunTools | Sleep | Done = ReadStream()
        self.message: Message | None = None
        self.error: InteractorError | None = None
        self._runs_tools = runs_tools
        self.sent_message: Message | None = None
        # The id of the room's newest message before this chat.
        self._settled: str | None = None
        self._turn = _Turn.UNKNOWN
        # An event that is returned, or dropped, after the next list.
        self._held: Any = None
        # Ids from the stream: completed replies to other messages, and calls in the order of their results. Then the
        # ids of calls known to belong to this reply, and to others.
        self._completed: set[str] = set()
        self._results: list[str] = []
        self._calls: set[str] = set()
        self._calls_of_others: set[str] = set()
        self._lag_pauses = deque(_POLL_PAUSES)
        # The text of the current message returned so far, and whether some was lost after that.
        self._text = ""
        self._has_gap = False
        self._looks_for_reply = False
        self._to_run: dict[str, ToolCall] = {}
        # The calls whose results another client must submit, by id, and those among them not yet looked up.
        self.others_to_run: dict[str, ToolCall] = {}
        self.to_look_up: deque[ToolCall] = deque()
        # The calls that wait for a person's approval.
        self.waiting: list[WaitingCall] = []
        self._started: set[str] = set()
        self._poll_pauses: deque[float] | None = None
        self._is_resumable = False
        self._is_closed = False

    @property
    def is_done(self) -> bool:
        return isinstance(self.action, Done)

    def quiet(self, newest: str | None) -> None:
        """Every message in the room has its reply. `newest` is the id of the newest message."""
        self._settled = newest

    def sent(self, message: Message, *, is_repeat: bool = False) -> None:
        """The message was accepted. `message` is the platform's response: the message or, if it doesn't stream, the
        reply.

        A repeat, with the same idempotency key, may already have got its reply the first time.
        """
        self.sent_message = message
        if is_repeat:
            self._set_action(ListMessages())
        if self._is_reply and (message.content or message.tool_calls):
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
        """The stream broke off and is connected again. Without an id the server can't know which events to resend."""
        self._has_gap = self._has_gap or not last_event_id
        self._set_action(ListMessages())

    def missed(self, *, is_complete: bool = False) -> None:
        """An event couldn't be read. `is_complete` tells whether it completed a message."""
        self._has_gap = True
        if is_complete:  # no event may follow, and the list may lag behind
            self._lag_pauses = deque(_POLL_PAUSES)
            self._looks_for_reply = True
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
        elif order.reply is not None and not self._to_run:
            self._finish(MessageComplete(message=order.reply))
        elif (
            order.is_ambiguous
            and not self._to_run
            and (self._poll_pauses is not None or isinstance(held, MessageComplete))
        ):
            # Until then, the stream may still show which result came first.
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
            if self._looks_for_reply and self._turn is _Turn.OURS and self._lag_pauses:
                self._set_action(Sleep(self._lag_pauses.popleft()))
            else:
                self._looks_for_reply = False
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
        """A call needs a person's approval."""
        self.waiting.append(call)
        self.events.append(call)

    def ran(self) -> None:
        self._turn = _Turn.UNKNOWN
        if self.waiting:
            # The assistant may have called more tools at the same time, and their events may still arrive.
            self._set_action(ListMessages())
        else:
            self._continue()

    def woken(self) -> None:
        self._set_action(ListMessages())

    def ended(self) -> None:
        """The server ended the stream. The reply may still be among the room's messages."""
        if not self.is_done:
            self.stream_failed(StreamError("The stream ended before the reply was complete."))
            self._look_without_stream()

    def stream_failed(self, error: InteractorError) -> None:
        if not self.is_done:
            # A deadline is final.
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
        """Find the reply in the room's messages after the stream failed permanently. Returns False if that can't
        help.
        """
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
    def _is_reply(self) -> bool:
        """Whether the platform returned a reply instead of the message."""
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

    def _is_listed(self, event: Any, order: ReplyOrder) -> bool:
        """Whether the event certainly belongs to the reply to this message."""
        match event:
            case ToolCallStart(tool_call=call):
                return call.id in self._calls
            case MessageComplete(message=message):
                is_reply = order.reply is not None and order.reply.id == message.id
                return is_reply or self._has_call_of_ours(message)
            case _:
                return False

    def _accept(self, event: Any) -> None:
        match event:
            case MessageDelta(content=text):
                self.others_to_run.clear()
                if self._has_gap:
                    return  # the complete message contains the missing text
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
            self.missed(is_complete=True)  # the content is among the room's messages
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
        """The reply is complete. Text that came in no delta is returned first."""
        if "content" in event.message.left_out:  # the deltas contained it
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
        """Log the call if this chat runs no tools: with a forgotten `tools=` the assistant would seem to hang."""
        if self._runs_tools or is_finished(call):
            return
        self._turn = _Turn.UNKNOWN  # while it waits, other messages may get replies
        if call.id not in self.others_to_run:
            self.others_to_run[call.id] = call
            self.to_look_up.append(call)
            logger.warning("The assistant waits for the result of the tool call %s. %s", clean_text(call.id), _ADVICE)

    def _is_ours(self, call: ToolCall) -> bool:
        return self._runs_tools and not is_finished(call) and call.id not in self._started

    def _note_calls(self, order: ReplyOrder) -> None:
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
        """Every call that this chat could run has run."""
        names = ", ".join(f"{call.tool} ({clean_text(call.id)})" for call in self.waiting)
        self.failed(
            ApprovalError(
                f"The reply waits for the approval of {names}: call `tools.approve(user, call, by=...)` or "
                "`tools.reject(...)` for each of `reply.waiting`. The platform replies after that.",
                code="approval_needed",
            )
        )

    def _list_again_later(self, held: Any, error: InteractorError) -> None:
        """The list lags behind the stream, or is unavailable for now."""
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

    def _order(self, newest_first: list[Message]) -> ReplyOrder:
        """Return the order of the room's messages, from the point of view of the sent message."""
        sent = self.sent_message
        if sent is None:
            return ReplyOrder((), None)
        ids = [message.id for message in newest_first]
        if sent.id not in ids:
            # Many rounds of tools can fill the page.
            newest_first = [message for message in newest_first if _is_later(message, sent)]
        elif self._is_reply:
            newest_first = newest_first[: ids.index(sent.id) + 1]
        else:
            return ReplyOrder(reversed(newest_first), sent.id, settled=self._settled, results=self._results)
        return ReplyOrder(reversed(newest_first), sent.id, is_cut_off=True, results=self._results)


def _is_later(message: Message, sent: Message) -> bool:
    """Whether `message` is certainly newer."""
    return message.created_at is not None and sent.created_at is not None and message.created_at > sent.created_at
