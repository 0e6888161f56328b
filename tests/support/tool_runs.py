"""Runs a tool the way a chat does, without a platform."""

from __future__ import annotations

import asyncio
from typing import Any

from interactor_ext import ToolSet
from interactor_ext._engine.effects import run_async, run_sync
from interactor_ext.tools import ToolContext, ToolFunction
from interactor_ext.tools._calls import PendingCall, ToolRun


def run(
    tool: ToolFunction | None, arguments: Any, *, mode: str = "sync", name: str = "", exposes_errors: bool = False
) -> Any:
    """The result that the platform would receive."""
    name = name or (tool.name if tool else "")
    call = PendingCall("tc_1", "room_1", "tool_1", name, arguments, "user_1")
    effects = ToolRun(tool, name, call, is_async=mode == "async", exposes_errors=exposes_errors).result()
    return run_sync(effects) if mode == "sync" else asyncio.run(run_async(effects))


def tool_of(hint: Any, *default: Any) -> ToolFunction:
    """A tool with one parameter, `value`."""

    def use(value: Any) -> None: ...

    use.__annotations__["value"] = hint
    use.__defaults__ = default or None
    return ToolFunction.of(use, None, None)


def read(tool: ToolFunction, arguments: Any) -> dict[str, Any]:
    """The keyword arguments that the function is called with."""
    return tool.bind(arguments, ToolContext("user_1", "room_1", "tc_1"))


def result_of(value: Any) -> Any:
    """The result of a tool that returns this."""

    def give() -> Any:
        """Gives the value."""
        return value

    tools = ToolSet()
    tools.tool(give)
    return run(tools["give"], {})


def refusal(tool: ToolFunction, arguments: Any) -> str:
    """Return the error for refused arguments."""
    error = run(tool, arguments)["error"]
    assert error["type"] == "invalid_arguments", error
    words: str = error["message"]
    return words.removeprefix("The arguments are invalid: ")
