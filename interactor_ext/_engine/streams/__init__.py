"""Event streams that reconnect, on top of the decoder in `interactor_ext.sse`."""

from __future__ import annotations

from interactor_ext._engine.lazy import lazy_modules

# Most programs open no stream; `read_ahead`, for async ones, imports asyncio.
lazy_modules(__name__, "events", "read_ahead", "stream")
