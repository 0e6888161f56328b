"""Event streams with reconnects, on top of the decoder in `interactor_ext.sse`."""

from __future__ import annotations

from interactor_ext._lazy import lazy_modules

# It imports asyncio and the models of its events.
lazy_modules(__name__, "_stream")
