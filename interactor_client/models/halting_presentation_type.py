"""What to show to the person whose input is awaited.

Open: a value that is not listed, from a server that knows more of them, is kept as it came. What is sent is one of
`KnownHaltingPresentationType`.
"""

from __future__ import annotations

from typing import Literal

KnownHaltingPresentationType = Literal["approval", "form", "selection"]
HaltingPresentationType = KnownHaltingPresentationType | str
