"""`pending` waits for `tools.submit_result`, `completed` has its result, `failed` has none and will have none."""

from __future__ import annotations

from typing import Literal

KnownToolCallStatus = Literal["completed", "failed", "pending"]
"""`pending` waits for `tools.submit_result`, `completed` has its result, `failed` has none and will have none."""
ToolCallStatus = KnownToolCallStatus | str
"""`pending` waits for `tools.submit_result`, `completed` has its result, `failed` has none and will have none.

Open: a value that is not listed, from a server that knows more of them, is kept as it came. What is sent is one of
`KnownToolCallStatus`.
"""
