"""Rate limiters: calls wait until the limits of their client and namespace allow them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from interactor_ext._engine.arguments import require_kind
from interactor_ext._engine.effects import Effects, Invoke, run_async, run_sync
from interactor_ext._engine.equality import EqualBySettings
from interactor_ext._engine.errors import ConfigurationError
from interactor_ext._engine.limits.buckets import Key, LocalBuckets, Tiers
from interactor_ext._engine.limits.fair_queue import CHECK_SECONDS, FairQueue, Place
from interactor_ext._engine.limits.redis_buckets import RedisBuckets
from interactor_ext._engine.logs import logger
from interactor_ext._engine.redaction import clean_text
from interactor_ext._engine.redis_clients import is_async
from interactor_ext._engine.waiting import Closing, TaskWaiter, ThreadWaiter

# After waiting this many seconds, log it.
_LONG_WAIT = 1.0


class RateLimiter(EqualBySettings):
    """Keeps the calls of this process within the tiers, from any number of threads and event loops.

    Several clients may share one limiter: calls are counted by OAuth client and by namespace. Limiters with the same
    settings are equal, so `get_client` can be called with them again, but each counts separately.
    """

    def __init__(self, tiers: Tiers | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._tiers = Tiers() if tiers is None else require_kind("tiers", tiers, Tiers)
        self._settings: tuple[object, ...] = (type(self), self._tiers, clock)
        self._buckets: LocalBuckets | RedisBuckets = LocalBuckets(self._tiers, clock)
        self._queue = FairQueue()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._tiers!r})"

    def keys_of(self, client: str, namespace: str, *, account: bool, stream: bool) -> tuple[Key, ...]:
        """Return the buckets that a call counts against: by OAuth client, and by namespace ("" for none)."""
        if account:
            return (("tokens", client),)
        if stream:
            return (("streams", client),)
        return (("client", client), ("namespace", client, namespace)) if namespace else (("client", client),)

    def wait(self, keys: Sequence[Key], time_left: float | None = None, closing: Closing | None = None) -> float | None:
        """Wait until a call that counts against `keys` may start. If that takes more than `time_left` seconds, return
        the number of seconds at once.

        Raises ConfigurationError as soon as the client is closed.
        """
        closing = closing or Closing()
        place = Place(keys[-1], ThreadWaiter())
        return run_sync(self._wait(keys, time_left, place, closing, closing.wait, closing.pause))

    async def wait_async(
        self, keys: Sequence[Key], time_left: float | None = None, closing: Closing | None = None
    ) -> float | None:
        """Like `wait`, for asyncio."""
        closing = closing or Closing()
        place = Place(keys[-1], TaskWaiter())
        return await run_async(self._wait(keys, time_left, place, closing, closing.wait_async, closing.pause_async))

    def take(self, keys: Sequence[Key]) -> Effects[float]:
        """Return 0 if the call may start at once, and count it; otherwise the seconds until it may."""
        delay, reserved = yield from self._buckets.reserve(keys, 0.0)
        return 0.0 if reserved else delay

    def observe(self, keys: Sequence[Key], status: int, headers: Mapping[str, str], retry_after: float | None) -> None:
        """Adopt the rate limits of a response. Does no I/O."""
        self._buckets.observe(keys, status, headers, retry_after)

    def _wait(
        self,
        keys: Sequence[Key],
        time_left: float | None,
        place: Place,
        closing: Closing,
        wait: Callable[..., Any],
        pause: Callable[..., Any],
    ) -> Effects[float | None]:
        left = math.inf if time_left is None else time_left
        began = time.monotonic()
        deadline = began + left
        if not self._queue.is_busy(place.key) and (yield from self._buckets.reserve(keys, 0.0, left))[1]:
            return None
        is_told = False
        try:
            while not self._queue.has_turn(place):
                is_told = is_told or _tell(keys, time.monotonic() - began)
                left = deadline - time.monotonic()
                if left <= 0:
                    return time_left
                yield Invoke(wait, (min(left, CHECK_SECONDS), place.waiter))
                closing.check()
            left = deadline - time.monotonic()
            delay, reserved = yield from self._buckets.reserve(keys, left, left)
            if not reserved:
                return delay
            if not is_told:
                _tell(keys, time.monotonic() - began + delay)
            try:
                yield Invoke(pause, (delay,))
            except BaseException:
                # Otherwise callers that give up one after the other would keep postponing all others.
                self._buckets.give_back(keys)
                raise
        finally:
            self._queue.leave(place)
        return None


def _tell(keys: Sequence[Key], seconds: float) -> bool:
    """Log a wait that is long. Returns whether it is."""
    if seconds <= _LONG_WAIT:
        return False
    # The second item of a key is a digest of the OAuth client.
    names = " and ".join(clean_text(" ".join((tier, *rest))) for tier, _, *rest in keys)
    logger.info("A call waits at least %.1f s for the rate limit of %s.", seconds, names)
    return True


class RedisRateLimiter(RateLimiter):
    """Keeps the calls of all processes that share a Redis within the tiers: one round trip to Redis before each call.

    `redis` is a `redis.Redis` or `redis.RedisCluster`, or for AsyncInteractorClient one of `redis.asyncio` (a
    synchronous one then runs in a thread). An asynchronous one belongs to the first event loop that uses it: in any
    other, such as a second `asyncio.run`, a synchronous one with the same settings replaces it. All keys begin with
    `prefix`.

    A call waits at most two seconds for Redis, and at most half its remaining time. While Redis doesn't respond, each
    process counts separately, one call probes Redis every ten seconds, and a warning is logged once a minute.
    """

    def __init__(self, redis: Any, tiers: Tiers | None = None, *, prefix: str = "interactor:limits:") -> None:
        super().__init__(tiers)
        self._settings += (redis, prefix)
        self._buckets = RedisBuckets(redis, prefix, self._tiers)
        self._is_async = is_async(redis)

    def wait(self, keys: Sequence[Key], time_left: float | None = None, closing: Closing | None = None) -> float | None:
        """Like `RateLimiter.wait`."""
        if self._is_async:
            raise ConfigurationError(
                "A redis.asyncio client only works for AsyncInteractorClient: pass a redis.Redis here."
            )
        return super().wait(keys, time_left, closing)
