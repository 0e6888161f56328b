"""EventQueue, the protocol of durable event queues: the receiver answers at once, a worker runs the handlers later."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

from interactor_ext.webhooks.events import parse_event

if TYPE_CHECKING:
    from interactor_client.models import WebhookEvent

# What went wrong is kept for whoever inspects it; a traceback belongs in the log.
MAX_ERROR_LENGTH = 1000


class QueuedEvent(NamedTuple):
    """An event taken from a queue. `attempt` counts from 1, and counts attempts whose worker died."""

    key: str
    body: bytes
    attempt: int


class DeadLetter(NamedTuple):
    """An event that failed for good. `failed_at` is in Unix seconds, `error` is that of the last attempt."""

    key: str
    body: bytes
    attempts: int
    error: str
    failed_at: float

    @property
    def event(self) -> WebhookEvent:
        """The event, an `InvalidWebhookEvent` where it does not fit its type. Raises WebhookPayloadError where the body
        names no event.
        """
        return parse_event(self.body)


@runtime_checkable
class EventQueue(Protocol):
    """Holds verified deliveries until a worker has run their handlers, and remembers what was handled.

    Each method is one atomic step and may raise anything when the queue is out of reach. `token` names one attempt of
    one worker, so each `take` has a new one; who comes with an older one changes nothing, except that a completion
    counts whoever brings it.
    """

    def put(self, key: str, body: bytes) -> bool:
        """Store an event durably. False, and nothing stored, if its key is known: waiting, handled or dead."""
        ...

    def take(self, token: str, lease: float) -> QueuedEvent | None:
        """The event that is due for longest, hidden from other workers for `lease` seconds; None if none is due."""
        ...

    def complete(self, key: str, token: str) -> bool:
        """Record that the event was handled, and drop its body. True for the first who says so."""
        ...

    def retry(self, key: str, token: str, delay: float, error: str) -> bool:
        """Put the event back, due in `delay` seconds. False if another worker has it by now."""
        ...

    def put_back(self, key: str, token: str, delay: float) -> bool:
        """As `retry`, for an event that nobody has begun to handle: the attempt does not count."""
        ...

    def bury(self, key: str, token: str, error: str) -> bool:
        """Move the event to the dead letters. False if another worker has it by now."""
        ...

    def dead_letters(self, limit: int = 100) -> list[DeadLetter]:
        """Dead letters, the oldest first. They stay until they are replayed or discarded."""
        ...

    def replay(self, key: str) -> bool:
        """Put a dead letter back in the queue with all its attempts. False if there is none of that key."""
        ...

    def discard(self, key: str) -> bool:
        """Drop a dead letter and remember the event as handled. False if there is none of that key."""
        ...
