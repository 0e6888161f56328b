"""The SDK's own transports: pools, connections, and HTTP/1.1."""

from __future__ import annotations

from interactor_ext._engine.lazy import lazy_modules

# Most calls need no proxy, and a webhook receiver no pool. `resolver` and its threads would add 3 ms to the import of
# the SDK, and `async_transport` imports asyncio. Failures must need none of these: a process with too many open files
# can't import anything.
lazy_modules(__name__, "async_transport", "pool", "proxied", "resolver")
