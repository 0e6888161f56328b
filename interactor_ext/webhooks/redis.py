"""Handled events in Redis: for receivers on many machines."""

from __future__ import annotations

from typing import Any, ClassVar, Protocol

from interactor_ext._errors import ConfigurationError
from interactor_ext._redis import is_async
from interactor_ext.webhooks._settings import above_zero
from interactor_ext.webhooks.stores import DEFAULT_TTL, ClaimState

# One script a step, so that each is atomic. The numbers are those of ClaimState.
# redis-py sends a script again if the answer to it got lost: a claim that finds itself there is a claim.
# GET through pcall: a key that holds something else than a text gives a table, and is replaced.
_CLAIM = """
if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return 1 end
local holder = redis.pcall('GET', KEYS[1])
if holder == 'completed' then return 3 end
if type(holder) == 'string' and holder ~= ARGV[1] then return 2 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""
_COMPLETE = """
if redis.pcall('GET', KEYS[1]) == 'completed' then return 0 end
redis.call('SET', KEYS[1], 'completed', 'PX', ARGV[1])
return 1
"""
_RELEASE = "if redis.pcall('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"


class Redis(Protocol):
    """What is needed of a client: `redis.Redis` has it, and so have its relatives."""

    def eval(self, script: str, numkeys: int, *keys_and_args: Any) -> Any: ...


class _Settings:
    _takes_async: ClassVar[bool]

    def __init__(self, redis: Redis, ttl: float = DEFAULT_TTL, *, prefix: str = "interactor:webhook:") -> None:
        if is_async(redis) is not self._takes_async:
            raise ConfigurationError("RedisEventStore takes a redis.Redis, AsyncRedisEventStore a redis.asyncio.Redis.")
        self._redis = redis
        self._ttl = milliseconds(above_zero(ttl, "The ttl of a webhook store"))
        self._prefix = prefix


class RedisEventStore(_Settings):
    """Takes a `redis.Redis`. `ttl` is how long a handled event is remembered, in seconds; keys begin with `prefix`.

    An asynchronous receiver calls it in a thread; `AsyncRedisEventStore` needs none.
    """

    _takes_async = False

    def claim(self, key: str, token: str, lease: float) -> ClaimState:
        return ClaimState(self._redis.eval(_CLAIM, 1, self._prefix + key, token, milliseconds(lease)))

    def complete(self, key: str, token: str) -> bool:
        return bool(self._redis.eval(_COMPLETE, 1, self._prefix + key, self._ttl))

    def release(self, key: str, token: str) -> None:
        self._redis.eval(_RELEASE, 1, self._prefix + key, token)


class AsyncRedisEventStore(_Settings):
    """`RedisEventStore` over a `redis.asyncio.Redis`; the two can share one Redis."""

    _takes_async = True

    async def claim(self, key: str, token: str, lease: float) -> ClaimState:
        return ClaimState(await self._redis.eval(_CLAIM, 1, self._prefix + key, token, milliseconds(lease)))

    async def complete(self, key: str, token: str) -> bool:
        return bool(await self._redis.eval(_COMPLETE, 1, self._prefix + key, self._ttl))

    async def release(self, key: str, token: str) -> None:
        await self._redis.eval(_RELEASE, 1, self._prefix + key, token)


def milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))
