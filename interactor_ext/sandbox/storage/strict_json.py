"""Strict JSON: what is read can be written again."""

from __future__ import annotations

import json
from typing import Any


def parse_json(text: str) -> Any:
    """Raises ValueError, a JSONDecodeError where the place is known, for what is not JSON or can't be written as JSON:
    NaN, half a surrogate pair, endless nesting.
    """
    try:
        value = json.loads(text)
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    return value


def compact(value: Any) -> str:
    """JSON without spaces."""
    return json.dumps(value, separators=(",", ":"))
