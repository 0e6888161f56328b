"""Strict JSON parsing: limits depth and size, and rejects what could not be written as JSON again."""

from __future__ import annotations

import json
import re
from typing import Any

# Deeper than real data, and safely below Python's recursion limit.
MAX_DEPTH = 64
TOO_DEEP = f"is nested deeper than {MAX_DEPTH} levels"
# Values cost more than their characters at every step of processing.
MAX_VALUES = 250_000
TOO_MANY = f"holds more than {MAX_VALUES} values"
# Matches to the end of the text if a string is not closed, so that nothing is scanned twice.
STRING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)


class UnstorableJson(ValueError):
    """Valid JSON that is not accepted; the message continues `the JSON ...`."""


def parse_json(text: str) -> Any:
    """Raises UnstorableJson, or ValueError (a JSONDecodeError where the place is known) for what is not JSON."""
    # Each comma separates two values. Parsing too many would block the interpreter, even in a thread.
    if text.count(",") >= MAX_VALUES and STRING.sub("", text).count(",") >= MAX_VALUES:
        raise UnstorableJson(TOO_MANY)
    try:
        value = json.loads(text, parse_constant=_refuse_constant, parse_float=_finite)
    except RecursionError:
        raise UnstorableJson(TOO_DEEP) from None
    brackets = text.count("[") + text.count("{")
    if brackets > MAX_DEPTH or brackets + text.count(",") >= MAX_VALUES:
        _check_shape(value)
    # A lone surrogate can be escaped in JSON but has no UTF-8 encoding.
    if "\\u" in text and _has_surrogate(value):
        raise UnstorableJson("holds half a surrogate pair")
    return value


def weight(root: Any, limit: int) -> int:
    """The size of a JSON value: the number of values plus the characters of texts. Counting stops above `limit`."""
    total, pending = 0, [root]
    while pending and total + len(pending) <= limit:
        value = pending.pop()
        total += len(value) + 1 if isinstance(value, str) else 1
        if isinstance(value, dict):
            total += sum(map(len, value))
            pending.extend(value.values())
        elif isinstance(value, list):
            pending.extend(value)
    return total + len(pending)


def _refuse_constant(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError("a number is too large")
    return number


def _has_surrogate(value: Any) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    return False


def _check_shape(root: Any) -> None:
    """Raises UnstorableJson."""
    count, level, depth = 1, [root], 0
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            raise UnstorableJson(TOO_DEEP)
        below: list[Any] = []
        for value in level:
            if isinstance(value, dict):
                below.extend(value.values())
            elif isinstance(value, list):
                below.extend(value)
        count += len(below)
        if count > MAX_VALUES:
            raise UnstorableJson(TOO_MANY)
        level = below
