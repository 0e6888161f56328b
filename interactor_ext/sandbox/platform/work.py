"""Bounds the work of a request: counts it, ends it beyond a limit, and runs large work in a thread.

One unit of work is about half a microsecond of Python. Work that would block the loop for too long runs in a thread, so
that other requests are answered meanwhile.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar
from weakref import WeakKeyDictionary

T = TypeVar("T")

# Work that is done on the loop itself: about the cost of a small request.
INLINE = 10_000
# The maximum work of one request, about a second.
MAX_WORK = 1_500_000
# More threads would compete with the loop for the GIL.
THREADS = 2

_turns: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()


class TooMuchWork(Exception):
    """A budget is used up."""

    def __init__(self) -> None:
        super().__init__("this takes more work than the sandbox does for one step")


class Budget:
    """Counts work down and raises TooMuchWork below zero. After the first budget a step gets a larger one."""

    __slots__ = ("_left", "may_continue_in_thread")

    def __init__(self, limit: int, *, may_continue_in_thread: bool = False) -> None:
        self._left = limit
        self.may_continue_in_thread = may_continue_in_thread

    def spend(self, units: int) -> None:
        self._left -= units
        if self._left < 0:
            raise TooMuchWork


async def run_in_thread(work: Callable[[], T]) -> T:
    """Run `work` in one of few daemon threads; it must not touch what the loop uses."""
    loop = asyncio.get_running_loop()
    turns = _turns.setdefault(loop, asyncio.Semaphore(THREADS))
    async with turns:
        return await run_in_new_thread(work, "interactor-sandbox-work")


async def run_in_new_thread(work: Callable[[], T], name: str) -> T:
    """Run `work` in a new daemon thread at once: for blocking calls rather than computation."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if done.done():
            return
        if error is None:
            done.set_result(result)  # type: ignore[arg-type]
        else:
            done.set_exception(error)

    def run() -> None:
        result, error = None, None
        try:
            result = work()
        except BaseException as failure:
            error = failure
        # The loop may be closed by now.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(settle, result, error)

    threading.Thread(target=run, name=name, daemon=True).start()
    return await done
