"""RedisEventQueue: a durable queue of events in Redis, for receivers and workers on many machines."""

from __future__ import annotations

from typing import Any

from interactor_ext._errors import ConfigurationError
from interactor_ext.logs._logger import webhooks_logger as logger
from interactor_ext.tokens._redis import is_async
from interactor_ext.webhooks._settings import above_zero
from interactor_ext.webhooks.queue._contract import MAX_ERROR_LENGTH, DeadLetter, QueuedEvent
from interactor_ext.webhooks.stores._contract import DEFAULT_TTL
from interactor_ext.webhooks.stores._redis import DEFAULT_TIMEOUT, Redis, Scripts, milliseconds

# Every event is a hash; `due` and `dead` are sorted sets of keys by Redis's own clock, which all machines share.
# A key for each attempt in progress names the event that it took: redis-py sends a script again if the response got
# lost, and the second call must find the same event.
# KEYS: due, dead. ARGV[1]: the prefix of the hashes.
_HEAD = """
local due, dead, prefix = KEYS[1], KEYS[2], ARGV[1]
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local function forget_attempt(token)
    if token then redis.call('DEL', due .. ':' .. token) end
end
local function finish(key)
    forget_attempt(redis.call('HGET', prefix .. key, 'token'))
    redis.call('ZREM', due, key)
    redis.call('ZREM', dead, key)
    redis.call('DEL', prefix .. key)
    redis.call('HSET', prefix .. key, 'done', 1)
    redis.call('PEXPIRE', prefix .. key, ARGV[3])
    return 1
end
"""
_PUT = """
local key = prefix .. ARGV[2]
if redis.call('EXISTS', key) == 1 then
    if redis.call('HEXISTS', key, 'done') == 1 then return 0 end
    if redis.call('ZSCORE', due, ARGV[2]) or redis.call('ZSCORE', dead, ARGV[2]) then return 0 end
    -- Redis has evicted the set that had it in line
end
redis.call('HSET', prefix .. ARGV[2], 'body', ARGV[3], 'attempts', 0)
redis.call('ZADD', due, now, ARGV[2])
return 1
"""
_TAKE = """
local mine = due .. ':' .. ARGV[2]
local taken = redis.call('GET', mine)
if taken and redis.call('HGET', prefix .. taken, 'token') == ARGV[2] then
    local row = redis.call('HMGET', prefix .. taken, 'body', 'attempts')
    return {taken, row[1], row[2]}
end
local key = redis.call('ZRANGEBYSCORE', due, '-inf', now, 'LIMIT', 0, 1)[1]
if not key then return nil end
local body = redis.call('HGET', prefix .. key, 'body')
if not body then
    redis.call('ZREM', due, key)
    return {key}
end
redis.call('ZADD', due, now + ARGV[3], key)
redis.call('HSET', prefix .. key, 'token', ARGV[2])
redis.call('SET', mine, key, 'PX', math.max(1, math.floor(ARGV[3] * 1000)))
return {key, body, redis.call('HINCRBY', prefix .. key, 'attempts', 1)}
"""
_LEAVE = """
local key = ARGV[2]
if redis.call('HGET', prefix .. key, 'token') ~= ARGV[3] then return 0 end
forget_attempt(ARGV[3])
redis.call('HSET', prefix .. key, 'token', '')
redis.call('HINCRBY', prefix .. key, 'attempts', -1)
redis.call('ZADD', due, now + ARGV[4], key)
return 1
"""
_COMPLETE = """
if redis.call('HEXISTS', prefix .. ARGV[2], 'done') == 1 then return 0 end
return finish(ARGV[2])
"""
_PUT_BACK = """
local key, target, score = ARGV[2], due, now + ARGV[4]
if redis.call('HGET', prefix .. key, 'token') ~= ARGV[3] then return 0 end
forget_attempt(ARGV[3])
if ARGV[6] == 'dead' then
    redis.call('ZREM', due, key)
    target, score = dead, now
end
redis.call('HSET', prefix .. key, 'token', '', 'error', ARGV[5])
redis.call('ZADD', target, score, key)
return 1
"""
_DEAD = """
local letters = {}
local keys = redis.call('ZRANGE', dead, 0, ARGV[2] - 1, 'WITHSCORES')
for i = 1, #keys, 2 do
    local fields = redis.call('HMGET', prefix .. keys[i], 'body', 'attempts', 'error')
    letters[#letters + 1] = {keys[i], fields[1], fields[2], fields[3], keys[i + 1]}
end
return letters
"""
_REPLAY = """
if redis.call('ZREM', dead, ARGV[2]) == 0 then return 0 end
redis.call('HSET', prefix .. ARGV[2], 'attempts', 0)
redis.call('ZADD', due, now, ARGV[2])
return 1
"""
_DISCARD = "if redis.call('ZSCORE', dead, ARGV[2]) then return finish(ARGV[2]) end return 0"


