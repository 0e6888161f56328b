"""`pending` waits for `submit_tool_result`, `completed` has its result, `failed` has none and will have none.

Open: a value that is not listed, from a server that knows more of them, is kept as it came. What is sent is one of
`KnownToolCallStatus`.
"""

from __future__ import annotations

from typing import Literal

KnownToolCallStatus = Literal["completed", "failed", "pending"]
ToolCallStatus = KnownToolCallStatus | str
