"""Client-side rate limiting: calls wait until the platform's limits allow them. Pass a limiter as `rate_limiter=`.

    client = InteractorClient(rate_limiter=RateLimiter())                            # for this process
    client = InteractorClient(rate_limiter=RedisRateLimiter(redis.Redis(...)))       # for all workers together

The documented tiers are the default (per minute, and at once): 600/100 for a client, 300/50 for a namespace, 60/10 for
opening streams, 20/5 for tokens. Calls are spread out as `X-RateLimit-Remaining` runs out. Each namespace has its own
queue, and the queues are served in turn, so a busy namespace delays itself rather than others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from interactor_ext._engine.lazy import lazy_names

if TYPE_CHECKING:
    from interactor_ext._engine.limits.buckets import Tier, Tiers
    from interactor_ext._engine.limits.limiter import RateLimiter, RedisRateLimiter

__all__ = ["RateLimiter", "RedisRateLimiter", "Tier", "Tiers"]

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "interactor_ext._engine.limits.buckets": ("Tier", "Tiers"),
            "interactor_ext._engine.limits.limiter": ("RateLimiter", "RedisRateLimiter"),
        },
    )
