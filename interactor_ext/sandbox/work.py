"""Threads for work that would block the loop for too long, and the loop itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from interactor_ext._waiting.threads import UNBOUNDED, DaemonThreads

T = TypeVar("T")

# More threads would compete with the loop for the GIL.
_COMPUTING = DaemonThreads("interactor-sandbox-work", most=2)
_WAITING = DaemonThreads("interactor-sandbox-lookup", most=UNBOUNDED)


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


def running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
