"""Connections, transports and the attempts of a call."""

from __future__ import annotations

from interactor_ext._engine.lazy import lazy_modules

# Most calls need no proxy, and meet no host that fails. `resolver` takes, with its threads, 3 of the 34 ms in which a
# client is imported and made, beside httpx; `async_transport` imports asyncio.
lazy_modules(__name__, "async_transport", "circuits", "foreign_stream", "proxied", "resolver")
