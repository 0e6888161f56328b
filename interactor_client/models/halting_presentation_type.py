"""What to show to the person whose input is awaited.

Open: a value that is not listed, from a server that knows more of them, is kept as it came.
"""

from __future__ import annotations

from typing import Literal

HaltingPresentationType = Literal["approval", "form", "selection"] | str
