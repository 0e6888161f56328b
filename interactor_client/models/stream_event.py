"""The models of the family `StreamEvent`, for packages that export them as well."""

from __future__ import annotations

from .message_complete import MessageComplete
from .message_delta import MessageDelta
from .stream_error_event import StreamErrorEvent
from .tool_call_complete import ToolCallComplete
from .tool_call_start import ToolCallStart
from .unknown_event import UnknownEvent
from .workflow_halted import WorkflowHalted
from .workflow_state_changed import WorkflowStateChanged

StreamEvent = (
    MessageDelta
    | MessageComplete
    | ToolCallStart
    | ToolCallComplete
    | WorkflowStateChanged
    | WorkflowHalted
    | StreamErrorEvent
    | UnknownEvent
)
"""The models of the family `StreamEvent`, including types that aren't listed."""

__all__ = [
    "StreamEvent",
    "MessageDelta",
    "MessageComplete",
    "ToolCallStart",
    "ToolCallComplete",
    "WorkflowStateChanged",
    "WorkflowHalted",
    "StreamErrorEvent",
    "UnknownEvent",
]
