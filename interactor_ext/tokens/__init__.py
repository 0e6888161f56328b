"""Token stores: where access tokens are kept between calls.

A client keeps its token in memory. Clients with the same store share one token.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from interactor_ext._lazy import lazy_modules, lazy_names

if TYPE_CHECKING:
    from interactor_ext.tokens._file import FileTokenStore
    from interactor_ext.tokens._redis import RedisTokenStore
    from interactor_ext.tokens._store import MemoryTokenStore, Token, TokenStore

__all__ = ["FileTokenStore", "MemoryTokenStore", "RedisTokenStore", "Token", "TokenStore"]

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "._file": ("FileTokenStore",),
            "._redis": ("RedisTokenStore",),
            "._store": ("MemoryTokenStore", "Token", "TokenStore"),
        },
    )

# Most programs use no token store, no function as secret and no stream URLs, and revoke no token.
lazy_modules(__name__, "_narrow", "_revocation", "_secret_function", "_shared_store")
