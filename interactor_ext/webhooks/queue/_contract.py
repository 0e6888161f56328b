"""EventSink and EventQueue, the protocols of durable queues: a receiver stores events, a worker runs their handlers."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

from interactor_ext.webhooks.events import parse_event

if TYPE_CHECKING:
    from interactor_client.models import WebhookEvent

# How many characters of an error are stored; the traceback is in the log.
MAX_ERROR_LENGTH = 1000


class QueuedEvent(NamedTuple):
    """An event taken from a queue. `attempt` counts from 1, including attempts whose worker died. `age` is the number
    of seconds since it was queued or replayed.
    """

    key: str
    body: bytes
    attempt: int
    age: float = 0.0


class DeadLetter(NamedTuple):
    """An event that failed permanently. `failed_at` is in Unix seconds, `error` is the error of the last attempt."""

    key: str
    body: bytes
    attempts: int
    error: str
    failed_at: float

    @property
    def event(self) -> WebhookEvent:
        """Return the event, an `InvalidWebhookEvent` if it doesn't fit its type. Raises WebhookPayloadError if the body
        names no event.
        """
        return parse_event(self.body)


class EventSink(Protocol):
    """The part of a queue that a receiver needs. If several services can reach it, it has `is_shared = True`; if it
    forgets handled events, it has a `ttl`, see `EventStore`.
    """

    def put(self, key: str, body: bytes) -> bool | Awaitable[bool]:
        """Store an event durably. Returns False and stores nothing if its key is known: waiting, handled or dead.

        May raise anything when the queue is unreachable: the response is then 503.
        """
        ...


@runtime_checkable
class EventQueue(EventSink, Protocol):
    """A durable queue: stores verified deliveries until a worker has run their handlers, and remembers handled events.

    Each method is one atomic step and may raise anything when the queue is unreachable. `token` identifies one attempt
    of one worker, so each `take` has a new one; a call with an older token changes nothing, except that a completion
    always counts.

    Optional methods: `stats(service)` returns a `WebhookQueue` of `interactor_ext.telemetry` for metrics. For
    `WebhookRouter.check`, `check()` writes what a delivery would write and rolls it back, and `overdue(seconds)`
    returns the number of events that have been due for so long, by the part of their key up to the first colon (""
    without one).
    """

    def take(self, token: str, lease: float, service: str = "") -> QueuedEvent | None:
        """Lock the event that has been due longest for `lease` seconds, and return it, or None if there isn't one.

        With `service`, the name of a router, only events whose keys begin with it and a colon.
        """
        ...

    def renew(self, key: str, token: str, lease: float) -> bool:
        """Lock the event for another `lease` seconds from now. Returns False if another worker has taken it."""
        ...

    def complete(self, key: str, token: str) -> bool:
        """Record that the event was handled, and delete its body. Returns True for the first completion."""
        ...

    def retry(self, key: str, token: str, delay: float, error: str) -> bool:
        """Schedule another attempt in `delay` seconds. Returns False if another worker has taken the event."""
        ...

    def put_back(self, key: str, token: str, delay: float, error: str = "") -> bool:
        """Like `retry`, but without counting the attempt. For an event without a handler, as `error` then says, or
        whose worker was told to stop.
        """
        ...

    def bury(self, key: str, token: str, error: str) -> bool:
        """Move the event to the dead letters. Returns False if another worker has taken it."""
        ...

    def dead_letters(self, limit: int = 100, service: str = "", key: str = "") -> list[DeadLetter]:
        """Dead letters, the oldest first: all, a service's (see `take`), or only the one with this key. They
        stay until they are replayed or discarded.
        """
        ...

    def replay(self, key: str) -> bool:
        """Queue a dead letter again with its full number of attempts. Returns False if no dead letter has this key."""
        ...

    def discard(self, key: str) -> bool:
        """Delete a dead letter and remember its event as handled. Returns False if no dead letter has this key."""
        ...
