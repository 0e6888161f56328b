"""Checks arguments of constructors and decorators, so that a mistake is an error there, not at the first call."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from interactor_ext._engine.errors import ConfigurationError

T = TypeVar("T")


def require_kind(name: str, value: object, kind: type[T]) -> T:
    if not isinstance(value, kind):
        article = "an" if kind.__name__[0] in "AEIO" else "a"
        is_httpx2 = any(base.__module__ == "httpx2" for base in type(value).__mro__)
        advice = " from httpx2, whose classes differ from httpx's: use the same class from httpx" if is_httpx2 else ""
        raise ConfigurationError(f"{name} must be {article} {kind.__name__}, not {kind_of(value)}{advice}")
    return value


def require_flags(**flags: object) -> None:
    """Raise ConfigurationError unless each is True or False. The string "no" would count as true."""
    for name, value in flags.items():
        if not isinstance(value, bool):
            raise ConfigurationError(f"{name}= must be True or False, not {value!r}.")


def require_callback(name: str, callback: object, *, is_awaited: bool = False) -> None:
    """Raise ConfigurationError unless it is None or a function, which may only be async if it `is_awaited`."""
    if callback is None or is_regular(callback) or (is_awaited and callable(callback) and is_async(callback)):
        return
    kind = "a function" if is_awaited else "a regular function (`def`, not `async def`)"
    raise ConfigurationError(f"{name} must be {kind}, not {callback!r}.")


def require_methods(name: str, value: object, *methods: str, is_awaited: bool = False, advice: str = "") -> None:
    """Raise ConfigurationError unless it is an object with these methods, which may be async if they are awaited."""
    usable = callable if is_awaited else is_regular
    if isinstance(value, type) or not all(usable(getattr(value, each, None)) for each in methods):
        kind, needed = "" if is_awaited else "regular (not `async def`) ", "`, `".join(methods)
        raise ConfigurationError(
            f"{name} must be an object with the {kind}methods `{needed}`, not {kind_of(value)}.{advice}"
        )


def kind_of(value: object) -> str:
    """Name the type of a wrong value for a message."""
    return f"the class {value.__name__}" if isinstance(value, type) else type(value).__name__


def is_async(function: Callable[..., Any]) -> bool:
    return any(inspect.iscoroutinefunction(each) for each in _forms(function))


def is_generator(function: Callable[..., Any]) -> bool:
    """Whether calling it runs none of its code."""
    return any(inspect.isgeneratorfunction(each) or inspect.isasyncgenfunction(each) for each in _forms(function))


def _forms(function: Any) -> tuple[Any, Any]:
    """Yield a function, what a partial calls, and an object's `__call__`."""
    while isinstance(function, partial):
        function = function.func
    return function, type(function).__call__


def is_regular(function: object) -> bool:
    """Whether a call runs the function's code at once, rather than returning a coroutine or a generator."""
    return callable(function) and not is_async(function) and not is_generator(function)


def above_zero(value: Any, what: str, *, endless: bool = False) -> Any:
    """Return the value. `endless` permits infinity."""
    if not (is_number(value) and value > 0 and (endless or math.isfinite(value))):
        raise ConfigurationError(f"{what} must be a number above 0, not {value!r}.")
    return value


def at_least(least: int, value: Any, what: str) -> Any:
    if not (is_number(value) and value >= least and math.isfinite(value)):
        raise ConfigurationError(f"{what} must be a number from {least} up, not {value!r}.")
    return value


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def signature_of(function: Any, name: str) -> inspect.Signature | None:
    """Return the signature, or None for a built-in function without one.

    Raises ConfigurationError for a function that would do nothing, or that FastAPI would have to call.
    """
    if not callable(function):
        raise ConfigurationError(f"{name} must be a function, not {function!r}.")
    if is_generator(function):
        raise ConfigurationError(
            f"{name} is a generator function, so calling it would run none of its code. Write it without `yield`."
        )
    try:
        signature = inspect.signature(function)
    except ValueError:
        return None
    if any(type(each.default).__module__.startswith("fastapi.") for each in signature.parameters.values()):
        raise ConfigurationError(
            f"FastAPI doesn't call {name}, so Depends in {name}{signature} has no effect. A last parameter without a "
            "default receives what around= yields, such as around=Session.begin."
        )
    return signature


def require_function(value: Any, name: str) -> None:
    """Raises ConfigurationError for a function that would do nothing, or that can't be called with one argument."""
    if value is None or (signature := signature_of(value, name)) is None:
        return
    try:
        signature.bind(b"")
    except TypeError:
        raise ConfigurationError(f"{name} must be a function of one parameter, not {value!r}.") from None
