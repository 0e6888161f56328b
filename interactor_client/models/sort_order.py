"""Oldest first (`asc`) or newest first (`desc`)."""

from __future__ import annotations

from typing import Literal

KnownSortOrder = Literal["asc", "desc"]
"""Oldest first (`asc`) or newest first (`desc`)."""
SortOrder = KnownSortOrder | str
"""Oldest first (`asc`) or newest first (`desc`).

Open: an unlisted value from a newer server is kept unchanged. Only send values of `KnownSortOrder`.
"""
