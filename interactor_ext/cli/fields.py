"""Paths into JSON: `--field data.id` selects one, and `--set data.id=value` sets one."""

from __future__ import annotations

import json
import re
from typing import Any

from interactor_ext._errors import ConfigurationError

_STEP = re.compile(r"\.?([^.\[\]]+)|\[(-?\d*)\]")


def steps(path: str) -> list[str]:
    """The parts of a path: `data[0].id` is data, 0, id; `[]` stands for every item. Raises ConfigurationError."""
    found = [match[1] or match[2] or "[]" for match in _STEP.finditer(path)]
    if path != "." and (not found or _STEP.sub("", path)):
        raise ConfigurationError(f"{path!r} is no path of a field: write data.id, data[0].id or data[].id.")
    return found


def select(value: Any, path: str) -> list[Any]:
    """The values at a path: one, unless `[]` is in it. Raises ConfigurationError where it leads nowhere."""
    found = [value]
    for step in steps(path):
        found = [inner for each in found for inner in _within(each, step, path)]
    return found


def _within(value: Any, step: str, path: str) -> list[Any]:
    if isinstance(value, dict) and step in value:
        return [value[step]]
    if isinstance(value, list) and step == "[]":
        return value
    if isinstance(value, list) and re.fullmatch(r"-?\d+", step) and -len(value) <= int(step) < len(value):
        return [value[int(step)]]
    if isinstance(value, dict):
        there = f"there are {', '.join(value)}" if value else "there is nothing"
    elif isinstance(value, list):
        there = f"there is a list of {len(value)}: write [0], or [] for all"
    else:
        there = f"there is {json.dumps(value, ensure_ascii=False)[:100]}"
    raise ConfigurationError(f"The answer has no field {path!r}: at {step!r} {there}.")
