"""Rate limiters: calls wait until the limits of their client and namespace allow them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from interactor_ext._waiting import Closing
from interactor_ext.limits._buckets import Key, LocalBuckets, Tiers, WouldWait
from interactor_ext.limits._fair_queue import FairQueue
from interactor_ext.limits._redis_buckets import RedisBuckets


class BucketStore(Protocol):
    """Token buckets, in this process or in Redis."""

    def reserve(self, keys: Sequence[Key], max_wait: float, time_left: float) -> tuple[float, bool]:
        """The wait in seconds, and whether a token is reserved: not if the wait is longer than `max_wait`. Must return
        within `time_left` seconds.
        """
        ...

    async def reserve_async(self, keys: Sequence[Key], max_wait: float, time_left: float) -> tuple[float, bool]: ...

    def give_back(self, keys: Sequence[Key]) -> None: ...

    async def give_back_async(self, keys: Sequence[Key]) -> None: ...

    def observe(
        self, keys: Sequence[Key], status: int, headers: Mapping[str, str], retry_after: float | None
    ) -> None: ...


class RateLimiter:
    """Keeps the calls of this process within the tiers, from any number of threads and event loops.

    One limiter may serve several clients: calls are counted by OAuth client and by namespace.
    """

    def __init__(self, tiers: Tiers | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._tiers = tiers or Tiers()
        self._buckets: BucketStore = LocalBuckets(self._tiers, clock)
        self._queue = FairQueue()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._tiers!r})"

    def wait(self, keys: Sequence[Key], time_left: float | None = None, closing: Closing | None = None) -> None:
        """Wait until a call that counts against `keys` may start. WouldWait if that is more than `time_left` seconds
        away, ConfigurationError as soon as the client is closed.
        """
        closing = closing or Closing()
        left = math.inf if time_left is None else time_left
        deadline = time.monotonic() + left
        queue = keys[-1]
        if not self._queue.is_busy(queue) and self._buckets.reserve(keys, 0.0, left)[1]:
            return
        try:
            with self._queue.turn(queue, time_left, closing):
                left = deadline - time.monotonic()
                delay, reserved = self._buckets.reserve(keys, left, left)
                if not reserved:
                    raise WouldWait(delay)
                try:
                    closing.pause(delay)
                except BaseException:
                    self._buckets.give_back(keys)
                    raise
        except TimeoutError as error:
            raise WouldWait(time_left or 0.0) from error

    async def wait_async(
        self, keys: Sequence[Key], time_left: float | None = None, closing: Closing | None = None
    ) -> None:
        """As `wait`, for tasks."""
        closing = closing or Closing()
        left = math.inf if time_left is None else time_left
        deadline = time.monotonic() + left
        queue = keys[-1]
        if not self._queue.is_busy(queue) and (await self._buckets.reserve_async(keys, 0.0, left))[1]:
            return
        try:
            async with self._queue.turn_async(queue, time_left, closing):
                left = deadline - time.monotonic()
                delay, reserved = await self._buckets.reserve_async(keys, left, left)
                if not reserved:
                    raise WouldWait(delay)
                try:
                    await closing.pause_async(delay)
                except BaseException:
                    await self._buckets.give_back_async(keys)
                    raise
        except TimeoutError as error:
            raise WouldWait(time_left or 0.0) from error

    def observe(self, keys: Sequence[Key], status: int, headers: Mapping[str, str], retry_after: float | None) -> None:
        """Take over the rate limits in a response. Does no I/O."""
        self._buckets.observe(keys, status, headers, retry_after)


class RedisRateLimiter(RateLimiter):
    """Keeps the calls of all processes that share a Redis within the tiers: one round trip to Redis before each call.

    `redis` is a `redis.Redis` or `redis.RedisCluster`, or for AsyncInteractorClient one of `redis.asyncio` (a
    synchronous one is then called in a thread). An asynchronous one belongs to the event loop that uses it first: in
    any other, as of a second `asyncio.run`, a synchronous one with its settings takes its place. `prefix` begins the
    names of all keys.

    A call waits two seconds for Redis at most, and no longer than half the time that is left to it. While Redis does
    not answer, each process counts for itself, one call tries it again every ten seconds, and a warning says so once a
    minute.
    """

    def __init__(self, redis: Any, tiers: Tiers | None = None, *, prefix: str = "interactor:limits:") -> None:
        super().__init__(tiers)
        self._buckets = RedisBuckets(redis, prefix, self._tiers)