class RedisEventQueue:
    """See `EventQueue`. Takes a `redis.Redis`; asynchronous receivers and workers call it in threads.

    A crash of Redis loses what Redis has not written: turn on `appendonly`. `ttl` is how many seconds a handled event
    is remembered; `timeout` is how many seconds a call waits for Redis. The braces in `prefix` keep all keys on one
    node of a cluster. A warning is logged if Redis evicts keys (`maxmemory-policy`): acknowledged events would be lost.
    """

    is_shared = True

    def __init__(
        self,
        redis: Redis,
        ttl: float = DEFAULT_TTL,
        *,
        prefix: str = "{interactor:webhook:queue}:",
        timeout: float = DEFAULT_TIMEOUT,
    ) -> None:
        if is_async(redis):
            raise ConfigurationError("RedisEventQueue takes a redis.Redis, also in an asynchronous application.")
        self._scripts = Scripts(redis, timeout)
        self.ttl: float = above_zero(ttl, "The ttl of a webhook queue")
        self._prefix = prefix

    def put(self, key: str, body: bytes) -> bool:
        return bool(self._run(_PUT, key, body))

    def take(self, token: str, lease: float) -> QueuedEvent | None:
        while True:
            row = self._run(_TAKE, token, lease)
            if row is None:
                return None
            if len(row) > 1:
                key, body, attempt = row
                return QueuedEvent(_text(key), _bytes(body), int(attempt))
            logger.error("Webhook event %r is lost: Redis has evicted it from the queue.", _text(row[0]))

    def complete(self, key: str, token: str) -> bool:
        return bool(self._run(_COMPLETE, key, milliseconds(self.ttl)))

    def retry(self, key: str, token: str, delay: float, error: str) -> bool:
        return bool(self._run(_PUT_BACK, key, token, delay, error[:MAX_ERROR_LENGTH], "open"))

    def put_back(self, key: str, token: str, delay: float) -> bool:
        return bool(self._run(_LEAVE, key, token, delay))

    def bury(self, key: str, token: str, error: str) -> bool:
        return bool(self._run(_PUT_BACK, key, token, 0, error[:MAX_ERROR_LENGTH], "dead"))

    def dead_letters(self, limit: int = 100) -> list[DeadLetter]:
        return [
            DeadLetter(_text(key), _bytes(body or b""), int(attempts or 0), _text(error or b""), float(failed_at))
            for key, body, attempts, error, failed_at in self._run(_DEAD, limit)
        ]

    def replay(self, key: str) -> bool:
        return bool(self._run(_REPLAY, key))

    def discard(self, key: str) -> bool:
        return bool(self._run(_DISCARD, key, milliseconds(self.ttl)))

    def _run(self, script: str, *args: Any) -> Any:
        keys = f"{self._prefix}due", f"{self._prefix}dead"
        return self._scripts.run(_HEAD + script, *keys, f"{self._prefix}event:", *args, keys=2)


# A client with decode_responses=True returns str, any other bytes.
def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode("utf-8", "replace")


def _bytes(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode()
