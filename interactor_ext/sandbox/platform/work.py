"""Bounds the work of a request: counts it, ends it beyond a limit, and runs large work in a thread.

One unit of work is about half a microsecond of Python. Work that would block the loop for too long runs in a thread, so
that other requests are answered meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from interactor_ext._waiting.threads import UNBOUNDED, DaemonThreads

T = TypeVar("T")

# Work that is done on the loop itself: about the cost of a small request.
INLINE = 10_000
# The maximum work of one request, about a second.
MAX_WORK = 1_500_000
# More threads would compete with the loop for the GIL.
_COMPUTING = DaemonThreads("interactor-sandbox-work", most=2)
_WAITING = DaemonThreads("interactor-sandbox-lookup", most=UNBOUNDED)


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
    return await _outcome(_COMPUTING, work)


async def run_in_own_thread(work: Callable[[], T]) -> T:
    """Run `work` in a daemon thread at once: for blocking calls rather than computation."""
    return await _outcome(_WAITING, work)


async def _outcome(threads: DaemonThreads, work: Callable[[], T]) -> T:
    future = threads.submit(work)
    try:
        return await asyncio.wrap_future(future)
    finally:
        threads.abandon(future)
