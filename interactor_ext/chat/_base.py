"""The part of a chat that sync and async share: everything except running several tools at once."""

from __future__ import annotations

import json
import time
import warnings
import weakref
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING, Any

from interactor_client.advised import Advised
from interactor_client.models import StreamErrorEvent
from interactor_client.wire import path_segment
from interactor_ext._engine.effects import (
    Effects,
    Invoke,
    Join,
    Pause,
    close_stream,
    despite_open_circuit,
    open_stream,
    seconds_until,
    while_open,
)
from interactor_ext._engine.errors import APITimeoutError, InteractorError, ResponseValidationError, StreamError
from interactor_ext._engine.logs import depth_of_caller, line_of_caller, logger
from interactor_ext._engine.redaction import clean_json, clean_text
from interactor_ext._engine.responses.status_error import read_error_body
from interactor_ext._engine.streams.base import Gap
from interactor_ext._engine.waiting.closer import close_when_dropped, forget, start_closer
from interactor_ext._interactor.config.checks import require, seconds_problem
from interactor_ext.chat._room_queue import ANOTHER_CHAT, ROOMS, Place, Room, too_long
from interactor_ext.chat._state import HOW_TO_RUN_TOOLS, ListMessages, ReadStream, ReplyState, RunTools, Sleep
from interactor_ext.tools import _tool_set as tool_sets
from interactor_ext.tools._approval import WaitingCall
from interactor_ext.tools._calls import PendingCall

if TYPE_CHECKING:
    from interactor_client.models import Message, StreamEvent, ToolCall

SERVING: ContextVar[frozenset[Room]] = ContextVar("interactor_ext_serving", default=frozenset())
"""The rooms that wait for the result of the code running in this context."""


