"""What the replies sync and async have that waits for nothing."""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING, Any

from interactor_ext._effects import Call, Effects, despite_open_circuit, view_until
from interactor_ext._errors import APITimeoutError, InteractorError, ResponseValidationError
from interactor_ext._redaction import clean_text
from interactor_ext.chat._room_queue import ROOMS, Place, Room, Speaks
from interactor_ext.chat._state import Done, ReplyState
from interactor_ext.streams._shared import Gap
from interactor_ext.tools._calls import PendingCall
from interactor_ext.transports._closer import close_when_dropped, start_closer

if TYPE_CHECKING:
    from interactor_client.models import ToolCall
    from interactor_ext.tools._tool_set import Tools, ToolSet

SERVING: ContextVar[frozenset[Room]] = ContextVar("interactor_ext_serving", default=frozenset())
"""The rooms that wait for the result of what runs in this context."""


class SharedReply:
    """A message, its answer, and its place in the line of its room."""

    def __init__(self, user: Any, room_id: str, content: str, tools: Tools | None) -> None:
        self._user = user
        self._content = content
        self._tools = None if tools is None else _tool_set(tools)
        self._room = Room(user.config.core_api_url, user._view.namespace, room_id)
        self._state = ReplyState(runs_tools=tools is not None)
        self._place: Place | None = None
        self._stream: Any = None
        self._ends_at: float | None = None
        self._wakes_at: float | None = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}(room_id={self._room.id!r})"

    def _join_line(self, owner: object) -> Place:
        if self._place is not None:
            raise RuntimeError("a reply is entered once; a new message is a new chat")
        if self._room in SERVING.get():
            raise RuntimeError("a tool cannot chat in the room that waits for its result")
        self._ends_at = self._user._view.ends_at()
        start_closer()
        place = self._place = ROOMS.join(self._room, weakref.ref(self), owner)
        # Whoever drops a chat without leaving it does not keep others out of the room.
        self._watch = close_when_dropped(self, partial(ROOMS.leave, place))
        return place

    def _leave_line(self) -> None:
        if self._place is not None:
            self._watch.cancel()
            ROOMS.leave(self._place)

    def _sending(self, open_stream: Callable[[], Any], speaks: Speaks) -> Effects[None]:
        """Wait until the room is quiet, listen, and only then speak: so no word of the answer is missed."""
        self._state.quiet((yield from ROOMS.until_quiet(self._user, self._room, self._ends_at, speaks)))
        yield from despite_open_circuit(lambda: Call(open_stream, ()), self._ends_at)
        message = yield from despite_open_circuit(self._send, self._ends_at)
        # Who chooses the key himself may be repeating a chat that broke off.
        self._state.sent(message, is_repeat=self._user._view.idempotency_key is not None)

    def _send(self) -> Call:
        send = self._in_time().messages.send
        return Call(partial(send, self._room.id, content=self._content, stream=True), ())

    def _looking(self) -> Effects[None]:
        try:
            page = yield from despite_open_circuit(self._look, self._ends_at)
        except InteractorError as error:
            self._state.look_failed(error)
        else:
            self._state.listed(page.data)

    def _look(self) -> Call:
        return Call(partial(self._in_time().messages.list, self._room.id, order="desc"), ())

    def _tools_too_slow(self, calls: tuple[ToolCall, ...]) -> APITimeoutError:
        names = ", ".join(clean_text(call.id) for call in calls)
        return APITimeoutError(f"The deadline of the chat has come while tools were running (calls {names}).")

    def _take(self, event: Any) -> None:
        """What the stream gave."""
        if event is Gap.GAP:
            self._state.resumed(self._stream.last_event_id)
        elif event is None:
            self._state.ended()
        else:
            self._state.received(event)

    def _broke(self, error: InteractorError) -> None:
        if isinstance(error, ResponseValidationError):
            self._state.missed()
        else:
            self._state.stream_failed(error)

    def _plans(self, calls: tuple[ToolCall, ...]) -> Iterator[Any]:
        for call in calls:
            pending = PendingCall(call.id, self._room.id, call.tool_id, None, call.arguments, self._room.namespace)
            assert self._tools is not None
            yield self._tools._answer(self._user, pending, self._ends_at, only_ours=True)

    def _is_over(self) -> bool:
        return isinstance(self._state.action, Done)

    def _require_entered(self) -> None:
        if self._place is None:
            raise RuntimeError("nothing has been sent: enter it first, `with user.chat(...) as reply:`")

    def _has_event(self) -> bool:
        """Whether there is one to hand out; raises if what there should have been was lost."""
        if not self._state.events and self._state.error is not None:
            raise self._state.error
        return bool(self._state.events)

    def _time_to_wait(self) -> float | None:
        return None if self._ends_at is None else max(0.0, self._ends_at - time.monotonic())

    def _in_time(self) -> Any:
        return view_until(self._user, self._ends_at)

    def _left_of_pause(self, seconds: float) -> float:
        """Who gives up waiting for the answer, and waits again, sleeps only for what is left."""
        now = time.monotonic()
        if self._wakes_at is None:
            self._wakes_at = now + seconds
        wakes_at = self._wakes_at if self._ends_at is None else min(self._wakes_at, self._ends_at)
        return max(0.0, wakes_at - now)

    def _woken(self) -> None:
        self._wakes_at = None
        self._state.woken()


def _tool_set(tools: Tools) -> ToolSet:
    from interactor_ext.tools._tool_set import tool_set

    return tool_set(tools)
