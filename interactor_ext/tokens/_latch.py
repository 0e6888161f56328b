"""What an interrupt cannot tear: an event for threads and event loops, and the start of a thread."""

from __future__ import annotations

import _thread
import contextlib
import threading
from collections.abc import Callable


class Latch:
    """Set once, and waited for by threads and by tasks of any event loop.

    Ctrl-C, or a signal handler that raises, can hit a thread in any line of Python. Within `threading.Event` or
    `concurrent.futures.Future` it can leave their one lock taken, and everybody else waits for ever. Here each waiter
    has a lock of its own.
    """

    def __init__(self) -> None:
        self.is_set = False
        self._wakers: list[Callable[[], object]] = []

    def set(self) -> None:
        self.is_set = True
        with contextlib.suppress(IndexError):
            while True:
                self._wakers.pop()()

    def wait(self, seconds: float) -> bool:
        """Whether it is set, at the latest after so many seconds."""
        gate = threading.Lock()
        gate.acquire()
        # A waker that comes too late for `set` finds `is_set`.
        self._wakers.append(gate.release)
        if not self.is_set:
            gate.acquire(timeout=seconds)
        return self.is_set

    async def wait_async(self, seconds: float) -> bool:
        import asyncio

        loop, woken = asyncio.get_running_loop(), asyncio.Event()

        def wake() -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(woken.set)

        self._wakers.append(wake)
        if not self.is_set:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await woken.wait()
        return self.is_set


def start_thread(target: Callable[[], object], name: str) -> None:
    """Start a daemon thread. RuntimeError where the system gives none.

    `Thread.start` waits for the new thread in Python: an interrupt there can end that before it comes to `target`. So
    another thread does it, whose own start is a single step of C.
    """

    def start() -> None:
        try:
            threading.Thread(target=target, name=name, daemon=True).start()
        except RuntimeError:
            target()  # one more is not to be had, so this one it is

    _thread.start_new_thread(start, ())
