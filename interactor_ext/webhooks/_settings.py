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


def require_methods(value: Any, what: str, *methods: str) -> None:
    """For the store and the queue of a router, which would else fail with the first delivery."""
    if value is None or all(callable(getattr(value, each, None)) for each in methods):
        return
    kind, is_url = type(value).__name__, isinstance(value, str)
    of = "EventQueue" if what == "queue" else "EventStore"
    if what == "store" and ((is_url and value.startswith("redis")) or "redis" in type(value).__module__):
        redis = "redis.Redis.from_url(url)" if is_url else "redis"
        advice = f"write store=RedisEventStore({redis})"
    elif is_url:
        backend, argument = ("Postgres", "url") if value.startswith("postgres") else ("SQLite", "path")
        advice = f"write {what}={backend}{of}({argument})"
    else:
        advice = (
            f"it needs {', '.join(methods)}; for a task queue, pass the function that takes a delivery as hand_over"
        )
    raise ConfigurationError(f"A webhook router needs a {what}, not {kind}: {advice}.")
