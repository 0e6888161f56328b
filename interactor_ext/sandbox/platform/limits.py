"""Rate limits of the contract as token buckets, and the X-RateLimit headers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from interactor_ext.sandbox.clock import Clock
from interactor_ext.sandbox.problems import Problem


@dataclass(frozen=True, slots=True)
class RateTier:
    """A rate limit: `scope` is for X-RateLimit-Scope, `burst` the bucket size, `per_minute` the refill rate."""

    scope: str
    per_minute: int
    burst: int

    @classmethod
    def of(cls, name: str, spec: Mapping[str, int]) -> RateTier:
        """Read a tier from the contract's `x-rate-limit-tiers`, where a client's limit is named `standard`."""
        return cls("client" if name == "standard" else name, spec["requests_per_minute"], spec["burst"])


@dataclass(frozen=True, slots=True)
class Allowance:
    """The X-RateLimit values of one response: `remaining` of the limit; at `reset` the bucket is full again."""

    tier: RateTier
    remaining: int
    reset: int

    def headers(self, skew: float = 0.0) -> list[tuple[bytes, bytes]]:
        """`skew` is how many seconds the reported clock is ahead."""
        return [
            (b"x-ratelimit-limit", b"%d" % self.tier.per_minute),
            (b"x-ratelimit-remaining", b"%d" % self.remaining),
            (b"x-ratelimit-reset", b"%d" % max(0, self.reset + skew)),
            (b"x-ratelimit-scope", self.tier.scope.encode()),
        ]


@dataclass(slots=True)
class TokenBucket:
    tier: RateTier
    tokens: float
    seen: float

    def refill(self, now: float) -> None:
        gained = max(0.0, now - self.seen) * self.tier.per_minute / 60
        self.tokens, self.seen = min(self.tier.burst, self.tokens + gained), now

    @property
    def allowance(self) -> Allowance:
        full_in = (self.tier.burst - self.tokens) * 60 / self.tier.per_minute
        # As a share of X-RateLimit-Limit; otherwise an alarm at a share of that limit would never stop.
        remaining = int(self.tokens * self.tier.per_minute / self.tier.burst)
        return Allowance(self.tier, remaining, math.ceil(self.seen + full_in))


class Limits:
    """Counts every request, and refuses some only if `enforce`. A standard call also counts against its namespace."""

    def __init__(self, clock: Clock, tiers: Mapping[str, RateTier], *, enforce: bool) -> None:
        self._clock = clock
        self._tiers = tiers
        self._enforce = enforce
        self._buckets: dict[tuple[str, str], TokenBucket] = {}

    def spend(self, tier_name: str, client_id: str, namespace: str) -> tuple[Allowance, Problem | None]:
        """Count one request. Return the allowance of the tightest bucket, and the 429 problem or None."""
        counted = self._buckets_of(tier_name, client_id, namespace)
        tightest = counted[0]
        if tightest.tokens < 1 and self._enforce:
            return tightest.allowance, _too_many(tightest)
        for each in counted:
            each.tokens = max(0.0, each.tokens - 1)
        return tightest.allowance, None

    def peek(self, tier_name: str, client_id: str, namespace: str) -> Allowance:
        """Return the allowance without counting a request."""
        return self._buckets_of(tier_name, client_id, namespace)[0].allowance

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
            tier = self._tiers[name]
            bucket = self._buckets.setdefault((name, owner), TokenBucket(tier, tier.burst, now))
            bucket.refill(now)
            buckets.append(bucket)
        return sorted(buckets, key=lambda bucket: bucket.tokens)


def _too_many(bucket: TokenBucket) -> Problem:
    tier = bucket.tier
    seconds = max(1, math.ceil((1 - bucket.tokens) * 60 / tier.per_minute))
    message = f"More than {tier.per_minute} requests a minute (burst {tier.burst}) for this {tier.scope}."
    return Problem(429, f"{message} Try again in {seconds} s.", headers={"retry-after": f"{seconds}"})
