"""Threads for calls that would block the loop, and the loop itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from interactor_ext._engine.waiting.threads import UNBOUNDED, DaemonThreads

T = TypeVar("T")

_THREADS = DaemonThreads("interactor-sandbox-lookup", max_threads=UNBOUNDED)


async def run_in_own_thread(work: Callable[[], T]) -> T:
    """Run `work` in a new daemon thread: for blocking calls rather than computation."""
    future = _THREADS.submit(work)
    try:
        return await asyncio.wrap_future(future)
    finally:
        _THREADS.abandon(future)


def running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
