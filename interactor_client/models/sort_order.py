"""Oldest first (`asc`) or newest first (`desc`).

Open: a value that is not listed, from a server that knows more of them, is kept as it came. What is sent is one of
`KnownSortOrder`.
"""

from __future__ import annotations

from typing import Literal

KnownSortOrder = Literal["asc", "desc"]
SortOrder = KnownSortOrder | str
