"""Client-side rate limits: buckets, in this process or in Redis, and the queue in front of them."""

from __future__ import annotations

from interactor_ext._engine.lazy import lazy_modules

# Most programs have no rate limiter.
lazy_modules(__name__, "limiter")
