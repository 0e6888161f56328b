"""MemoryEventStore: deduplicates events in this process's memory, which a restart clears."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

from interactor_ext._engine.arguments import above_zero
from interactor_ext._engine.fork import fork_safe_lock
from interactor_ext.webhooks.stores._contract import DEFAULT_TTL, ClaimState


class _StoredEvent(NamedTuple):
    token: str
    until: float
    completed: bool


class MemoryEventStore:
    """Deduplicates events within one process. Other processes and restarts let a replay through.

    `ttl` is in seconds. `max_events` limits memory: the oldest handled events are forgotten first.
    """

    def __init__(
        self, *, ttl: float = DEFAULT_TTL, max_events: int = 100_000, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.ttl: float = above_zero(ttl, "The ttl of a webhook store", endless=True)
        self._max_events = max_events
        self._clock = clock
        self._lock = fork_safe_lock()
        self._entries: dict[str, _StoredEvent] = {}

    def claim(self, key: str, token: str, lease: float) -> ClaimState:
        """Like `EventStore.claim`."""
        with self._lock:
            now = self._clock()
            entry = self._entries.get(key)
            if entry is not None and entry.until > now and (entry.completed or entry.token != token):
                return ClaimState.COMPLETED if entry.completed else ClaimState.IN_PROGRESS
            self._entries[key] = _StoredEvent(token, now + lease, completed=False)
            return ClaimState.CLAIMED

    def complete(self, key: str, token: str) -> bool:
        """Like `EventStore.complete`."""
        with self._lock:
            now = self._clock()
            entry = self._entries.pop(key, None)
            if entry is not None and entry.completed and entry.until > now:
                self._entries[key] = entry
                return False
            self._entries[key] = _StoredEvent("", now + self.ttl, completed=True)
            if len(self._entries) > self._max_events:
                # A dict keeps the order of insertion, so the first entry is the oldest.
                del self._entries[next(key for key, entry in self._entries.items() if entry.completed)]
            return True

    def release(self, key: str, token: str) -> None:
        """Like `EventStore.release`."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is not None and not entry.completed and entry.token == token:
                del self._entries[key]
