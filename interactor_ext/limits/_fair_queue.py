"""Waiting in line, for threads and for coroutines of any loop in the same line."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import AsyncIterator, Callable, Hashable, Iterator
from contextlib import asynccontextmanager, contextmanager

from interactor_ext._fork import after_fork_in_child
from interactor_ext.transports._closed import Closing
from interactor_ext.transports._waiters import TaskWaiter, ThreadWaiter, Waiter

# Seconds. Who waits looks again so often, for whoever should have woken it may have been interrupted instead.
_LOOK_AGAIN = 0.25


class FairQueue:
    """One turn for each key at a time, first come, first served. Who is cancelled, interrupted or gives up while
    waiting leaves the line.
    """

    def __init__(self) -> None:
        self._start_afresh()
        after_fork_in_child(self._start_afresh)

    def _start_afresh(self) -> None:
        # Reentrant, for the garbage collector may run anybody's code amid the few lines that hold it.
        self._lock = threading.RLock()
        # The first of a line has the turn. Places are held by those who wait; what is interrupted drops its own.
        self._lines: dict[Hashable, dict[weakref.ref[_Place], Waiter]] = {}

    def has_line(self, key: Hashable) -> bool:
        return key in self._lines

    @contextmanager
    def wait(self, key: Hashable, timeout: float | None, closing: Closing | None = None) -> Iterator[None]:
        """Hold the turn. TimeoutError if it does not come within `timeout` seconds, ConfigurationError if the client is
        closed meanwhile.
        """
        closing, place, waiter, left = closing or Closing(), _Place(), ThreadWaiter(), _countdown(timeout)
        try:
            while not self._has_turn(key, place, waiter):
                closing.wait(waiter, left())
            yield
        finally:
            self._leave(key, place)

    @asynccontextmanager
    async def wait_async(
        self, key: Hashable, timeout: float | None, closing: Closing | None = None
    ) -> AsyncIterator[None]:
        closing, place, waiter, left = closing or Closing(), _Place(), TaskWaiter(), _countdown(timeout)
        try:
            while not self._has_turn(key, place, waiter):
                await closing.wait_async(waiter, left())
            yield
        finally:
            self._leave(key, place)

    def _has_turn(self, key: Hashable, place: _Place, waiter: Waiter) -> bool:
        """Whether it has come; a place that stands in no line yet is the last of its line from now on."""
        with self._lock:
            line = self._lines.setdefault(key, {})
            line.setdefault(weakref.ref(place), waiter)
            while (first := next(iter(line)))() is None:
                del line[first]
            return first() is place

    def _leave(self, key: Hashable, place: _Place) -> None:
        with self._lock:
            line = self._lines.get(key, {})
            line.pop(weakref.ref(place), None)
            if line:
                next(iter(line.values())).wake()
            else:
                self._lines.pop(key, None)


class _Place:
    __slots__ = ("__weakref__",)


def _countdown(timeout: float | None) -> Callable[[], float]:
    """The seconds of the next wait. TimeoutError when all `timeout` seconds are over."""
    if timeout is None:
        return lambda: _LOOK_AGAIN
    ends_at = time.monotonic() + timeout

    def left() -> float:
        seconds = ends_at - time.monotonic()
        if seconds <= 0:
            raise TimeoutError
        return min(seconds, _LOOK_AGAIN)

    return left
