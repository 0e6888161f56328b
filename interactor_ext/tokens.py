"""Token stores: where access tokens are kept between calls.

A client keeps its token in memory. Clients with the same store share one token.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from interactor_ext._engine.lazy import lazy_names

if TYPE_CHECKING:
    from interactor_ext._interactor.tokens import MemoryTokenStore, Token, TokenStore
    from interactor_ext._interactor.tokens.file import FileTokenStore
    from interactor_ext._interactor.tokens.redis import RedisTokenStore

__all__ = ["FileTokenStore", "MemoryTokenStore", "RedisTokenStore", "Token", "TokenStore"]

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "interactor_ext._interactor.tokens.file": ("FileTokenStore",),
            "interactor_ext._interactor.tokens.redis": ("RedisTokenStore",),
            "interactor_ext._interactor.tokens": ("MemoryTokenStore", "Token", "TokenStore"),
        },
    )
