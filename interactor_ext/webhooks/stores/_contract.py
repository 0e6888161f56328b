"""EventStore, the protocol of stores that deduplicate events. Any database with atomic writes can implement it."""

from __future__ import annotations

import enum
import hashlib
from collections.abc import Awaitable
from typing import Protocol, runtime_checkable

# Seven days: the platform's last attempt comes up to 2 h 45 min after the first, and a replay can come at any time.
DEFAULT_TTL = 604_800

# Seconds to wait for a server. The platform waits 30 s for a response, and a delivery may wait for a store twice.
DEFAULT_TIMEOUT = 10.0

_MAX_READABLE_KEY = 200

# The end of the message for something else that was passed as `{}`.
ADVICE = " Write {}=SQLiteEventStore(path), PostgresEventStore(dsn) or RedisEventStore(redis.Redis.from_url(url))."


class ClaimState(enum.IntEnum):
    """The result of `claim`."""

    CLAIMED = 1
    """The caller may handle the event until its lease runs out."""
    IN_PROGRESS = 2
    """Another delivery of the event is being handled under a valid lease."""
    COMPLETED = 3
    """The event was handled."""


@runtime_checkable
class EventStore(Protocol):
    """Remembers handled events, and events that are being handled. Each method is one atomic step.

    The signature of a delivery does not cover its timestamp, so only this store stops a replay: as long as it
    remembers an `idempotency_key`, no copy of that delivery runs a handler. Methods may raise anything when the store
    is unreachable; the router then responds with 503. They may also be coroutine functions.

    A store that forgets has an attribute `ttl`: how many seconds it remembers handled events. The router refuses older
    events, because they may be replays. A store that several services can reach has `is_shared = True`.
    """

    def claim(self, key: str, token: str, lease: float) -> ClaimState | Awaitable[ClaimState]:
        """Claim an event for `lease` seconds under the caller's random `token`, unless it is handled or claimed.

        An expired claim can be taken over: its holder died. The holder renews its claim with the same token while
        handlers run.
        """
        ...

    def complete(self, key: str, token: str) -> bool | Awaitable[bool]:
        """Record that the event was handled, even if another caller holds the claim now. Returns True for the first
        completion.

        A handler that outlived its lease did run to its end: the next duplicate must not run another.
        """
        ...

    def release(self, key: str, token: str) -> Awaitable[None] | None:
        """Release the claim after a failure, if it is still the one made with `token`."""
        ...


def store_key(idempotency_key: str) -> str:
    """Return the key under which an event is stored: its idempotency key, or the SHA-256 of a long or non-ASCII one."""
    if len(idempotency_key) <= _MAX_READABLE_KEY and idempotency_key.isascii() and idempotency_key.isprintable():
        return idempotency_key
    # surrogatepass: JSON can contain lone surrogates, which databases don't accept.
    return "sha256:" + hashlib.sha256(idempotency_key.encode("utf-8", "surrogatepass")).hexdigest()


def body_key(body: bytes) -> str:
    """Return the key of a delivery without an idempotency key."""
    return "body:" + hashlib.sha256(body).hexdigest()
