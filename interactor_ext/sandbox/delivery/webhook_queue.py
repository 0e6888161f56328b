"""The queue of pending deliveries of one webhook, ordered by due time."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field

from interactor_ext.sandbox.storage.records import Record

# Concurrent attempts to one webhook: a slow one delays only itself.
AT_ONCE = 8

_numbers = itertools.count()


@dataclass(slots=True, eq=False)
class WebhookQueue:
    """The pending deliveries of one webhook, as records (see outbox.py). `held` waits for another to overtake it."""

    webhook: Record
    held: Record | None = None
    in_flight: set[Record] = field(default_factory=set)
    _waiting: list[tuple[float, int, Record]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self._waiting) + len(self.in_flight) + (self.held is not None)

    def add(self, pending: Record) -> None:
        # The number keeps deliveries that are due at the same time in order of arrival.
        heapq.heappush(self._waiting, (pending.private["due"], next(_numbers), pending))

    def take(self, now: float) -> Iterator[Record]:
        """Take the deliveries that are due; they are in flight until the caller removes them there."""
        while self._waiting and self._waiting[0][0] <= now and len(self.in_flight) < AT_ONCE:
            pending = heapq.heappop(self._waiting)[2]
            self.in_flight.add(pending)
            yield pending

    @property
    def next_due(self) -> float | None:
        """When the next delivery is due; None if none waits or all slots are in use."""
        return self._waiting[0][0] if self._waiting and len(self.in_flight) < AT_ONCE else None

    def is_busy(self, now: float, *, first_attempts: bool) -> bool:
        """Whether attempts are in flight or due; with `first_attempts`, also whether one waits for its time."""
        if self.in_flight or (first_attempts and self.held is not None):
            return True
        return any(due <= now or (first_attempts and each.private["attempt"] == 1) for due, _, each in self._waiting)

    def requeue_in_flight(self) -> None:
        for pending in self.in_flight:
            self.add(pending)
        self.in_flight.clear()
