"""Who speaks."""

from __future__ import annotations

from typing import Literal

KnownMessageRole = Literal["assistant", "system", "tool", "user"]
"""Who speaks."""
MessageRole = KnownMessageRole | str
"""Who speaks.

Open: a value that is not listed, from a server that knows more of them, is kept as it came. What is sent is one of
`KnownMessageRole`.
"""
