"""Who speaks."""

from __future__ import annotations

from typing import Literal

KnownMessageRole = Literal["assistant", "system", "tool", "user"]
"""Who speaks."""
MessageRole = KnownMessageRole | str
"""Who speaks.

Open: an unlisted value from a newer server is kept unchanged. Only send values of `KnownMessageRole`.
"""
