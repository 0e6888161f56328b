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
        """Read a tier from the contract's `x-rate-limit-tiers`, where the limit of a client is named `standard`."""
        return cls("client" if name == "standard" else name, spec["requests_per_minute"], spec["burst"])


@dataclass(slots=True)
class TokenBucket:
    tokens: float
    seen: float


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


class Limits:
    """Counts every request; refuses only if `enforce`. A standard call also counts against its namespace."""

    def __init__(self, clock: Clock, tiers: Mapping[str, RateTier], *, enforce: bool) -> None:
        self._clock = clock
        self._tiers = tiers
        self._enforce = enforce
        self._buckets: dict[tuple[str, str], TokenBucket] = {}

    def spend(self, tier_name: str, client_id: str, namespace: str) -> tuple[Allowance, Problem | None]:
        """Count one request. The allowance is that of the tightest bucket; the problem is a 429, or None."""
        now = self._clock.now()
        counted = self._buckets_of(tier_name, client_id, namespace, now)
        tier, bucket = _tightest(counted)
        if bucket.tokens < 1 and self._enforce:
            wait = (1 - bucket.tokens) * 60 / tier.per_minute
            return _allowance(tier, bucket, now), _too_many(tier, wait)
        for _, each in counted:
            each.tokens = max(0.0, each.tokens - 1)
        return _allowance(tier, bucket, now), None

    def peek(self, tier_name: str, client_id: str, namespace: str) -> Allowance:
        """The allowance without counting a request."""
        now = self._clock.now()
        return _allowance(*_tightest(self._buckets_of(tier_name, client_id, namespace, now)), now)

    def clear(self) -> None:
        self._buckets.clear()

    def _buckets_of(
        self, tier_name: str, client_id: str, namespace: str, now: float
    ) -> list[tuple[RateTier, TokenBucket]]:
        """The buckets of a call, refilled."""
        owners = {tier_name: client_id}
        # A call without namespace counts against no tenant.
        if tier_name == "standard" and namespace:
            owners["namespace"] = namespace
        return [(self._tiers[name], self._bucket(self._tiers[name], owner, now)) for name, owner in owners.items()]

    def _bucket(self, tier: RateTier, key: str, now: float) -> TokenBucket:
        bucket = self._buckets.get((tier.scope, key))
        if bucket is None:
            bucket = self._buckets[tier.scope, key] = TokenBucket(tier.burst, now)
        bucket.tokens, bucket.seen = _refilled(bucket, tier, now), now
        return bucket


def _tightest(buckets: list[tuple[RateTier, TokenBucket]]) -> tuple[RateTier, TokenBucket]:
    return min(buckets, key=lambda pair: pair[1].tokens)


def _refilled(bucket: TokenBucket, tier: RateTier, now: float) -> float:
    return min(tier.burst, bucket.tokens + max(0.0, now - bucket.seen) * tier.per_minute / 60)


def _allowance(tier: RateTier, bucket: TokenBucket, now: float) -> Allowance:
    full_in = (tier.burst - bucket.tokens) * 60 / tier.per_minute
    # As a share of the same limit that X-RateLimit-Limit states, or an alarm at a share of it would never be silent.
    remaining = int(bucket.tokens * tier.per_minute / tier.burst)
    return Allowance(tier, remaining, math.ceil(now + full_in))


def _too_many(tier: RateTier, wait: float) -> Problem:
    seconds = max(1, math.ceil(wait))
    message = f"More than {tier.per_minute} requests a minute (burst {tier.burst}) for this {tier.scope}."
    return Problem(429, f"{message} Try again in {seconds} s.", headers={"retry-after": f"{seconds}"})
