"""Who speaks in the conversation of an instance."""

from __future__ import annotations

from typing import Literal

KnownThreadMessageRole = Literal["system", "user", "workflow"]
"""Who speaks in the conversation of an instance."""
ThreadMessageRole = KnownThreadMessageRole | str
"""Who speaks in the conversation of an instance.

Open: an unlisted value from a newer server is kept unchanged. Only send values of `KnownThreadMessageRole`.
"""
