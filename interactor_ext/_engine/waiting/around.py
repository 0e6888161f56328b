"""`around=`: runs a function of the application within a context manager of the application."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import Any

from interactor_ext._engine.arguments import is_async, is_generator
from interactor_ext._engine.errors import ConfigurationError

Around = Callable[[], AbstractContextManager[Any] | AbstractAsyncContextManager[Any]]
# Gets the function and what the context manager yields, and returns what is called instead of the function.
Bind = Callable[[Callable[..., Any], Any], Callable[..., Any]]


def checked_around(around: Around | None, name: str = "around") -> None:
    """Check `around`. Raises ConfigurationError for a common mistake."""
    is_manager = isinstance(around, AbstractContextManager | AbstractAsyncContextManager)
    if around is None or (callable(around) and not is_manager and not is_generator(around)):
        return
    raise ConfigurationError(
        f"{name}= must be a function that returns a context manager, such as {name}=Session.begin, not {around!r}. "
        "Leave out parentheses after it; a generator function needs @contextmanager or @asynccontextmanager."
    )


def surrounded(function: Callable[..., Any], around: Around, bind: Bind | None = None) -> Callable[..., Any]:
    """Wrap `function` in `around()`. A manager of both kinds is used like the function: sync or async."""

    def bound(value: Any) -> Callable[..., Any]:
        return function if bind is None else bind(function, value)

    async def acall(*args: Any) -> Any:
        return await _await_within(around(), lambda value: bound(value)(*args))

    def call(*args: Any) -> Any:
        manager, result = around(), None
        if not isinstance(manager, AbstractContextManager):
            raise ConfigurationError(
                "An async context manager of around= or once= can't surround a regular function. Make the function "
                "`async def`, or return a regular context manager."
            )
        with manager as value:
            result = bound(value)(*args)
            if not inspect.isawaitable(result):
                finished(result)
            if bind is not None and inspect.iscoroutine(result):
                result.close()
                raise ConfigurationError(
                    f"{function!r} is a regular function that returned a coroutine, which would run after the context "
                    "manager has exited. Make it `async def`."
                )
        return _await_within(around(), lambda _: result) if inspect.isawaitable(result) else result

    return acall if is_async(function) else call


def with_value(function: Callable[..., Any], value: Any) -> Callable[..., Any]:
    """Make a `Bind` for functions whose last parameter receives the value."""
    return lambda *args: function(*args, value)


def finished(result: Any) -> Any:
    """Return what a function returned. Raises TypeError if its code hasn't run, as behind a decorator."""
    if inspect.isgenerator(result) or inspect.isasyncgen(result) or inspect.iscoroutine(result):
        raise TypeError(
            f"It returned the {type(result).__name__.replace('_', ' ')} {result.__qualname__}, whose code hasn't run. "
            "Write it without `yield`, and await each coroutine."
        )
    return result


async def _await_within(manager: Any, call: Callable[[Any], Any]) -> Any:
    if isinstance(manager, AbstractAsyncContextManager):
        async with manager as value:
            return finished(await call(value))
    with manager as value:
        return finished(await call(value))
