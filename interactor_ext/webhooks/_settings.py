"""Validates settings in seconds and bytes. A wrong value raises ConfigurationError where it is set."""

from __future__ import annotations

import math
from typing import Any

from interactor_ext._engine.arguments import kind_of
from interactor_ext._engine.errors import ConfigurationError
from interactor_ext._engine.waiting.around import signature_of

_STORES = "SQLiteEventStore(path), PostgresEventStore(dsn) or RedisEventStore(redis.Redis.from_url(url))"
_HAND_OVER = "; with a task queue, pass a function that accepts deliveries as hand_over"
_KINDS = {
    "store": _STORES,
    "ledger": _STORES,
    "queue": "SQLiteEventQueue(path) or PostgresEventQueue(dsn)",
}


def above_zero(value: Any, what: str, *, endless: bool = False) -> Any:
    """Return the value. `endless` permits infinity."""
    if not (is_number(value) and value > 0 and (endless or math.isfinite(value))):
        raise ConfigurationError(f"{what} must be a number above 0, not {value!r}.")
    return value


def at_least_zero(value: Any, what: str) -> Any:
    if not (is_number(value) and value >= 0 and math.isfinite(value)):
        raise ConfigurationError(f"{what} must be a number from 0 up, not {value!r}.")
    return value


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def require_function(value: Any, name: str) -> None:
    """Raises ConfigurationError for a function that would do nothing, or that can't be called with one argument."""
    if value is None or (signature := signature_of(value, name)) is None:
        return
    try:
        signature.bind(b"")
    except TypeError:
        raise ConfigurationError(f"{name} must be a function of one parameter, not {value!r}.") from None


def require_methods(value: Any, what: str, *methods: str) -> None:
    """Raises ConfigurationError for a store or queue that would otherwise fail at the first delivery."""
    if value is None or (not isinstance(value, type) and all(callable(getattr(value, each, None)) for each in methods)):
        return
    who, more = ("A webhook router", _HAND_OVER) if what != "ledger" else ("A ToolSet", "")
    raise ConfigurationError(
        f"{who} needs a {what}, not {kind_of(value)}: write {what}={_KINDS[what]}. Your own class "
        f"needs {', '.join(methods)}{more}."
    )
