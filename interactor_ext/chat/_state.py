"""How far the answer to a message has come: decided from events and lists of messages, without a socket or a clock.

A loop looks at `events` and `action`, does what they say, and reports what came of it:

    events      hand these out first
    ReadStream        wait for the next event of the stream        -> received, resumed, missed, ended or failed
    ListMessages        list the room's messages, newest first       -> listed or list_failed
    RunTools         run these tool calls, all at once            -> ran or failed
    Sleep       sleep, then go on                            -> woken
    Done        `message` is the answer, or `error` says why there is none

Done is for good, whatever is reported after it, unless `go_without_stream` is called: another thread or task may have
left the chat meanwhile.

Events do not say which message they answer, and others may have sent one to the same room. So before the first event
that may be another's, after the message was sent and after each round of tools, the room's messages tell whose turn it
is (turns.py). While it is another's, nothing is handed out.
"""

from __future__ import annotations

from collections import deque
from enum import Enum, auto
from typing import Any, NamedTuple

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
from interactor_ext.chat._turns import NOT_THE_ASSISTANT, FairQueue
from interactor_ext.logs._logger import logger
from interactor_ext.tools._calls import FINISHED

# Between looks at a room whose stream is lost, or whose list lags behind it; the answer may still be on its way.
_LOOKS = (0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0, 2.0)
_ADVICE = "Tools are not run here: pass tools=, or hand it in by client.tools.submit_result."


class ReadStream(NamedTuple):
    pass


class ListMessages(NamedTuple):
    pass


class RunTools(NamedTuple):
    calls: tuple[ToolCall, ...]


class Sleep(NamedTuple):
    seconds: float


class Done(NamedTuple):
    pass


