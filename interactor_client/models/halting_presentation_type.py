"""What to show to the person whose input is awaited."""

from __future__ import annotations

from typing import Literal

KnownHaltingPresentationType = Literal["approval", "form", "selection"]
"""What to show to the person whose input is awaited."""
HaltingPresentationType = KnownHaltingPresentationType | str
"""What to show to the person whose input is awaited.

Open: a value that is not listed, from a server that knows more of them, is kept as it came. What is sent is one of
`KnownHaltingPresentationType`.
"""
