"""Connections, transports and the attempts of a call."""

from __future__ import annotations

from interactor_ext._engine.lazy import lazy_modules

# Most calls need no proxy. Importing `resolver` and its threads takes 3 of the 34 ms that it takes to import the SDK
# without httpx and create a client. `async_transport` imports asyncio. Failures must need none of these: a process with
# too many open files can't import anything.
lazy_modules(__name__, "async_transport", "foreign_stream", "proxied", "resolver")
