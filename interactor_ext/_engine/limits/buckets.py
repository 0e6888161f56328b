"""Token buckets of a rate limiter: decides how long a call waits, without sleeping.

A bucket fills at its tier's rate up to its burst. A reservation returns the seconds to wait and takes a token that the
bucket will contain by then, so a call reserves only once. Near the bottom, calls are spread out. That leaves a reserve
for unknown calls that count against the same limit, such as calls of other processes.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from interactor_ext._engine.arguments import require_kind
from interactor_ext._engine.effects import Effects
from interactor_ext._engine.fork import fork_safe_lock

Key = tuple[str, ...]
"""The tier's name, then the owner of the bucket: ("namespace", client, "user_123")."""

# Beyond this number, the least recently used bucket is dropped. It's full again by then, like a new one.
_MAX_BUCKETS = 10_000
_RESERVE = 0.2
# The limits are per minute. The retry policy applies a longer Retry-After to the call that received it.
_MAX_REFUSAL = 60.0


@dataclass(frozen=True, slots=True)
class Tier:
    """`per_minute` calls in the long run, `burst` of them at once."""

    per_minute: float
    burst: int

    def __post_init__(self) -> None:
        is_number = isinstance(self.per_minute, int | float) and isinstance(self.burst, int)
        if not (is_number and 0 < self.per_minute < math.inf and self.burst >= 1):
            raise ValueError(f"a tier needs a positive rate and a burst of at least 1, not {self!r}")

    @property
    def interval(self) -> float:
        """Seconds from one request to the next once the burst is used up."""
        return 60 / self.per_minute

    @property
    def reserve(self) -> float:
        """If fewer requests than this remain in the burst, the next ones are spread out. At least 1."""
        return max(1.0, self.burst * _RESERVE)


@dataclass(frozen=True, slots=True)
class Tiers:
    """The documented limits; pass others if the platform has granted them."""

    client: Tier = Tier(600, 100)
    namespace: Tier = Tier(300, 50)
    streams: Tier = Tier(60, 10)
    tokens: Tier = Tier(20, 5)

    def __post_init__(self) -> None:
        for name in self.__slots__:
            require_kind(name, getattr(self, name), Tier)

    def of(self, key: Key) -> Tier:
        """Return the tier of a key, which starts with its name."""
        tier: Tier = getattr(self, key[0])
        return tier


@dataclass(slots=True)
class Bucket:
    """`level` is the number of tokens at `seen`, below zero while calls wait; `last` is when the last call started."""

    level: float
    seen: float
    last: float = float("-inf")
    closed_until: float = float("-inf")

    def refill(self, tier: Tier, now: float) -> None:
        self.level = min(float(tier.burst), self.level + max(0.0, now - self.seen) / tier.interval)
        self.seen = max(self.seen, now)

    def next(self, tier: Tier, now: float) -> float:
        """When the next call may start, not before `now`."""
        start = max(now, self.closed_until)
        level = min(float(tier.burst), self.level + (max(start, self.last) - self.seen) / tier.interval)
        if level < tier.reserve:
            # `reserve / level` intervals after the last call, where `level` is its value by then: x * (level + x) =
            # reserve.
            spread = (math.sqrt(level * level + 4 * tier.reserve) - level) / 2
            start = max(start, self.last + spread * tier.interval)
        return max(start, self.seen + (1 - self.level) * tier.interval)


class LocalBuckets:
    """The buckets of one process, with a lock and a clock. Nothing here waits."""

    def __init__(self, tiers: Tiers, clock: Callable[[], float] = time.monotonic) -> None:
        self._tiers = tiers
        self._clock = clock
        self._lock = fork_safe_lock()
        self._buckets: dict[Key, Bucket] = {}

    def reserve(self, keys: Sequence[Key], max_wait: float, time_left: float = math.inf) -> Effects[tuple[float, bool]]:
        """Return the seconds until a call that counts against all of `keys` may start, and whether it's reserved; it
        isn't if the wait is longer than `max_wait`. Takes at most `time_left` seconds.
        """
        with self._lock:
            now = self._clock()
            buckets = [(self._bucket(key, now), self._tiers.of(key)) for key in keys]
            start = max([bucket.next(tier, now) for bucket, tier in buckets], default=now)
            if start - now > max_wait:
                return start - now, False
            for bucket, _ in buckets:
                bucket.level -= 1
                bucket.last = max(bucket.last, start)
            return start - now, True
        yield  # a generator like other stores' methods, without an effect

    def give_back(self, keys: Sequence[Key]) -> None:
        """Take back the reservation of a call that won't start."""
        with self._lock:
            for key in keys:
                self._bucket(key, self._clock()).level += 1

    def observe(self, keys: Sequence[Key], status: int, headers: Mapping[str, str], retry_after: float | None) -> None:
        """Adopt what the server sent: how many more calls it allows, or a refusal for some seconds."""
        affected, remaining, closed_for = observed(keys, status, headers, retry_after)
        with self._lock:
            now = self._clock()
            for key in affected:
                bucket = self._bucket(key, now)
                if remaining is not None:
                    bucket.level = min(bucket.level, remaining)
                if closed_for is not None:
                    bucket.closed_until = max(bucket.closed_until, now + closed_for)

    def _bucket(self, key: Key, now: float) -> Bucket:
        """Return a key's bucket, filled up to now."""
        tier = self._tiers.of(key)
        bucket = self._buckets.pop(key) if key in self._buckets else Bucket(float(tier.burst), now)
        bucket.refill(tier, now)
        self._buckets[key] = bucket  # moves it to the end, as the most recently used
        if len(self._buckets) > _MAX_BUCKETS:
            del self._buckets[next(iter(self._buckets))]
        return bucket


# The platform's names of tiers that differ from those in `Tiers`.
_SCOPES: Mapping[str, str] = {"streaming": "streams", "oauth": "tokens"}


def observed(
    keys: Sequence[Key], status: int, headers: Mapping[str, str], retry_after: float | None
) -> tuple[Sequence[Key], float | None, float | None]:
    """Read the rate limits in a response: the buckets affected, the calls remaining, and the seconds of a refusal."""
    scope = headers.get("x-ratelimit-scope", "").strip().lower()
    affected = [key for key in keys if key[0] == _SCOPES.get(scope, scope)]
    closed_for = min(retry_after, _MAX_REFUSAL) if status == 429 and retry_after is not None else None
    if not affected:
        # Without a known scope, a refusal closes all buckets, and a number of remaining calls is ignored.
        return (keys, None, closed_for) if closed_for is not None else ((), None, None)
    text = headers.get("x-ratelimit-remaining", "").strip()
    remaining = float(text) if text.isascii() and text.isdecimal() and len(text) < 10 else None
    return affected, remaining, closed_for
