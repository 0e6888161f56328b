"""Takes over a reply from a process that ended while running one of its tools."""

from __future__ import annotations

import asyncio
from typing import Any

from interactor_ext.chat._reply_order import ReplyOrder
from interactor_ext.tools._approval import WaitingCall

# Pauses between two checks of a room while the assistant writes. The last one repeats.
_PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0)


async def take_over(tools: Any, view: Any, room: str, seconds: float, *, waits: bool) -> None:
    """Run the calls of a room that have no result, and those that follow, until every message has a reply. Stop
    checking after `seconds`.

    A call that another process is running is left to it: the ledger knows. With `waits`, keep checking even if there is
    no such call but a message without a reply: a process may have ended between the two.
    """
    clock = asyncio.get_running_loop().time
    ends_at, looks = clock() + seconds, 0
    while clock() < ends_at:
        outcomes = await tools.resume(view, room)
        if not all(isinstance(each, WaitingCall) for each in outcomes):
            looks, waits = 0, True
        elif not waits or not await _has_unanswered_message(view, room):
            return
        await asyncio.sleep(_PAUSES[min(looks, len(_PAUSES) - 1)])
        looks += 1


async def _has_unanswered_message(view: Any, room: str) -> bool:
    newest = (await view.messages.list(room, order="desc")).data
    return bool(ReplyOrder(reversed(newest), None).unanswered)
