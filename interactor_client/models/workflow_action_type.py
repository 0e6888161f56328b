"""What an action does."""

from __future__ import annotations

from typing import Literal

KnownWorkflowActionType = Literal["ai_process", "email", "http", "transform"]
"""What an action does."""
WorkflowActionType = KnownWorkflowActionType | str
"""What an action does.

Open: an unlisted value from a newer server is kept unchanged. Only send values of `KnownWorkflowActionType`.
"""
