"""Token store in Redis, shared by the processes of many machines. Accepts sync and async clients; the redis package is
only imported once the caller has passed one.
"""

from __future__ import annotations

import json
import math
import random
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from interactor_ext._engine.arguments import above_zero
from interactor_ext._engine.equality import EqualBySettings
from interactor_ext._engine.redis_clients import blocking
from interactor_ext._interactor.tokens import Token, parse_token

_POLL = 0.05
_random = random.SystemRandom()  # not affected by the program's `random.seed`
# Only the owner may release the lock: after it expired, another may hold it.
_UNLOCK = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"


class RedisTokenStore(EqualBySettings):
    """Tokens in Redis, under keys that begin with `prefix` and expire with their token.

    `redis` is a `redis.Redis`, a `redis.RedisCluster` or a `redis.asyncio.Redis`; of the last only the settings are
    used, because a store is called from threads. Anyone who can read that Redis can act as your OAuth client until the
    token expires. The lock of a process that died expires after `lock_expiry` seconds, which should be more than a
    token request takes. Stores with the same settings are equal.
    """

    def __init__(self, redis: Any, *, prefix: str = "interactor:token:", lock_expiry: float = 10.0) -> None:
        above_zero(lock_expiry, "lock_expiry")
        self._settings = (type(self), redis, prefix, lock_expiry)
        self._redis = blocking(redis)
        self._prefix = prefix
        self._lock_expiry = lock_expiry

    def __repr__(self) -> str:
        return f"RedisTokenStore(prefix={self._prefix!r})"

    def load(self, key: str) -> Token | None:
        """Like `TokenStore.load`."""
        try:
            value = self._redis.get(self._prefix + key)
        except Exception as error:
            if "WRONGTYPE" in str(error):  # Redis reports this only in the error's text
                raise ValueError("what is stored isn't a token: the key doesn't contain a string") from None
            raise
        return None if value is None else parse_token(value)

    def save(self, key: str, token: Token) -> None:
        """Like `TokenStore.save`."""
        left = token.expires_at - time.time()
        if left > 0:
            self._redis.set(self._prefix + key, json.dumps(token._asdict()), px=math.ceil(left * 1000))
        else:
            self._redis.delete(self._prefix + key)

    @contextmanager
    def lock(self, key: str, timeout: float) -> Iterator[bool]:
        """Like `TokenStore.lock`."""
        name = f"{self._prefix}{key}:lock"
        owner = secrets.token_hex(16)
        held = self._acquire(name, owner, time.monotonic() + timeout)
        try:
            yield held
        finally:
            if held:
                self._redis.eval(_UNLOCK, 1, name, owner)

    def _acquire(self, name: str, owner: str, deadline: float) -> bool:
        while not self._redis.set(name, owner, nx=True, px=math.ceil(self._lock_expiry * 1000)):
            if time.monotonic() >= deadline:
                return False
            # Random: otherwise the same process could lose every time.
            time.sleep(_POLL * (0.5 + _random.random()))
        return True
