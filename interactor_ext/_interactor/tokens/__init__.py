"""Access tokens: requests, caches, stores, and the auth flow of httpx."""

from __future__ import annotations

from interactor_ext._engine.lazy import lazy_modules

# Most programs use no token store, no function as secret and no stream URLs, and revoke no token.
lazy_modules(__name__, "narrowing", "revocation", "secret_function", "shared_store")
