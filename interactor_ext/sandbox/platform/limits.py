"""Rate limits of the contract as token buckets, and the X-RateLimit headers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from interactor_ext.sandbox.clock import Clock
from interactor_ext.sandbox.problems import Problem


@dataclass(slots=True)
class TokenBucket:
    """A rate limit of one client or namespace: the bucket holds up to `burst` tokens, and had `tokens` when `seen`.

    `scope` is for X-RateLimit-Scope.
    """

    scope: str
    per_minute: int
    burst: int
    tokens: float
    seen: float

    def refill(self, now: float) -> None:
        gained = max(0.0, now - self.seen) * self.per_minute / 60
        self.tokens, self.seen = min(self.burst, self.tokens + gained), now

    def headers(self, skew: float = 0.0) -> list[tuple[bytes, bytes]]:
        """Return the X-RateLimit headers; at Reset the bucket is full again. `skew` is added to it."""
        reset = math.ceil(self.seen + (self.burst - self.tokens) * 60 / self.per_minute)
        # As a share of X-RateLimit-Limit; otherwise an alarm at a share of that limit would never stop.
        remaining = int(self.tokens * self.per_minute / self.burst)
        return [
            (b"x-ratelimit-limit", b"%d" % self.per_minute),
            (b"x-ratelimit-remaining", b"%d" % remaining),
            (b"x-ratelimit-reset", b"%d" % max(0, reset + skew)),
            (b"x-ratelimit-scope", self.scope.encode()),
        ]


class Limits:
    """Counts every request, and refuses some only if `enforce`. A standard call also counts against its namespace.

    `tiers` are the contract's `x-rate-limit-tiers`.
    """

    def __init__(self, clock: Clock, tiers: Mapping[str, Mapping[str, int]], *, enforce: bool) -> None:
        self._clock = clock
        self._tiers = tiers
        self._enforce = enforce
        self._buckets: dict[tuple[str, str], TokenBucket] = {}

    def spend(self, tier_name: str, client_id: str, namespace: str) -> tuple[TokenBucket, Problem | None]:
        """Count one request. Return a copy of the tightest bucket, and the 429 problem or None."""
        counted = self._buckets_of(tier_name, client_id, namespace)
        tightest = counted[0]
        if tightest.tokens < 1 and self._enforce:
            return replace(tightest), _too_many(tightest)
        for each in counted:
            each.tokens = max(0.0, each.tokens - 1)
        return replace(tightest), None

    def peek(self, tier_name: str, client_id: str, namespace: str) -> TokenBucket:
        """Return the tightest bucket, without counting a request."""
        return self._buckets_of(tier_name, client_id, namespace)[0]

    def clear(self) -> None:
        self._buckets.clear()

    def _buckets_of(self, tier_name: str, client_id: str, namespace: str) -> list[TokenBucket]:
        """Return the refilled buckets of a call, the tightest first."""
        owners = {tier_name: client_id}
        # A call without a namespace counts against no tenant.
        if tier_name == "standard" and namespace:
            owners["namespace"] = namespace
        buckets, now = [], self._clock.now()
        for name, owner in owners.items():
            burst, scope = self._tiers[name]["burst"], "client" if name == "standard" else name
            full = TokenBucket(scope, self._tiers[name]["requests_per_minute"], burst, burst, now)
            bucket = self._buckets.setdefault((name, owner), full)
            bucket.refill(now)
            buckets.append(bucket)
        return sorted(buckets, key=lambda bucket: bucket.tokens)


def _too_many(bucket: TokenBucket) -> Problem:
    seconds = max(1, math.ceil((1 - bucket.tokens) * 60 / bucket.per_minute))
    message = f"More than {bucket.per_minute} requests a minute (burst {bucket.burst}) for this {bucket.scope}."
    return Problem(429, f"{message} Try again in {seconds} s.", headers={"retry-after": f"{seconds}"})
