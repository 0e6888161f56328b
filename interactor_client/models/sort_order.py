"""Oldest first (`asc`) or newest first (`desc`).

Open: a value that is not listed, from a server that knows more of them, is kept as it came.
"""

from __future__ import annotations

from typing import Literal

SortOrder = Literal["asc", "desc"] | str
