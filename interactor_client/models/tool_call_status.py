"""`pending` waits for `tools.submit_result`, `completed` has its result, `failed` has none and never will."""

from __future__ import annotations

from typing import Literal

KnownToolCallStatus = Literal["completed", "failed", "pending"]
"""`pending` waits for `tools.submit_result`, `completed` has its result, `failed` has none and never will."""
ToolCallStatus = KnownToolCallStatus | str
"""`pending` waits for `tools.submit_result`, `completed` has its result, `failed` has none and never will.

Open: an unlisted value from a newer server is kept unchanged. Only send values of `KnownToolCallStatus`.
"""
