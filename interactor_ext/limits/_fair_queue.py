"""First come, first served queues by key, for threads and for tasks of any event loop in the same queue."""

from __future__ import annotations

import time
import weakref
from collections.abc import AsyncIterator, Callable, Hashable, Iterator
from contextlib import asynccontextmanager, contextmanager

from interactor_ext._fork import after_fork_in_child, fork_safe_lock
from interactor_ext._waiting import Closing, TaskWaiter, ThreadWaiter, Waiter

# A waiter checks its turn this often, because the one that should have woken it may have been interrupted.
_CHECK_SECONDS = 0.25


class FairQueue:
    """One turn for each key at a time. A waiter that is cancelled, interrupted or out of time leaves the queue."""

    def __init__(self) -> None:
        self._lock = fork_safe_lock()
        self._reset()
        after_fork_in_child(self._reset)

    def _reset(self) -> None:
        # The first of a queue has the turn. Waiters hold their places; that of an interrupted one goes with it.
        self._queues: dict[Hashable, dict[weakref.ref[_Place], Waiter]] = {}

    def is_busy(self, key: Hashable) -> bool:
        return key in self._queues

    @contextmanager
    def turn(self, key: Hashable, timeout: float | None, closing: Closing) -> Iterator[None]:
        """Wait for the turn and hold it. TimeoutError after `timeout` seconds, ConfigurationError if the client is
        closed meanwhile.
        """
        place, waiter, left = _Place(), ThreadWaiter(), _countdown(timeout)
        try:
            while not self._has_turn(key, place, waiter):
                closing.wait(left(), waiter)
                closing.check()
            yield
        finally:
            self._leave(key, place)

    @asynccontextmanager
    async def turn_async(self, key: Hashable, timeout: float | None, closing: Closing) -> AsyncIterator[None]:
        place, waiter, left = _Place(), TaskWaiter(), _countdown(timeout)
        try:
            while not self._has_turn(key, place, waiter):
                await closing.wait_async(left(), waiter)
                closing.check()
            yield
        finally:
            self._leave(key, place)

    def _has_turn(self, key: Hashable, place: _Place, waiter: Waiter) -> bool:
        """Whether it is the first of its queue, which it joins if it has not yet."""
        with self._lock:
            queue = self._queues.setdefault(key, {})
            queue.setdefault(weakref.ref(place), waiter)
            while (first := next(iter(queue)))() is None:
                del queue[first]
            return first() is place

    def _leave(self, key: Hashable, place: _Place) -> None:
        with self._lock:
            queue = self._queues.get(key, {})
            queue.pop(weakref.ref(place), None)
            if queue:
                next(iter(queue.values())).wake()
            else:
                self._queues.pop(key, None)


class _Place:
    __slots__ = ("__weakref__",)


def _countdown(timeout: float | None) -> Callable[[], float]:
    """Returns the seconds of the next wait; raises TimeoutError once `timeout` seconds are over."""
    if timeout is None:
        return lambda: _CHECK_SECONDS
    ends_at = time.monotonic() + timeout

    def left() -> float:
        seconds = ends_at - time.monotonic()
        if seconds <= 0:
            raise TimeoutError
        return min(seconds, _CHECK_SECONDS)

    return left
