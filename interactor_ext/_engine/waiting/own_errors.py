"""Functions that users hand to the SDK: tells an interruption of the program from the function's own error.

Handlers, tools and decisions can raise what is no Exception: SystemExit, or the CancelledError of something that they
have cancelled themselves. Passed on, it would end a worker, or the task of a request, that nobody has interrupted.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

from interactor_ext._engine.lazy import asyncio
from interactor_ext._engine.waiting.around import is_async


class FunctionExit(Exception):
    """A function raised a BaseException that interrupts nothing but the function. It is the cause."""


def cause_of(error: BaseException) -> BaseException:
    """What a function raised."""
    return error.__cause__ or error if isinstance(error, FunctionExit) else error


def contained(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function`, sync or async, raising FunctionExit for a BaseException of its own."""

    async def acall(*args: Any) -> Any:
        return await _awaited(function(*args))

    def call(*args: Any) -> Any:
        with _own_errors():
            result = function(*args)
        return _awaited(result) if inspect.isawaitable(result) else result

    return acall if is_async(function) else call


async def _awaited(result: Awaitable[Any]) -> Any:
    with _own_errors():
        return await result


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
    """Whether somebody cancels the current task."""
    try:
        task = asyncio.current_task()
    except RuntimeError:  # no event loop
        return False
    return task is not None and task.cancelling() > 0


def _is_from_signal(error: BaseException) -> bool:
    """Whether a signal handler raised it: Python calls that with the frame that it interrupts."""
    traceback = error.__traceback__
    while traceback is not None and (inner := traceback.tb_next) is not None:
        for value in inner.tb_frame.f_locals.values():
            if any(each is traceback.tb_frame for each in (value if type(value) is tuple else (value,))):
                return True
        traceback = inner
    return False
