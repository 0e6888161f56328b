"""Token buckets in Redis, shared by many processes, on Redis's clock."""

from __future__ import annotations

import asyncio
import math
import time
import weakref
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from interactor_ext._engine.effects import Effects, Invoke
from interactor_ext._engine.limits.buckets import Key, LocalBuckets, Tiers, observed
from interactor_ext._engine.logs import logger
from interactor_ext._engine.redis_clients import blocking, is_async
from interactor_ext._engine.waiting.threads import UNBOUNDED, DaemonThreads

# `Bucket.next` and `LocalBuckets.reserve` as one atomic script. A test compares the two.
_RESERVE = """
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local max_wait = tonumber(ARGV[1])
local start, levels, lasts = now, {}, {}
for i, key in ipairs(KEYS) do
  local interval, burst, reserve = tonumber(ARGV[i * 6 - 4]), tonumber(ARGV[i * 6 - 3]), tonumber(ARGV[i * 6 - 2])
  local returned, remaining, closed_for = tonumber(ARGV[i * 6 - 1]), tonumber(ARGV[i * 6]), tonumber(ARGV[i * 6 + 1])
  local stored = redis.pcall('HMGET', key, 'level', 'seen', 'last', 'closed')
  if stored.err then -- the key holds no bucket
    redis.call('DEL', key)
    stored = {}
  end
  local level, seen = tonumber(stored[1]) or burst, tonumber(stored[2]) or now
  local last, closed = tonumber(stored[3]) or 0, tonumber(stored[4]) or 0
  level = math.min(burst, level + returned + math.max(0, now - seen) / interval)
  if remaining >= 0 then level = math.min(level, remaining) end
  if closed_for >= 0 then closed = math.max(closed, now + closed_for) end
  redis.call('HSET', key, 'level', tostring(level), 'seen', string.format('%.6f', now),
    'closed', string.format('%.6f', closed))
  redis.call('PEXPIRE', key, math.ceil(1000 * (math.max(0, closed - now) + (burst + 1 - level) * interval + 60)))
  local first = math.max(now, closed)
  local then_level = math.min(burst, level + (math.max(first, last) - now) / interval)
  if then_level < reserve then
    first = math.max(first, last + interval * (math.sqrt(then_level * then_level + 4 * reserve) - then_level) / 2)
  end
  start = math.max(start, first, now + (1 - level) * interval)
  levels[i], lasts[i] = level, last
end
local wait = start - now
if wait > max_wait then return {string.format('%.6f', wait), 0} end
for i, key in ipairs(KEYS) do
  redis.call('HSET', key, 'level', tostring(levels[i] - 1), 'last', string.format('%.6f', math.max(lasts[i], start)))
end
return {string.format('%.6f', wait), 1}
"""

_SECONDS_BETWEEN_WARNINGS = 60.0
# An unreachable Redis may take seconds to fail, each time.
_REST = 10.0
_PATIENCE = 2.0
# A client without a socket timeout may wait forever. This adds half of a command's time.
_THREADS = DaemonThreads("interactor-limits", max_threads=UNBOUNDED)


class RedisBuckets:
    """Like `LocalBuckets`, for all processes that share a Redis and a prefix. While Redis fails, each process counts
    separately.
    """

    def __init__(self, redis: Any, prefix: str, tiers: Tiers) -> None:
        self._redis = redis
        self._is_async = is_async(redis)
        self._loop: weakref.ref[asyncio.AbstractEventLoop] | None = None
        self._sync_twin: Any = None
        self._prefix = prefix
        self._tiers = tiers
        self._local = LocalBuckets(tiers)
        # The remaining calls and the seconds of refusal that the server last sent, until the next reservation stores
        # them.
        self._observed: dict[Key, tuple[float, float]] = {}
        self._returned: Counter[Key] = Counter()  # reservations to return, until the same moment
        self._warns_at = -math.inf
        self._rests_until: float | None = None

    def reserve(self, keys: Sequence[Key], max_wait: float, time_left: float = math.inf) -> Effects[tuple[float, bool]]:
        if not self._rests:
            if self._rests_until is not None:
                # One call checks whether Redis has recovered; the others don't wait for it.
                self._rests_until = time.monotonic() + _REST
            redis = self._redis_here()
            # A call that waited for Redis must still have time to be made.
            patience = min(_PATIENCE, max(0.0, time_left) / 2)
            threads = None if is_async(redis) else _THREADS
            script = self._script(keys, max_wait)
            try:
                wait, taken = yield Invoke(redis.eval, script, threads=threads, timeout=patience)
                self._rests_until = None
                return max(0.0, float(wait)), bool(taken)
            except Exception as error:
                self._failed(error)
        return (yield from self._local.reserve(keys, max_wait))

    def _redis_here(self) -> Any:
        """Return a client for this event loop: an asynchronous one belongs to the first loop that uses it, so other
        loops, such as a second `asyncio.run`'s, get a synchronous client with the same settings.
        """
        if not self._is_async:
            return self._redis
        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._loop = weakref.ref(loop)
        if self._loop() is loop:
            return self._redis
        if self._sync_twin is None:
            self._sync_twin = blocking(self._redis)
        return self._sync_twin

    def give_back(self, keys: Sequence[Key]) -> None:
        if self._rests:
            self._local.give_back(keys)
        else:
            self._returned.update(keys)

    def observe(self, keys: Sequence[Key], status: int, headers: Mapping[str, str], retry_after: float | None) -> None:
        affected, remaining, closed_for = observed(keys, status, headers, retry_after)
        for key in () if self._rests else affected:
            self._observed[key] = (-1.0 if remaining is None else remaining, -1.0 if closed_for is None else closed_for)
        self._local.observe(keys, status, headers, retry_after)

    def _script(self, keys: Sequence[Key], max_wait: float) -> tuple[Any, ...]:
        numbers: list[Any] = [min(max_wait, 1e9)]
        for key in keys:
            tier = self._tiers.of(key)
            numbers += [tier.interval, tier.burst, tier.reserve, self._returned.pop(key, 0)]
            numbers += self._observed.pop(key, (-1.0, -1.0))
        # The braces keep an OAuth client's buckets on one node of a cluster, which a script requires.
        names = [self._prefix + ":".join((f"{{{client}}}", tier, *rest)) for tier, client, *rest in keys]
        return (_RESERVE, len(names), *names, *numbers)

    @property
    def _rests(self) -> bool:
        return self._rests_until is not None and time.monotonic() < self._rests_until

    def _failed(self, error: Exception) -> None:
        now = time.monotonic()
        self._rests_until = now + _REST
        if now >= self._warns_at:
            self._warns_at = now + _SECONDS_BETWEEN_WARNINGS
            logger.warning("the rate limits in Redis can't be used, so this process counts on its own: %r", error)
