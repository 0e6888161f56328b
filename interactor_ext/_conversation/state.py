"""How far the answer to a message has come: decided from events and lists of messages, without a socket or a clock.

A loop looks at `events` and `action`, does what they say, and reports what came of it:

    events      hand these out first
    Read        wait for the next event of the stream        -> received, resumed, missed, ended or failed
    Look        list the room's messages, newest first       -> listed or look_failed
    Run         run these tool calls, all at once            -> ran or failed
    Pause       sleep, then go on                            -> woken
    Done        `message` is the answer, or `error` says why there is none

Done is for good, whatever is reported after it, unless `go_without_stream` is called: another thread or task may have
left the chat meanwhile.
"""

from __future__ import annotations

import logging
from collections import deque
from typing import Any, NamedTuple

from interactor_client.models import Message, MessageComplete, MessageDelta, ToolCall, ToolCallStart
from interactor_ext._errors import (
    APIConnectionError,
    APITimeoutError,
    InteractorError,
    RateLimitError,
    ServerError,
    StreamError,
)
from interactor_ext._redact import clean_text
from interactor_ext._tools.calls import FINISHED

logger = logging.getLogger("interactor")

# Between looks at a room whose stream is lost; the answer may still be on its way.
_LOOKS = (0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0, 2.0)
_ADVICE = "Tools are not run here: pass tools=, or hand it in by client.tools.submit_result."
_OTHERS = frozenset({"system", "tool", "user"})


class Read(NamedTuple):
    pass


class Look(NamedTuple):
    pass


class Run(NamedTuple):
    calls: tuple[ToolCall, ...]


class Pause(NamedTuple):
    seconds: float


class Done(NamedTuple):
    pass


class ReplyState:
    """One message and its answer, which may take several rounds of tool calls."""

    def __init__(self, *, runs_tools: bool) -> None:
        self.events: deque[Any] = deque()
        self.action: Read | Look | Run | Pause | Done = Read()
        self.message: Message | None = None
        self.error: InteractorError | None = None
        self._runs_tools = runs_tools
        self._sent: Message | None = None
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

    def sent(self, message: Message, *, is_repeat: bool = False) -> None:
        """The message was accepted; the platform gives it back, or, if it does not stream, the answer itself.

        If it may have been sent before, with the same idempotency key, it may have been answered then.
        """
        self._sent = message
        if is_repeat:
            self._go(Look())
        if message.role not in _OTHERS and (message.content or message.tool_calls):
            self._complete(MessageComplete(message=message))

    def received(self, event: Any) -> None:
        if isinstance(self.action, Done):
            return
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
                    # Others may have been asked for with it, and all are to run at once: the message has them all.
                    self._waiting[call.id] = call
                    self._go(Look())
                self._leave_to_others(call)
            case MessageComplete():
                self._complete(event)
            case _:
                self.events.append(event)

    def resumed(self, last_event_id: str) -> None:
        """The stream broke off and is connected again. Without an id the server cannot know what to send again."""
        self._has_hole = self._has_hole or not last_event_id
        self._go(Look())

    def missed(self) -> None:
        """An event could not be read."""
        self._has_hole = True
        self._go(Look())

    def listed(self, newest_first: list[Message]) -> None:
        if isinstance(self.action, Done):
            return
        later = self._later(newest_first)
        answered = {call.id for message in later for call in message.tool_calls or () if call.status in FINISHED}
        for call in [*self._waiting.values(), *(call for message in later for call in message.tool_calls or ())]:
            if call.id in answered:
                self._waiting.pop(call.id, None)
            elif self._is_ours(call):
                self._waiting[call.id] = call
        # An empty one is still being written.
        answer = next((message for message in later if message.content and not message.tool_calls), None)
        if self._waiting:
            self._run_waiting()
        elif answer is not None:
            self._finish(MessageComplete(message=answer))
        else:
            self._go_on()

    def look_failed(self, error: InteractorError) -> None:
        if isinstance(self.action, Done):
            return
        if self._waiting:
            self._run_waiting()
        elif isinstance(error, APIConnectionError | RateLimitError | ServerError):
            self._go_on()
        elif self._looks is None:
            self.failed(error)
        else:
            self._go(Done())  # with the stream's error

    def ran(self) -> None:
        self._go_on()

    def woken(self) -> None:
        self._go(Look())

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

    @property
    def unanswered(self) -> Message | None:
        """The message that was sent, if its answer may still be on its way."""
        return self._sent if self.message is None else None

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
        self.action = Done() if self._is_closed else Look()

    def _go(self, action: Read | Look | Run | Pause | Done) -> None:
        if not isinstance(self.action, Done):
            self.action = action
        if self._is_closed:  # by another thread, between the two lines above
            self.action = Done()

    def _go_on(self) -> None:
        if self._looks is None:
            self._go(Read())
        elif self._looks:
            self._go(Pause(self._looks.popleft()))
        else:
            self._go(Done())  # with the stream's error

    def _complete(self, event: MessageComplete) -> None:
        message = event.message
        pending = [call for call in message.tool_calls or () if call.status not in FINISHED]
        if message.role in _OTHERS:
            self.events.append(event)
        elif not pending:
            self._finish(event)
        else:
            self._begin_message()
            self.events.append(event)
            for call in pending:
                self._leave_to_others(call)
            self._waiting |= {call.id: call for call in pending if self._is_ours(call)}
            if self._waiting:
                self._run_waiting()

    def _finish(self, event: MessageComplete) -> None:
        """The answer; whatever of its words had no event of its own comes before it."""
        content = event.message.content
        if content.startswith(self._said) and content != self._said:
            self.events.append(MessageDelta(content=content[len(self._said) :]))
        self.events.append(event)
        self.message, self.error = event.message, None
        self._go(Done())

    def _begin_message(self) -> None:
        self._said = ""
        self._has_hole = False

    def _leave_to_others(self, call: ToolCall) -> None:
        """Where this chat runs no tools. A forgotten `tools=` would look like an assistant that says nothing."""
        if self._runs_tools or call.status in FINISHED or (name := clean_text(call.id)) in self._elsewhere:
            return
        self._elsewhere.add(name)
        logger.warning("The assistant waits for the result of the tool call %s. %s", name, _ADVICE)

    def _is_ours(self, call: ToolCall) -> bool:
        return self._runs_tools and call.status not in FINISHED and call.id not in self._run

    def _run_waiting(self) -> None:
        calls = tuple(self._waiting.values())
        self._waiting.clear()
        self._run.update(call.id for call in calls)
        if self._looks is not None:
            self._looks = deque(_LOOKS)
        self._go(Run(calls))

    def _later(self, newest_first: list[Message]) -> list[Message]:
        """What the assistant has said since the message was sent, oldest first."""
        if self._sent is None:
            return []
        ids = [message.id for message in newest_first]
        if self._sent.id in ids:
            # The platform may have given back the answer, empty as yet, in place of the message.
            later = newest_first[: ids.index(self._sent.id) + (self._sent.role not in _OTHERS)]
        else:
            # Many rounds of tools can fill the page.
            later = [message for message in newest_first if message.created_at > self._sent.created_at]
        return [message for message in reversed(later) if message.role not in _OTHERS]
