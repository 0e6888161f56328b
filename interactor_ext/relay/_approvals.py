"""Calls of tools that wait for a person, in the browser: what it is shown of them, and its decision."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any

from interactor_ext._effects import Call, Effects
from interactor_ext.relay._http import Refused
from interactor_ext.tools._approval import ApprovalError, WaitingCall
from interactor_ext.tools._tool_set import ToolSet


class Approvals:
    """`finish` is that of `Hubs`."""

    def __init__(self, tools: ToolSet, finish: Callable[[str, Coroutine[Any, Any, None]], Awaitable[None]]) -> None:
        self._tools = tools
        self._finish = finish

    def waiting(self, view: Any, room: str) -> Effects[list[dict[str, Any]]]:
        calls: list[WaitingCall] = yield Call(self._tools.pending, (view, room))
        return [{"id": call.id, "tool": call.tool, "shown": call.shown, "digest": call.digest} for call in calls]

    def decide(self, view: Any, room: str, call_id: str, body: dict[str, Any], by: str) -> Effects[None]:
        """Raises Refused for a call that does not wait, or whose arguments are others than those that were shown."""
        decision, reason = body.get("decision"), body.get("reason", "")
        if decision not in ("approve", "reject") or not isinstance(reason, str):
            raise Refused(422)
        calls: list[WaitingCall] = yield Call(self._tools.pending, (view, room))
        call = next((each for each in calls if each.id == call_id), None)
        if call is None or call.digest != body.get("digest"):
            raise Refused(409)
        if decision == "approve":
            work = partial(self._tools.approve, view, call, by=by)
        else:
            work = partial(self._tools.reject, view, call, by=by, **({"reason": reason} if reason else {}))
        try:
            # A tool that has begun goes on although the browser leaves.
            yield Call(self._finish, ("A decision about a call", work()))
        except ApprovalError:
            raise Refused(409) from None
