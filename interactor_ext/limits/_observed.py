"""The last `X-RateLimit-*` headers of each scope, for `client.rate_limit`."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping
from typing import NamedTuple

# A server may name any number of scopes, and a process may serve any number of tenants.
_MOST_KEPT = 10_000


class RateLimit(NamedTuple):
    """The `X-RateLimit-*` headers of a response; None where one was missing or unreadable."""

    scope: str
    """"client", "namespace" or another word of the server's."""
    limit: int | None
    remaining: int | None
    reset: float | None
    """Unix time at which the window starts anew."""


class RateLimits:
    """The last rate limits of each scope, and of each namespace for the scope "namespace"."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str | None], RateLimit] = {}

    def observe(self, headers: Mapping[str, str], namespace: str | None) -> None:
        limit, remaining = headers.get("x-ratelimit-limit"), headers.get("x-ratelimit-remaining")
        reset = headers.get("x-ratelimit-reset")
        if limit is None and remaining is None and reset is None:
            return
        scope = headers.get("x-ratelimit-scope", "").strip().lower()[:64] or "client"
        seen = RateLimit(scope, _count(limit), _count(remaining), _time(reset))
        if seen[1:] == (None, None, None):
            return
        if len(self._seen) >= _MOST_KEPT:
            # Another thread may do the same: then one too many is dropped, or none.
            with contextlib.suppress(RuntimeError, StopIteration):
                self._seen.pop(next(iter(self._seen)), None)
        self._seen[scope, namespace if scope == "namespace" else None] = seen

    def seen(self, namespace: str | None) -> dict[str, RateLimit]:
        return {scope: limit for (scope, whose), limit in self._seen.copy().items() if whose in (None, namespace)}


def _count(text: str | None) -> int | None:
    text = (text or "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else None


def _time(text: str | None) -> float | None:
    try:
        seconds = float(text or "")
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None
