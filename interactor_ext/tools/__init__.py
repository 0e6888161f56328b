"""Python functions that assistants may call.

    tools = ToolSet()

    @tools.tool
    def get_weather(city: str, unit: Literal["C", "F"] = "C") -> dict[str, Any]:
        \"\"\"The weather right now.

        Args:
            city: The city, in English.
            unit: Celsius or Fahrenheit.
        \"\"\"

    bot = user.assistants.create(name=..., model=..., system_prompt=..., tools=tools)

`user.chat(room_id, "...", tools=tools)` runs them for a conversation, `tools.run(user, event)` for a webhook. The model
gets a description and a JSON Schema, derived from the function's docstring and signature. Arguments are validated and
converted. Invalid arguments and exceptions become results that the model can read: the text of a `ToolError`, and for
any other exception a message that the tool failed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from interactor_ext._engine.lazy import lazy_modules, lazy_names

if TYPE_CHECKING:
    from interactor_ext.tools._approval import ApprovalError, WaitingCall
    from interactor_ext.tools._calls import PendingCall, ToolError
    from interactor_ext.tools._function import ToolContext, ToolFunction
    from interactor_ext.tools._tool_set import ToolSet

__all__ = ["ApprovalError", "PendingCall", "ToolContext", "ToolError", "ToolFunction", "ToolSet", "WaitingCall"]

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "._approval": ("ApprovalError", "WaitingCall"),
            "._calls": ("PendingCall", "ToolError"),
            "._tool_set": ("ToolSet",),
            "._function": ("ToolContext", "ToolFunction"),
        },
    )

# Few tool sets have a ledger, and most chats no tools.
lazy_modules(__name__, "_ledger", "_tool_set")
