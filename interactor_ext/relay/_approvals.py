"""Calls of tools that wait for a person, in the browser: what it is shown of them, and its decision."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from interactor_ext._effects import Call, Effects
from interactor_ext.relay._http import Refused
from interactor_ext.tools._approval import ApprovalError, WaitingCall
from interactor_ext.tools._tool_set import ToolSet


def waiting(tools: ToolSet, view: Any, room: str) -> Effects[list[dict[str, Any]]]:
    calls: list[WaitingCall] = yield Call(tools.pending, (view, room))
    return [{"id": call.id, "tool": call.tool, "shown": call.shown, "digest": call.digest} for call in calls]


def decision(
    tools: ToolSet, view: Any, room: str, call_id: str, body: dict[str, Any], by: str
) -> Effects[Coroutine[Any, Any, None]]:
    """What carries it out. Raises Refused for a call that does not wait, or whose arguments are others than those that
    were shown.
    """
    word, reason = body.get("decision"), body.get("reason", "")
    if word not in ("approve", "reject") or not isinstance(reason, str):
        raise Refused(422)
    calls: list[WaitingCall] = yield Call(tools.pending, (view, room))
    call = next((each for each in calls if each.id == call_id), None)
    if call is None or call.digest != body.get("digest"):
        raise Refused(409)
    return _carry_out(tools, view, call, by, word == "approve", {"reason": reason} if reason else {})


async def _carry_out(
    tools: Any, view: Any, call: WaitingCall, by: str, is_approved: bool, reason: dict[str, str]
) -> None:
    try:
        if is_approved:
            await tools.approve(view, call, by=by)
        else:
            await tools.reject(view, call, by=by, **reason)
    except ApprovalError:
        raise Refused(409) from None
