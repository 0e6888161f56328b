"""Validates settings in seconds and bytes: a wrong one raises ConfigurationError where it is set."""

from __future__ import annotations

import math
from typing import Any

from interactor_ext._errors import ConfigurationError


def above_zero(value: Any, what: str, *, endless: bool = False) -> Any:
    """The value. `endless` permits infinity."""
    if not (is_number(value) and value > 0 and (endless or math.isfinite(value))):
        raise ConfigurationError(f"{what} must be a number above 0, not {value!r}.")
    return value


def at_least_zero(value: Any, what: str) -> Any:
    if not (is_number(value) and value >= 0 and math.isfinite(value)):
        raise ConfigurationError(f"{what} must be a number from 0 up, not {value!r}.")
    return value


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
