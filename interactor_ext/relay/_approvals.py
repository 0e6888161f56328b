"""Calls of tools that wait for a person, in the browser: what it is shown of them, and its decision."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from interactor_ext._effects import Call, Effects
from interactor_ext._errors import ConfigurationError
from interactor_ext.relay._http import Refused, log_failure
from interactor_ext.tools._approval import ApprovalError, WaitingCall
from interactor_ext.tools._tool_set import ToolSet


class Approvals:
    """`in_background` runs a coroutine that the end of a request does not cancel."""

    def __init__(self, tools: ToolSet, in_background: Callable[[Coroutine[Any, Any, None]], None]) -> None:
        self._tools = tools
        self._in_background = in_background

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
            yield Call(self._outlive, (work,))
        except ApprovalError:
            raise Refused(409) from None

    async def _outlive(self, work: Callable[[], Any]) -> None:
        """A tool that has begun goes on although the browser leaves."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        async def run() -> None:
            try:
                await work()
                done.set_result(None)
            except Exception as error:
                log_failure("A decision about a call", error)
                done.set_exception(error)
            finally:
                if not done.done():
                    done.set_exception(ConfigurationError("The relay is closed."))
                done.exception()  # looked at, so that asyncio does not report it

        self._in_background(run())
        await asyncio.shield(done)
