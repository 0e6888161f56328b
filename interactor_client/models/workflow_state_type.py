"""`action` does something and moves on, `halting` waits for input, `terminal` ends the instance."""

from __future__ import annotations

from typing import Literal

KnownWorkflowStateType = Literal["action", "halting", "terminal"]
"""`action` does something and moves on, `halting` waits for input, `terminal` ends the instance."""
WorkflowStateType = KnownWorkflowStateType | str
"""`action` does something and moves on, `halting` waits for input, `terminal` ends the instance.

Open: an unlisted value from a newer server is kept unchanged. Only send values of `KnownWorkflowStateType`.
"""