class _Turn(Enum):
    """Whose words the stream brings next."""

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
        self._sent: Message | None = None
        # The newest message that was there before.
        self._settled: str | None = None
        self._turn = _Turn.UNKNOWN
        # An event that is handed out, or not, after the next look.
        self._kept: Any = None
        # What the stream has told of: the end of answers to others, and results in their order. Then the ids of calls
        # that are known to be of this answer, and of those that are not.
        self._ended: set[str] = set()
        self._results: list[str] = []
        self._calls: set[str] = set()
        self._calls_of_others: set[str] = set()
        self._lags = deque(_LOOKS)
        # What the caller has seen of the message that is being written, and whether words of it were lost after that.
        self._said = ""
        self._has_hole = False
        self._waiting: dict[str, ToolCall] = {}
        # The ids of calls that somebody else has to answer.
        self._elsewhere: set[str] = set()
        self._run: set[str] = set()
        self._looks: deque[float] | None = None
        self._is_resumable = False
        self._is_closed = False

    def quiet(self, newest: str | None) -> None:
        """Nobody in the room waits for an answer. `newest` is the id of its newest message."""
        self._settled = newest

    def sent(self, message: Message, *, is_repeat: bool = False) -> None:
        """The message was accepted; the platform gives it back, or, if it does not stream, the answer itself.

        If it may have been sent before, with the same idempotency key, it may have been answered then.
        """
        self._sent = message
        if is_repeat:
            self._go(ListMessages())
        if self._is_answer and (message.content or message.tool_calls):
            self._complete(MessageComplete(message=message))

    def received(self, event: Any) -> None:
        if isinstance(self.action, Done):
            return
        if self._is_of_others(event):
            self._skip()
        elif not self._may_be_of_others(event):
            self._accept(event)
        elif self._turn is _Turn.ANOTHERS and isinstance(event, MessageDelta):
            self._has_hole = True
        else:
            self._kept = event
            self._go(ListMessages())

    def resumed(self, last_event_id: str) -> None:
        """The stream broke off and is connected again. Without an id the server cannot know what to send again."""
        self._has_hole = self._has_hole or not last_event_id
        self._go(ListMessages())

    def missed(self) -> None:
        """An event could not be read."""
        self._has_hole = True
        self._go(ListMessages())

    def listed(self, newest_first: list[Message]) -> None:
        if isinstance(self.action, Done):
            return
        turns = self._turns(newest_first)
        kept, self._kept = self._kept, None
        if isinstance(kept, MessageComplete) and kept.message.id in turns.others | turns.past:
            self._ended.add(kept.message.id)
        self._note_calls(turns)
        if kept is not None and self._is_of_others(kept):
            self._skip()
            kept = None
        self._turn = _Turn.OURS if turns.is_ours_next and turns.others <= self._ended else _Turn.ANOTHERS
        self._go(ReadStream())
        if kept is not None and (self._turn is _Turn.OURS or self._is_listed(kept, turns)):
            self._accept(kept)
        elif turns.answer is not None and not self._waiting:
            self._finish(MessageComplete(message=turns.answer))
        elif turns.is_open and not self._waiting and (self._looks is not None or isinstance(kept, MessageComplete)):
            # Before that, the stream may still tell which result came first.
            self.failed(self._cannot_tell())
        elif isinstance(kept, MessageDelta):
            self._has_hole = True
        elif kept is not None:
            self._wait_for_list(kept, self._cannot_tell())
            return
        if self._waiting:
            self._run_waiting()
        elif isinstance(self.action, ReadStream):
            self._go_on()

    def list_failed(self, error: InteractorError) -> None:
        if isinstance(self.action, Done):
            return
        kept, self._kept = self._kept, None
        passes = isinstance(error, APIConnectionError | CircuitOpenError | RateLimitError | ServerError)
        if isinstance(kept, ToolCallStart) and self._turn is not _Turn.ANOTHERS:
            self._accept(kept)
            kept = None
        if self._waiting:
            self._run_waiting()
        elif passes and kept is not None and not isinstance(kept, MessageDelta):
            self._wait_for_list(kept, error)
        elif passes:
            if self._turn is _Turn.UNKNOWN:
                self._turn = _Turn.ANOTHERS  # until a look tells that it is not
            self._has_hole = self._has_hole or kept is not None
            self._go_on()
        elif self._looks is None:
            self.failed(error)
        else:
            self._go(Done())  # with the stream's error

    def ran(self) -> None:
        self._turn = _Turn.UNKNOWN
        self._go_on()

    def woken(self) -> None:
        self._go(ListMessages())

    def ended(self) -> None:
        """The server says that nothing more will come on the stream. It may have forgotten to send the message."""
        if not isinstance(self.action, Done):
            self.stream_failed(StreamError("The stream ended before the answer was complete."))
            self._look_without_stream()

    def stream_failed(self, error: InteractorError) -> None:
        if not isinstance(self.action, Done):
            # A deadline is the end of everything.
            self._is_resumable = not isinstance(error, APITimeoutError)
            if isinstance(error, APITimeoutError) and self._elsewhere:
                names = ", ".join(sorted(self._elsewhere))
                error = APITimeoutError(
                    f"{error} The assistant waits for the result of the tool calls {names}. {_ADVICE}"
                )
            self.failed(error)

    def failed(self, error: InteractorError) -> None:
        if not isinstance(self.action, Done):
            self.error = error
            self._go(Done())

    def closed(self) -> None:
        """The caller left. May be called from any thread."""
        self._is_closed = True
        self.failed(StreamError("The chat was left before the answer was complete."))

    @property
    def reason(self) -> InteractorError:
        """Why there is no answer, when it is over without one."""
        assert self.error is not None
        return self.error

    def go_without_stream(self) -> bool:
        """After the stream failed for good: find the answer in the room's messages. False if there is no use in it."""
        if not self._is_resumable or self.error is None:
            return False
        self._is_closed = False
        self._look_without_stream()
        return True

    def _look_without_stream(self) -> None:
        self._is_resumable = False
        self._looks = deque(_LOOKS)
        self._has_hole = True
        self.action = Done() if self._is_closed else ListMessages()

    def _go(self, action: ReadStream | ListMessages | RunTools | Sleep | Done) -> None:
        if not isinstance(self.action, Done):
            self.action = action
        if self._is_closed:  # by another thread, between the two lines above
            self.action = Done()

    def _go_on(self) -> None:
        if self._looks is None:
            self._go(ReadStream())
        elif self._looks:
            self._go(Sleep(self._looks.popleft()))
        else:
            self._go(Done())  # with the stream's error

    @property
    def _is_answer(self) -> bool:
        """Whether the platform gave back an answer in place of the message."""
        return self._sent is not None and self._sent.role not in NOT_THE_ASSISTANT

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
                return message.id in self._ended
            case _:
                return False

    def _is_listed(self, event: Any, turns: FairQueue) -> bool:
        """Whether it is of the answer to this message for certain."""
        match event:
            case ToolCallStart(tool_call=call):
                return call.id in self._calls
            case MessageComplete(message=message):
                is_answer = turns.answer is not None and turns.answer.id == message.id
                return is_answer or self._has_call_of_ours(message)
            case _:
                return False

    def _accept(self, event: Any) -> None:
        match event:
            case MessageDelta(content=text):
                self._elsewhere.clear()
                if self._has_hole:
                    return  # the message, when it is complete, has the words in between
                self._said += text
                self.events.append(event)
            case ToolCallStart(tool_call=call):
                self._begin_message()
                self.events.append(event)
                if self._is_ours(call):
                    self._waiting[call.id] = call
                self._leave_to_others(call)
            case MessageComplete():
                self._complete(event)
            case ToolCallComplete(tool_call=call):
                self._results.append(call.id)
                self.events.append(event)
            case _:
                self.events.append(event)

    def _complete(self, event: MessageComplete) -> None:
        message = event.message
        pending = [call for call in message.tool_calls or () if call.status not in FINISHED]
        if message.role in NOT_THE_ASSISTANT:
            self.events.append(event)
        elif not pending:
            self._finish(event)
        else:
            self._begin_message()
            self.events.append(event)
            for call in pending:
                self._leave_to_others(call)
            self._calls.update(call.id for call in pending)
            self._waiting |= {call.id: call for call in pending if self._is_ours(call)}
            if self._waiting:
                self._run_waiting()

    def _finish(self, event: MessageComplete) -> None:
        """The answer; whatever of its words had no event of its own comes before it."""
        content = event.message.content or ""
        if content.startswith(self._said) and content != self._said:
            self.events.append(MessageDelta(content=content[len(self._said) :]))
        self.events.append(event)
        self.message, self.error = event.message, None
        self._go(Done())

    def _skip(self) -> None:
        """A message of others is over, and with it what was not handed out."""
        if self._turn is not _Turn.OURS:
            self._begin_message()

    def _begin_message(self) -> None:
        self._said = ""
        self._has_hole = False

    def _leave_to_others(self, call: ToolCall) -> None:
        """Where this chat runs no tools. A forgotten `tools=` would look like an assistant that says nothing."""
        if self._runs_tools or call.status in FINISHED:
            return
        self._turn = _Turn.UNKNOWN  # while it waits, others may be answered
        if (name := clean_text(call.id)) not in self._elsewhere:
            self._elsewhere.add(name)
            logger.warning("The assistant waits for the result of the tool call %s. %s", name, _ADVICE)

    def _is_ours(self, call: ToolCall) -> bool:
        return self._runs_tools and call.status not in FINISHED and call.id not in self._run

    def _note_calls(self, turns: FairQueue) -> None:
        self._calls.update(call.id for call in turns.calls)
        self._calls_of_others |= turns.calls_of_others
        for call in turns.calls:
            if call.status in FINISHED:
                self._run.add(call.id)
                self._waiting.pop(call.id, None)
            elif self._is_ours(call):
                self._waiting[call.id] = call

    def _run_waiting(self) -> None:
        calls = tuple(self._waiting.values())
        self._waiting.clear()
        self._run.update(call.id for call in calls)
        if self._looks is not None:
            self._looks = deque(_LOOKS)
        self._go(RunTools(calls))

    def _wait_for_list(self, kept: Any, error: InteractorError) -> None:
        """The list lags behind the stream, or cannot be had for now."""
        if self._lags:
            self._kept = kept
            self._go(Sleep(self._lags.popleft()))
        else:
            self.failed(error)

    def _cannot_tell(self) -> StreamError:
        assert self._sent is not None
        return StreamError(
            f"Another message was sent to the room at the same time as {clean_text(self._sent.id)}, and it cannot be "
            "told which answer belongs to which. `client.messages.list` shows both."
        )

    def _turns(self, newest_first: list[Message]) -> FairQueue:
        """Whose turn it is in the room, and what belongs to the message that was sent."""
        sent = self._sent
        if sent is None:
            return FairQueue((), None)
        ids = [message.id for message in newest_first]
        if self._is_answer and sent.id in ids:
            newest_first = newest_first[: ids.index(sent.id) + 1]
        elif sent.id in ids:
            return FairQueue(reversed(newest_first), sent.id, settled=self._settled, results=self._results)
        else:
            # Many rounds of tools can fill the page.
            newest_first = [message for message in newest_first if message.created_at > sent.created_at]
        return FairQueue(reversed(newest_first), sent.id, is_cut_off=True, results=self._results)
