"""What to show to the person whose input is awaited."""

from __future__ import annotations

from typing import Literal

KnownHaltingPresentationType = Literal["approval", "form", "selection"]
"""What to show to the person whose input is awaited."""
HaltingPresentationType = KnownHaltingPresentationType | str
"""What to show to the person whose input is awaited.

Open: an unlisted value from a newer server is kept unchanged. Only send values of `KnownHaltingPresentationType`.
"""
