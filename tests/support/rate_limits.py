"""Calls under a rate limiter: tiers for real time, calls of many threads, a limiter with limits in Redis."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from interactor_ext import InteractorClient
from interactor_ext.limits import RedisRateLimiter, Tier, Tiers

# Limits for tests in real time: far below the sandbox's, whose clock runs ten times faster, so a call that is delayed
# on its way isn't refused.
SPEED = 10
SLOWER = Tiers(
    client=Tier(600 * SPEED, 100),
    namespace=Tier(300 * SPEED, 50),
    streams=Tier(60 * SPEED, 10),
    tokens=Tier(20 * SPEED, 5),
)
NAMESPACES = [f"user_{number}" for number in range(6)]


def call_from_threads(client: InteractorClient, calls: int) -> None:
    users = [client.namespace(name) for name in NAMESPACES]
    with ThreadPoolExecutor(60) as threads:
        list(threads.map(lambda number: users[number % len(users)].assistants.list(), range(calls)))


def limiter_on(socket: str, tiers: Tiers = SLOWER) -> RedisRateLimiter:
    import redis

    return RedisRateLimiter(redis.Redis(unix_socket_path=socket), tiers)