class BaseReply(Advised):
    """A message, its reply, and its place in the queue of its room. Methods that wait are effects."""

    def __init__(
        self, user: Any, room_id: str, content: str, tools: tool_sets.Tools | None, tool_timeout: float | None = None
    ) -> None:
        path_segment("room_id", room_id)  # raises for an invalid id
        if tool_timeout is not None:
            require(seconds_problem("tool_timeout", tool_timeout))
        self._user = user
        self._content = content
        self._tools = None if tools is None else tool_sets.tool_set(tools)
        self._room = Room(user.config.core_api_url, user._view.namespace, room_id)
        self._state = ReplyState(runs_tools=tools is not None)
        self._place: Place | None = None
        self._stream: Any = None
        self._ends_at: float | None = None
        self._tool_timeout = tool_timeout
        self._tools_end_at: float | None = None
        self._wakes_at: float | None = None
        start_closer()
        self._watch = close_when_dropped(self, partial(_warn_of_unsent, *line_of_caller().rsplit(":", 1)))

    def __repr__(self) -> str:
        return f"{type(self).__name__}(room_id={self._room.id!r})"

    @property
    def sent(self) -> Message:
        """The sent message, as the platform returned it on entering."""
        self._require_entered()
        sent = self._state.sent_message
        if sent is None:
            raise RuntimeError("the message hasn't been sent")
        return sent

    def _advance(self) -> Any:
        """Run the effects of one step, at once or as a coroutine."""
        raise NotImplementedError

    def _run_tools(self, calls: tuple[ToolCall, ...]) -> Any:
        """Run these tool calls and submit their results, at once or as a coroutine."""
        raise NotImplementedError

    def _leave_tools(self) -> None:
        """Cancel running tools where possible."""

    def _join_queue(self, owner: object) -> Place:
        if self._place is not None:
            raise RuntimeError("A reply can be entered once. For a new message, start a new chat.")
        forget(self._watch)
        if self._room in SERVING.get():
            raise RuntimeError("a tool can't chat in the room that waits for its result")
        self._ends_at = self._user._view.ends_at()
        place = Place(weakref.ref(self), self._room, owner)
        # A chat that is garbage collected before it is closed mustn't block the room. Watched before it joins, because
        # an interrupt in between would block the room permanently.
        self._watch = close_when_dropped(self, partial(ROOMS.leave, place))
        ROOMS.join(place)
        self._place = place
        return place

    def _send(self, place: Place) -> Effects[None]:
        """Wait until the room is quiet, open the stream, then send, so no event of the reply is missed."""
        yield from self._await_turn(place)
        self._state.quiet((yield from ROOMS.until_quiet(self._user, self._room, self._ends_at, self._has_events)))
        yield from self._prepare()
        yield from despite_open_circuit(self._user, self._ends_at, self._open_stream)
        message = yield from despite_open_circuit(
            self._user,
            self._ends_at,
            lambda view: view.messages.send(self._room.id, content=self._content, stream=True),
        )
        # A caller that chooses the key may be repeating an interrupted chat.
        self._state.sent(message, is_repeat=self._user._view.idempotency_key is not None)
        yield from self._release_if_over()

    def _prepare(self) -> Effects[None]:
        """Create what must exist before the message is sent."""
        yield from ()

    def _await_turn(self, place: Place) -> Effects[None]:
        while place.ahead:
            ahead = place.ahead[0]
            chat = ahead.chat() if ahead.owner == place.owner else None
            while chat is not None and not chat._state.is_done:
                if self._time_left() == 0:
                    raise too_long()
                try:
                    yield Invoke(chat._advance, timeout=self._time_left())
                except TimeoutError as error:
                    raise too_long() from error
            yield Join(ahead.over, self._ends_at, ANOTHER_CHAT)
            del place.ahead[0]

    def _has_events(self, seconds: float) -> Effects[bool]:
        """Whether an event arrives on the room's stream within that many seconds."""
        stream: Any = self._user.with_options(deadline=seconds).rooms.stream(self._room.id)

        def listen() -> Effects[Any]:
            return (yield Invoke(stream.next_or_gap))

        try:
            event = yield from while_open(stream, listen())
            return event not in (None, Gap.GAP) and not isinstance(event, StreamErrorEvent)
        except InteractorError:  # a permanent error is raised when the chat opens its own stream
            return False

    def _open_stream(self, view: Any) -> Any:
        self._stream = view.rooms.stream(self._room.id)
        return open_stream(self._stream)

    @property
    def running(self) -> list[ToolCall]:
        """The tool calls that this chat is running."""
        action = self._state.action
        return list(action.calls) if isinstance(action, RunTools) else []

    @property
    def waiting(self) -> list[WaitingCall]:
        """The calls that wait for a person's approval. The chat then ends without a reply."""
        return list(self._state.waiting)

    def _next_event(self) -> Effects[StreamEvent | WaitingCall | None]:
        """Return the next event; None at the end. Raises if the reply was lost."""
        while not self._state.events and not self._state.is_done:
            yield from self._step()
        if self._state.events:
            event: StreamEvent | WaitingCall = self._state.events.popleft()
            return event
        if self._state.error is not None and not self._state.waiting:
            raise self._state.error
        return None

    def _answer(self) -> Effects[Message]:
        self._require_entered()
        while True:
            while not self._state.is_done:
                yield from self._step()
            if self._state.message is not None:
                return self._state.message
            if not self._state.go_without_stream():
                assert self._state.error is not None
                raise self._state.error

    def _step(self) -> Effects[None]:
        """Perform the state's action once, and report its outcome."""
        match self._state.action:
            case ReadStream():
                self._limit_wait_for_others()
                try:
                    self._report_event((yield Invoke(self._stream.next_or_gap)))
                except InteractorError as error:
                    self._report_failure(error)
            case ListMessages():
                try:
                    page = yield from despite_open_circuit(
                        self._user, self._ends_at, lambda view: view.messages.list(self._room.id, order="desc")
                    )
                except InteractorError as error:
                    self._state.list_failed(error)
                else:
                    self._state.listed(page.data)
            case RunTools(calls):
                try:
                    yield Invoke(self._run_tools, (calls,))
                    self._state.ran()
                except InteractorError as error:
                    self._state.failed(error)
            case Sleep(seconds):
                # A caller that gives up and waits again only sleeps for the remaining time.
                self._wakes_at = self._wakes_at or time.monotonic() + seconds
                yield Pause(seconds_until(min(filter(None, (self._wakes_at, self._ends_at)))) or 0.0)
                self._wakes_at = None
                self._state.woken()
        while self._state.to_look_up:
            yield from self._warn_if_nobody_runs(self._state.to_look_up[0])
        yield from self._release_if_over()

    def _limit_wait_for_others(self) -> None:
        """Require all results of calls that this chat doesn't run within `tool_timeout`."""
        if not self._state.others_to_run:
            self._tools_end_at = None
        elif self._tool_timeout is not None and self._tools_end_at is None:
            self._tools_end_at = time.monotonic() + self._tool_timeout
        self._stream.end_by(min((each for each in (self._ends_at, self._tools_end_at) if each), default=None))

    def _warn_if_nobody_runs(self, call: ToolCall) -> Effects[None]:
        try:
            name, has_callback = yield from tool_sets.ToolSet()._identify(
                self._user, self._pending(call), self._ends_at
            )
        except InteractorError:  # the log names the call
            name, has_callback = "", True
        self._state.to_look_up.popleft()
        if not has_callback:
            waits = f"The assistant waits for the tool {clean_text(name)!r}, which this chat doesn't run"
            warnings.warn(f"{waits}: {HOW_TO_RUN_TOOLS}.", RuntimeWarning, stacklevel=depth_of_caller())

    def _report_event(self, event: Any) -> None:
        if event is Gap.GAP:
            self._state.resumed(self._stream.last_event_id)
        elif event is None:
            self._state.ended()
        elif isinstance(event, StreamErrorEvent):
            # The event doesn't name its message.
            self._state.stream_failed(_reported(event))
        elif isinstance(event, ResponseValidationError):
            logger.warning("The chat goes on without an event, and reads the room's messages. %s", event)
            self._state.missed(is_complete=event.item["type"] == "message.complete")
        else:
            self._state.received(event)

    def _report_failure(self, error: InteractorError) -> None:
        if isinstance(error, APITimeoutError) and seconds_until(self._tools_end_at) == 0:
            error = APITimeoutError(f"No result arrived within {self._tool_timeout:g} s (tool_timeout=).")
        self._state.stream_failed(error)

    def _release_if_over(self) -> Effects[None]:
        """Close the stream and let the room's next chat begin."""
        if self._state.is_done:
            try:
                self._leave_tools()
                if self._stream is not None:
                    yield Invoke(close_stream, (self._stream,))
            finally:
                if self._place is not None:
                    ROOMS.leave(self._place)
                    forget(self._watch)

    def _run_tool(self, call: ToolCall) -> Effects[None]:
        assert self._tools is not None
        outcome = yield from self._tools._answer(self._user, self._pending(call), self._ends_at, only_ours=True)
        if isinstance(outcome, WaitingCall):
            self._state.waits(outcome)

    def _pending(self, call: ToolCall) -> PendingCall:
        return PendingCall.of(call, self._room.id, self._room.namespace)

    def _tools_too_slow(self, calls: tuple[ToolCall, ...]) -> APITimeoutError:
        names = ", ".join(clean_text(call.id) for call in calls)
        return APITimeoutError(f"The deadline of the chat came while tools were running (calls {names}).")

    def _require_entered(self) -> None:
        if self._place is None:
            raise RuntimeError("nothing was sent yet: enter the chat first, `with user.chat(...) as reply:`")

    def _time_left(self) -> float | None:
        return seconds_until(self._ends_at)


def _warn_of_unsent(file: str, line: str) -> None:
    """Warn in the closer thread: a finaliser must not write anything."""
    problem = "This chat was never entered, so nothing was sent: write `with user.chat(...) as reply:`."
    warnings.warn_explicit(problem, RuntimeWarning, file, int(line))


def _reported(event: StreamErrorEvent) -> StreamError:
    """Return the error that an event reports, in any form of an error response."""
    body = read_error_body(json.dumps(event.to_dict()).encode())
    known = body.code or StreamError.default_code
    if body.request_id:
        known += f", request id {body.request_id}"
    message = clean_text(body.message or "The stream reported an error").rstrip(".")
    return StreamError(
        f"{message} (GET /rooms/{{room_id}}/stream: {clean_text(known)}).",
        code=clean_text(body.code)[:100] if body.code else None,
        details=clean_json(body.details),
        request_id=clean_text(body.request_id)[:200] if body.request_id else None,
    )
