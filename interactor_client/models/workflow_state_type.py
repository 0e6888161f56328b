"""`action` does something and moves on, `halting` waits for input, `terminal` ends the instance.

Open: a value that is not listed, from a server that knows more of them, is kept as it came.
"""

from __future__ import annotations

from typing import Literal

WorkflowStateType = Literal["action", "halting", "terminal"] | str
