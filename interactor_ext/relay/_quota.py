"""The limits of a namespace or a person in it: writes a minute, and streams at a time."""

from __future__ import annotations

from collections import Counter

from interactor_ext._effects import Effects
from interactor_ext._errors import ConfigurationError
from interactor_ext._fork import fork_safe_lock
from interactor_ext.limits import RateLimiter, Tier, Tiers


class Quota:
    """Counts streams by namespace, in this process alone, and writes by person, as the rate limiter counts."""

    def __init__(self, writes_per_minute: int, rate_limiter: RateLimiter | None, streams: int) -> None:
        if writes_per_minute < 1 or streams < 1:
            raise ConfigurationError("writes_per_minute and streams_per_namespace must be at least 1")
        tier = Tier(writes_per_minute, writes_per_minute)
        self._writes = rate_limiter or RateLimiter(Tiers(namespace=tier))
        self._most_streams = streams
        self._lock = fork_safe_lock()
        self._streams: Counter[str] = Counter()

    def count_write(self, who: tuple[str, ...]) -> Effects[float]:
        """0 for a write that is allowed, else the seconds until the next one is. `who` is a namespace, and perhaps a
        person in it.
        """
        return self._writes.take([("namespace", "relay", *who)])

    def open_stream(self, namespace: str) -> bool:
        """Whether the namespace may have one more. Each is to be given back by `close_stream`."""
        with self._lock:
            if self._streams[namespace] >= self._most_streams:
                return False
            self._streams[namespace] += 1
            return True

    def close_stream(self, namespace: str) -> None:
        with self._lock:
            self._streams[namespace] -= 1
            if not self._streams[namespace]:
                del self._streams[namespace]
