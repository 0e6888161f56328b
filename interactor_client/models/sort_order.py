"""Oldest first (`asc`) or newest first (`desc`)."""

from __future__ import annotations

from typing import Literal

KnownSortOrder = Literal["asc", "desc"]
"""Oldest first (`asc`) or newest first (`desc`)."""
SortOrder = KnownSortOrder | str
"""Oldest first (`asc`) or newest first (`desc`).

Open: a value that is not listed, from a server that knows more of them, is kept as it came. What is sent is one of
`KnownSortOrder`.
"""
