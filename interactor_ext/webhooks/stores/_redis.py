"""RedisEventStore and AsyncRedisEventStore: deduplicate events in Redis, for receivers on many machines."""

from __future__ import annotations

import re
from typing import Any, ClassVar, Protocol

from interactor_ext._engine.arguments import above_zero
from interactor_ext._engine.effects import Effects, Invoke, run_async, run_sync
from interactor_ext._engine.errors import ConfigurationError
from interactor_ext._engine.logs import webhooks_logger as logger
from interactor_ext._engine.redis_clients import is_async
from interactor_ext.webhooks.stores._contract import DEFAULT_TTL, ClaimState

# One script per method, so each is atomic. The numbers are the values of ClaimState. redis-py resends a script if the
# response is lost: a claim that finds its own token succeeds. GET through pcall: a key of another type returns a table,
# and is replaced. A claim without expiry (PERSIST) gets one.
_CLAIM = """
if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return 1 end
local holder = redis.pcall('GET', KEYS[1])
if holder == 'completed' then return 3 end
if type(holder) == 'string' and holder ~= ARGV[1] then
    if redis.call('PTTL', KEYS[1]) < 0 then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
    return 2
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""
_COMPLETE = """
if redis.pcall('GET', KEYS[1]) == 'completed' then return 0 end
redis.call('SET', KEYS[1], 'completed', 'PX', ARGV[1])
return 1
"""
_RELEASE = "if redis.pcall('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"
_POLICY_LINE = re.compile(r"maxmemory_policy:(\S+)")
_POLICY = "return redis.call('INFO', 'memory')"


class Redis(Protocol):
    """The part of the `redis.Redis` interface that the store uses."""

    def eval(self, script: str, numkeys: int, *keys_and_args: Any) -> Any: ...


class _RedisBacked:
    """Runs the scripts, and warns once if Redis evicts keys."""

    _takes_async: ClassVar[bool]
    is_shared = True

    def __init__(self, redis: Redis, ttl: float = DEFAULT_TTL, *, prefix: str = "interactor:webhook:") -> None:
        if is_async(redis) is not self._takes_async:
            raise ConfigurationError("RedisEventStore needs a redis.Redis, AsyncRedisEventStore a redis.asyncio.Redis.")
        self._redis = redis
        self.ttl: float = above_zero(ttl, "The ttl of a webhook store")
        self._prefix = prefix
        self._identity = hash((id(redis), prefix))
        self._knows_policy = False

    def _run(self, script: str, key: str, *args: Any) -> Effects[Any]:
        key = self._prefix + key
        result = yield Invoke(self._redis.eval, (script, 1, key, *args))
        if not self._knows_policy:
            self._knows_policy = True
            try:
                _warn_of_eviction((yield Invoke(self._redis.eval, (_POLICY, 1, key))))
            except Exception as error:
                logger.debug("The eviction policy of Redis couldn't be read: %r", error)
        return result


def _warn_of_eviction(memory: str | bytes) -> None:
    found = _POLICY_LINE.search(memory if isinstance(memory, str) else memory.decode("utf-8", "replace"))
    if found is not None and found[1] != "noeviction":
        logger.warning(
            "This Redis may evict what it stores (maxmemory-policy %s): a webhook event that was handled "
            "would then run again. Set maxmemory-policy to noeviction, or use a Redis that isn't a cache.",
            found[1],
        )


class RedisEventStore(_RedisBacked):
    """Accepts a `redis.Redis`. `ttl` is how long a handled event is remembered, in seconds; keys begin with `prefix`.
    If Redis doesn't respond within 12 seconds, the delivery gets 503. A warning is logged if Redis evicts keys
    (`maxmemory-policy`).

    An asynchronous receiver calls it in a thread; `AsyncRedisEventStore` needs none.
    """

    _takes_async = False

    def claim(self, key: str, token: str, lease: float) -> ClaimState:
        """Like `EventStore.claim`."""
        return ClaimState(run_sync(self._run(_CLAIM, key, token, _milliseconds(lease))))

    def complete(self, key: str, token: str) -> bool:
        """Like `EventStore.complete`."""
        return bool(run_sync(self._run(_COMPLETE, key, _milliseconds(self.ttl))))

    def release(self, key: str, token: str) -> None:
        """Like `EventStore.release`."""
        run_sync(self._run(_RELEASE, key, token))


class AsyncRedisEventStore(_RedisBacked):
    """`RedisEventStore` over a `redis.asyncio.Redis`; the two can share one Redis."""

    _takes_async = True

    async def claim(self, key: str, token: str, lease: float) -> ClaimState:
        """Like `EventStore.claim`."""
        return ClaimState(await run_async(self._run(_CLAIM, key, token, _milliseconds(lease))))

    async def complete(self, key: str, token: str) -> bool:
        """Like `EventStore.complete`."""
        return bool(await run_async(self._run(_COMPLETE, key, _milliseconds(self.ttl))))

    async def release(self, key: str, token: str) -> None:
        """Like `EventStore.release`."""
        await run_async(self._run(_RELEASE, key, token))


def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))
