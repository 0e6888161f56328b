"""Tool calls that wait for a person: how the browser sees them, and how it decides."""

from __future__ import annotations

from typing import Any

from interactor_ext.relay._http import Refused
from interactor_ext.tools._approval import ApprovalError
from interactor_ext.tools._tool_set import ToolSet


async def waiting(tools: ToolSet, view: Any, room: str) -> list[dict[str, Any]]:
    calls = await tools.pending(view, room)
    return [{"id": call.id, "tool": call.tool, "shown": call.shown, "digest": call.digest} for call in calls]


async def decide(tools: ToolSet, view: Any, room: str, call_id: str, body: dict[str, Any], by: str) -> None:
    """Raises Refused if the call isn't waiting, or its arguments differ from those shown."""
    word, reason = body.get("decision"), body.get("reason", "")
    if word not in ("approve", "reject") or not isinstance(reason, str):
        raise Refused(422)
    call = next((each for each in await tools.pending(view, room) if each.id == call_id), None)
    if call is None or call.digest != body.get("digest"):
        raise Refused(409)
    try:
        if word == "approve":
            await tools.approve(view, call, by=by)
        else:
            await tools.reject(view, call, by=by, **({"reason": reason} if reason else {}))
    except ApprovalError:
        raise Refused(409) from None
