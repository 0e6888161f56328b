"""For functions that users pass to the SDK: tells an interruption of the program from the function's own error.

Handlers, tools and decisions can raise something that isn't an Exception: SystemExit, or the CancelledError of a task
that they cancelled themselves. If passed on, it would end a worker or a request's task that nobody has interrupted.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

from interactor_ext._engine.arguments import is_async
from interactor_ext._engine.lazy import asyncio
from interactor_ext._engine.waiting.around import finished


class FunctionExit(Exception):
    """A function raised a BaseException, the cause, that interrupts nothing but the function."""


def cause_of(error: BaseException) -> BaseException:
    """Return what a function raised."""
    return error.__cause__ or error if isinstance(error, FunctionExit) else error


def contained(function: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap `function`, sync or async, to raise FunctionExit instead of a BaseException of its own."""

    async def acall(*args: Any) -> Any:
        return await _awaited(function(*args))

    def call(*args: Any) -> Any:
        with _own_errors():
            result = function(*args)
        return _awaited(result) if inspect.isawaitable(result) else finished(result)

    return acall if is_async(function) else call


async def _awaited(result: Awaitable[Any]) -> Any:
    with _own_errors():
        return finished(await result)


@contextmanager
def _own_errors() -> Iterator[None]:
    try:
        yield
    except (Exception, GeneratorExit):
        raise
    except BaseException as error:
        if _is_interruption(error):
            raise
        raise FunctionExit(f"It raised {type(error).__name__}.") from error


def _is_interruption(error: BaseException) -> bool:
    if isinstance(error, asyncio.CancelledError):
        return is_being_cancelled()
    if isinstance(error, SystemExit):
        return _is_from_signal(error)
    return threading.current_thread() is threading.main_thread()


def is_being_cancelled() -> bool:
    """Whether the current task is being cancelled."""
    try:
        task = asyncio.current_task()
    except RuntimeError:  # no event loop
        return False
    return task is not None and task.cancelling() > 0


def _is_from_signal(error: BaseException) -> bool:
    """Whether a signal handler raised it: Python passes the interrupted frame to a handler."""
    traceback = error.__traceback__
    while traceback is not None and (inner := traceback.tb_next) is not None:
        for value in inner.tb_frame.f_locals.values():
            if any(each is traceback.tb_frame for each in (value if type(value) is tuple else (value,))):
                return True
        traceback = inner
    return False
