"""The queue of pending deliveries of one webhook, ordered by due time."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field

from interactor_ext.sandbox.storage.records import JsonObject, Record

# Concurrent attempts to one webhook: a slow one delays only itself.
AT_ONCE = 8
MAX_WAITING = 1000
# Bytes of the bodies that wait for one webhook.
MAX_SIZE = 64 * 1024 * 1024

_numbers = itertools.count()


@dataclass(slots=True, eq=False)
class PendingDelivery:
    """An event to deliver to a webhook, with its encoded `body`. `due` is a time of the clock."""

    id: str
    event: JsonObject
    body: bytes = field(repr=False)
    due: float
    is_duplicate: bool = False
    attempt: int = 1


@dataclass(slots=True, eq=False)
class WebhookQueue:
    """The pending deliveries of one webhook. `held` waits for another delivery to overtake it."""

    webhook: Record
    held: PendingDelivery | None = None
    in_flight: set[PendingDelivery] = field(default_factory=set)
    next_due: asyncio.TimerHandle | None = None
    end_of_hold: asyncio.TimerHandle | None = None
    _waiting: list[tuple[float, int, PendingDelivery]] = field(default_factory=list)
    _size: int = 0

    def __len__(self) -> int:
        return len(self._waiting) + len(self.in_flight) + (self.held is not None)

    @property
    def is_full(self) -> bool:
        return len(self._waiting) >= MAX_WAITING or self._size >= MAX_SIZE

    def add(self, pending: PendingDelivery) -> None:
        # The number keeps deliveries that are due at the same time in order of arrival.
        heapq.heappush(self._waiting, (pending.due, next(_numbers), pending))
        self._size += len(pending.body)

    def take(self, now: float) -> Iterator[PendingDelivery]:
        """Take the deliveries that are due; they are in flight until the caller removes them there."""
        while self._waiting and self._waiting[0][0] <= now and len(self.in_flight) < AT_ONCE:
            pending = heapq.heappop(self._waiting)[2]
            self._size -= len(pending.body)
            self.in_flight.add(pending)
            yield pending

    def seconds_to_next(self, now: float) -> float | None:
        """Seconds until the next delivery is due; None if none waits or all slots are in use."""
        if not self._waiting or len(self.in_flight) >= AT_ONCE:
            return None
        return self._waiting[0][0] - now

    def is_busy(self, now: float) -> bool:
        waits = any(pending.attempt == 1 or due <= now for due, _, pending in self._waiting)
        return waits or bool(self.in_flight) or self.held is not None

    def requeue_in_flight(self) -> None:
        """Queue the deliveries in flight again, and stop the timers."""
        for pending in self.in_flight:
            self.add(pending)
        self.in_flight.clear()
        self.stop_timers()

    def drop_waiting(self) -> list[PendingDelivery]:
        """Remove and return the deliveries that are not in flight."""
        dropped = [pending for _, _, pending in self._waiting]
        if self.held is not None:
            dropped.append(self.held)
        self._waiting.clear()
        self._size = 0
        self.held = None
        self.stop_timers()
        return dropped

    def stop_timers(self) -> None:
        for timer in (self.next_due, self.end_of_hold):
            if timer is not None:
                timer.cancel()
        self.next_due = self.end_of_hold = None
