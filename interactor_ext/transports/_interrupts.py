"""Finds exceptions that a signal handler raised during a call, which are neither translated nor retried.

The time limits of task queues are mostly plain Exceptions, and those of many programs TimeoutErrors, which httpx takes
for a failure of the network.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from traceback import walk_tb
from types import CodeType


def interrupt_behind(error: BaseException) -> BaseException | None:
    """The exception of a signal handler that led to `error`, or is `error`."""
    if threading.current_thread() is not threading.main_thread():
        return None  # Python runs handlers nowhere else
    handlers = set(_handlers())
    link: BaseException | None = error
    seen: set[int] = set()  # causes and contexts can form a circle
    while handlers and link is not None and id(link) not in seen:
        seen.add(id(link))
        if any(frame.f_code in handlers for frame, _ in walk_tb(link.__traceback__)):
            return link
        link = link.__cause__ or link.__context__
    return None


def _handlers() -> Iterator[CodeType]:
    for number in signal.valid_signals():
        handler = signal.getsignal(number)
        code = getattr(getattr(handler, "__func__", handler), "__code__", None)
        if code is not None:
            yield code
