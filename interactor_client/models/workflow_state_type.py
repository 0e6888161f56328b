"""`action` does something and moves on, `halting` waits for input, `terminal` ends the instance."""

from __future__ import annotations

from typing import Literal

KnownWorkflowStateType = Literal["action", "halting", "terminal"]
"""`action` does something and moves on, `halting` waits for input, `terminal` ends the instance."""
WorkflowStateType = KnownWorkflowStateType | str
"""`action` does something and moves on, `halting` waits for input, `terminal` ends the instance.

Open: a value that is not listed, from a server that knows more of them, is kept as it came. What is sent is one of
`KnownWorkflowStateType`.
"""
