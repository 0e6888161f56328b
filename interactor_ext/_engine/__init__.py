"""What calls over HTTP need, whatever the API. This package knows nothing of Interactor and imports nothing that
does."""

from __future__ import annotations

from interactor_ext._engine.lazy import lazy_modules

# Most programs read no lists, make no operations of several calls, have no telemetry and call nothing deprecated.
lazy_modules(__name__, "deprecation", "effects", "pages", "telemetry_events", "telemetry_requests")
