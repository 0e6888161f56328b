"""Event streams with reconnects, on top of the decoder in `interactor_ext.sse`."""

from __future__ import annotations

from interactor_ext._engine.lazy import lazy_modules

# The first, which is for async streams, imports asyncio, the second the models of its events.
lazy_modules(__name__, "read_ahead", "stream")
