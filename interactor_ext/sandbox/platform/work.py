"""Bounds the work of a request: counts it, ends it beyond a limit, and runs large work in a thread.

One unit is about what Python does in half a microsecond. What would take longer than the loop can wait is done
in a thread, so that other requests are answered meanwhile.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar
from weakref import WeakKeyDictionary

T = TypeVar("T")

# So much is done on the loop itself: about what a small request costs all in all.
INLINE = 10_000
# And no more than this for one request, which is about a second.
MAX_WORK = 1_500_000
# More would compete with the loop for the one interpreter.
THREADS = 2

_turns: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()


class TooMuchWork(Exception):
    """A budget is used up."""

    def __init__(self) -> None:
        super().__init__("this takes more work than the sandbox does for one step")


class Budget:
    """Counts down. Raises TooMuchWork below zero. After the first there is a larger one."""

    __slots__ = ("_left", "is_first")

    def __init__(self, limit: int, *, is_first: bool = False) -> None:
        self._left = limit
        self.is_first = is_first

    def spend(self, units: int) -> None:
        self._left -= units
        if self._left < 0:
            raise TooMuchWork


async def run_in_thread(work: Callable[[], T]) -> T:
    """The result of `work`, which must touch nothing that the loop has.

    The threads are the end of no process: one that is given up runs out by itself.
    """
    loop = asyncio.get_running_loop()
    turns = _turns.setdefault(loop, asyncio.Semaphore(THREADS))
    async with turns:
        return await run_in_new_thread(work, "interactor-sandbox-work")


async def run_in_new_thread(work: Callable[[], T], name: str) -> T:
    """As `in_thread`, at once however many there are: for what waits rather than works."""
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
        # The loop may be over by now.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(settle, result, error)

    threading.Thread(target=run, name=name, daemon=True).start()
    return await done
