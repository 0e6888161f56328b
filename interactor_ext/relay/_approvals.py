"""Tool calls that wait for a person: how the browser sees them, and how it decides."""

from __future__ import annotations

import unicodedata
from typing import Any

from interactor_ext.relay._http import Refused
from interactor_ext.tools._approval import ApprovalError
from interactor_ext.tools._tool_set import ToolSet

# These look like a space, or like nothing, although they are letters and symbols.
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")


async def waiting(tools: ToolSet, view: Any, room: str) -> list[dict[str, Any]]:
    calls = await tools.pending(view, room)
    return [{"id": call.id, "tool": call.tool, "shown": _shown(call.shown), "digest": call.digest} for call in calls]


def _shown(value: Any) -> Any:
    """Escape what would deceive a person who decides: text in another order, hidden characters, spaces that aren't."""
    match value:
        case str():
            return "".join(ascii(each)[1:-1] if _deceives(each) else each for each in value)
        case dict():
            return {_shown(name): _shown(each) for name, each in value.items()}
        case list():
            return [_shown(each) for each in value]
    return value


def _deceives(character: str) -> bool:
    if character in " \t\n":
        return False
    return unicodedata.category(character)[0] in "CZ" or character in _BLANK


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
