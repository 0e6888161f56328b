"""A free JSON object. In Python it is a plain `dict`."""

from __future__ import annotations

from typing import Any

JsonObject = dict[str, Any]
"""A free JSON object. In Python it is a plain `dict`."""
