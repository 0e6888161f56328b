"""First come, first served queues by key, for threads and for tasks of any event loop in the same queue."""

from __future__ import annotations

import weakref
from collections.abc import Hashable

from interactor_ext._engine.fork import after_fork_in_child, fork_safe_lock
from interactor_ext._engine.waiting import Waiter

CHECK_SECONDS = 0.25
"""A waiter checks its turn this often, in case whoever should have woken it was interrupted."""


class Place:
    """A place in a key's queue. The queue references it weakly, so an interrupted waiter's place disappears with it."""

    __slots__ = ("__weakref__", "key", "waiter")

    def __init__(self, key: Hashable, waiter: Waiter) -> None:
        self.key = key
        self.waiter = waiter


class FairQueue:
    """One turn for each key at a time, until its holder leaves. Nothing here waits."""

    def __init__(self) -> None:
        self._lock = fork_safe_lock()
        self._reset()
        after_fork_in_child(self._reset)

    def _reset(self) -> None:
        # The first in a queue has the turn.
        self._queues: dict[Hashable, dict[weakref.ref[Place], Waiter]] = {}

    def is_busy(self, key: Hashable) -> bool:
        return key in self._queues

    def has_turn(self, place: Place) -> bool:
        """Whether it is the head of its queue; joins it if necessary."""
        with self._lock:
            queue = self._queues.setdefault(place.key, {})
            queue.setdefault(weakref.ref(place), place.waiter)
            while (first := next(iter(queue)))() is None:
                del queue[first]
            return first() is place

    def leave(self, place: Place) -> None:
        """Pass the turn to the next one."""
        with self._lock:
            queue = self._queues.get(place.key, {})
            queue.pop(weakref.ref(place), None)
            if queue:
                next(iter(queue.values())).wake()
            else:
                self._queues.pop(place.key, None)
