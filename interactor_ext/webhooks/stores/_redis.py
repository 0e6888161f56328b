"""RedisEventStore and AsyncRedisEventStore: deduplicate events in Redis, for receivers on many machines."""

from __future__ import annotations

import asyncio
import re
from functools import partial
from typing import Any, ClassVar, Protocol

from interactor_ext._errors import ConfigurationError
from interactor_ext.logs import webhooks_logger as logger
from interactor_ext.tokens._redis import is_async
from interactor_ext.webhooks._settings import above_zero
from interactor_ext.webhooks._threads import REDIS_THREADS
from interactor_ext.webhooks.stores._contract import DEFAULT_TIMEOUT, DEFAULT_TTL, ClaimState

# One script for each method, so that each is atomic. The numbers are those of ClaimState.
# redis-py sends a script again if the response got lost: a claim that finds its own token succeeds.
# GET through pcall: a key of another type gives a table, and is replaced. A claim without expiry (PERSIST) gets one.
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
    """The part of the interface of `redis.Redis` that is needed."""

    def eval(self, script: str, numkeys: int, *keys_and_args: Any) -> Any: ...


class Scripts:
    """Runs Lua scripts with a timeout, as the Redis client may have none, and warns of an eviction policy once."""

    def __init__(self, redis: Any, timeout: float) -> None:
        self._redis = redis
        self._timeout: float = above_zero(timeout, "The timeout of Redis")
        self._knows_policy = False

    def run(self, script: str, key: str, *args: Any) -> Any:
        result = self._eval(script, 1, key, *args)
        if not self._knows_policy:
            self._knows_policy = True
            try:
                _warn_of_eviction(self._eval(_POLICY, 1, key))
            except Exception as error:
                logger.debug("The eviction policy of Redis could not be read: %r", error)
        return result

    async def arun(self, script: str, key: str, *args: Any) -> Any:
        result = await self._aeval(script, 1, key, *args)
        if not self._knows_policy:
            self._knows_policy = True
            try:
                _warn_of_eviction(await self._aeval(_POLICY, 1, key))
            except Exception as error:
                logger.debug("The eviction policy of Redis could not be read: %r", error)
        return result

    def _eval(self, *args: Any) -> Any:
        return REDIS_THREADS.call(partial(self._redis.eval, *args), self._timeout)

    async def _aeval(self, *args: Any) -> Any:
        async with asyncio.timeout(self._timeout):
            return await self._redis.eval(*args)


def _warn_of_eviction(memory: str | bytes) -> None:
    found = _POLICY_LINE.search(memory if isinstance(memory, str) else memory.decode("utf-8", "replace"))
    if found is not None and found[1] != "noeviction":
        logger.warning(
            "This Redis may evict what it has stored (maxmemory-policy %s): a webhook event that was handled would run "
            "again. Set maxmemory-policy to noeviction, or use a Redis that is no cache.",
            found[1],
        )


class _Settings:
    _takes_async: ClassVar[bool]
    is_shared = True

    def __init__(
        self,
        redis: Redis,
        ttl: float = DEFAULT_TTL,
        *,
        prefix: str = "interactor:webhook:",
        timeout: float = DEFAULT_TIMEOUT,
    ) -> None:
        if is_async(redis) is not self._takes_async:
            raise ConfigurationError("RedisEventStore takes a redis.Redis, AsyncRedisEventStore a redis.asyncio.Redis.")
        self._scripts = Scripts(redis, timeout)
        self.ttl: float = above_zero(ttl, "The ttl of a webhook store")
        self._prefix = prefix


class RedisEventStore(_Settings):
    """Takes a `redis.Redis`. `ttl` is how long a handled event is remembered, in seconds; keys begin with `prefix`.
    After `timeout` seconds without a response of Redis the router answers 503. A warning is logged if Redis evicts keys
    (`maxmemory-policy`).

    An asynchronous receiver calls it in a thread; `AsyncRedisEventStore` needs none.
    """

    _takes_async = False

    def claim(self, key: str, token: str, lease: float) -> ClaimState:
        """As `EventStore.claim`."""
        return ClaimState(self._scripts.run(_CLAIM, self._prefix + key, token, milliseconds(lease)))

    def complete(self, key: str, token: str) -> bool:
        """As `EventStore.complete`."""
        return bool(self._scripts.run(_COMPLETE, self._prefix + key, milliseconds(self.ttl)))

    def release(self, key: str, token: str) -> None:
        """As `EventStore.release`."""
        self._scripts.run(_RELEASE, self._prefix + key, token)


class AsyncRedisEventStore(_Settings):
    """`RedisEventStore` over a `redis.asyncio.Redis`; the two can share one Redis."""

    _takes_async = True

    async def claim(self, key: str, token: str, lease: float) -> ClaimState:
        """As `EventStore.claim`."""
        return ClaimState(await self._scripts.arun(_CLAIM, self._prefix + key, token, milliseconds(lease)))

    async def complete(self, key: str, token: str) -> bool:
        """As `EventStore.complete`."""
        return bool(await self._scripts.arun(_COMPLETE, self._prefix + key, milliseconds(self.ttl)))

    async def release(self, key: str, token: str) -> None:
        """As `EventStore.release`."""
        await self._scripts.arun(_RELEASE, self._prefix + key, token)


def milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))
