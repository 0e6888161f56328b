"""The views of a client: options, requests, waits, and the state that all of them share."""

from __future__ import annotations

from interactor_ext._engine.lazy import lazy_modules

# Most programs don't need these; `shared_state` imports httpcore, `httpx2_auth` httpx2.
lazy_modules(__name__, "advice", "credential_auth", "ensuring", "extras", "httpx2_auth", "low_level", "partial_pages")
lazy_modules(__name__, "shared_state", "status_waits", "unsendable")
