"""Strict JSON parsing: limits depth and size, and rejects what could not be written as JSON again."""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

# Deeper than real data, and safely below Python's recursion limit.
MAX_DEPTH = 64
TOO_DEEP = f"is nested deeper than {MAX_DEPTH} levels"
# Values cost more than their characters at every step of processing.
MAX_VALUES = 250_000
TOO_MANY = f"contains more than {MAX_VALUES} values"
# Matches to the end of the text if a string is not closed, so that nothing is scanned twice.
STRING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)


class UnstorableJson(ValueError):
    """Valid JSON that is not accepted; the message continues `the JSON ...`."""


def parse_json(text: str) -> Any:
    """Raises UnstorableJson, or ValueError (a JSONDecodeError where the place is known) for what is not JSON."""
    # Parsing too many would block the interpreter, even in a thread.
    if _values(text) > MAX_VALUES and _values(STRING.sub("", text)) > MAX_VALUES:
        raise UnstorableJson(TOO_MANY)
    try:
        value = json.loads(text, parse_constant=_refuse_constant, parse_float=_finite)
    except RecursionError:
        raise UnstorableJson(TOO_DEEP) from None
    if text.count("[") + text.count("{") > MAX_DEPTH and size_of(value, len(text)).levels > MAX_DEPTH:
        raise UnstorableJson(TOO_DEEP)
    # A lone surrogate can be escaped in JSON but has no UTF-8 encoding.
    if "\\u" in text and _has_surrogate(value):
        raise UnstorableJson("contains half a surrogate pair")
    return value


def compact(value: Any) -> str:
    """JSON without spaces."""
    return json.dumps(value, separators=(",", ":"))


def _values(text: str) -> int:
    """How many values are in JSON without commas and brackets in its texts: one, and one more at each of these."""
    marks = sum(map(text.count, ",[{"))
    return 1 + marks - text.count("[]") - text.count("{}")


class Size(NamedTuple):
    """How many values JSON has, how many characters in its texts, and how many levels."""

    values: int
    characters: int
    levels: int

    @property
    def weight(self) -> int:
        return self.values + self.characters


def size_of(root: Any, limit: int) -> Size:
    """The size of a JSON value. Counting stops at a weight above `limit`."""
    values = characters = levels = 0
    level = [root]
    while level and values + characters + len(level) <= limit:
        values, levels = values + len(level), levels + 1
        below: list[Any] = []
        for value in level:
            if isinstance(value, str):
                characters += len(value)
            elif isinstance(value, dict):
                characters += sum(map(len, value))
                below.extend(value.values())
            elif isinstance(value, list):
                below.extend(value)
        level = below
    return Size(values + len(level), characters, levels + bool(level))


def _refuse_constant(constant: str) -> None:
    raise ValueError(f"{constant} isn't JSON")


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
