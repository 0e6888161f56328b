"""What an action does.

Open: a value that is not listed, from a server that knows more of them, is kept as it came.
"""

from __future__ import annotations

from typing import Literal

WorkflowActionType = Literal["ai_process", "email", "http", "transform"] | str
