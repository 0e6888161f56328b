"""Strict JSON: everything that is read can be written again."""

from __future__ import annotations

import json
from typing import Any


def parse_json(text: str) -> Any:
    """Parse JSON. Raises ValueError, a JSONDecodeError where the location is known, for invalid JSON and for values
    that can't be written again: NaN, half a surrogate pair, endless nesting.
    """
    try:
        value = json.loads(text)
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    return value


def compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))
