"""What an action does."""

from __future__ import annotations

from typing import Literal

KnownWorkflowActionType = Literal["ai_process", "email", "http", "transform"]
"""What an action does."""
WorkflowActionType = KnownWorkflowActionType | str
"""What an action does.

Open: a value that is not listed, from a server that knows more of them, is kept as it came. What is sent is one of
`KnownWorkflowActionType`.
"""
