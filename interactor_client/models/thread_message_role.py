"""Who speaks in the conversation of an instance."""

from __future__ import annotations

from typing import Literal

KnownThreadMessageRole = Literal["system", "user", "workflow"]
"""Who speaks in the conversation of an instance."""
ThreadMessageRole = KnownThreadMessageRole | str
"""Who speaks in the conversation of an instance.

Open: a value that is not listed, from a server that knows more of them, is kept as it came. What is sent is one of
`KnownThreadMessageRole`.
"""
