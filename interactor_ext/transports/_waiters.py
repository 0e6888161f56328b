"""What a thread or a task sleeps on until another thread wakes it.

`threading.Event` and `Condition` are written in Python: an exception that a signal handler raises in the midst of them
can leave their lock taken for ever. A `SimpleQueue` is written in C, where no handler runs.
"""

from __future__ import annotations

import contextlib
import threading
from queue import Empty, SimpleQueue
from typing import Protocol

from interactor_ext._errors import ConfigurationError


def require_asyncio() -> None:
    """ConfigurationError where no event loop of asyncio runs, as under trio."""
    import asyncio

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        raise ConfigurationError(
            "This needs a running event loop of asyncio, and there is none: under trio, use InteractorClient in "
            "threads (trio.to_thread.run_sync), or run this part with trio-asyncio or asyncio.run"
        ) from None


class Waiter(Protocol):
    def wake(self) -> None:
        """May be called from any thread, any number of times. Neither waits nor takes a lock."""
        ...


class ThreadWaiter:
    __slots__ = ("_calls",)

    def __init__(self) -> None:
        self._calls: SimpleQueue[None] = SimpleQueue()

    def wake(self) -> None:
        self._calls.put(None)

    def wait(self, seconds: float) -> None:
        """Return when it is woken, or was already; after `seconds` at the latest."""
        with contextlib.suppress(Empty):
            self._calls.get(timeout=max(0.0, min(seconds, threading.TIMEOUT_MAX)))


class TaskWaiter:
    """Made in the event loop whose task is to wait."""

    __slots__ = ("_event", "_loop")

    def __init__(self) -> None:
        import asyncio

        self._loop = asyncio.get_running_loop()
        self._event = asyncio.Event()

    def wake(self) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._event.set)

    async def wait(self, seconds: float) -> None:
        import asyncio

        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._event.wait()
        self._event.clear()
