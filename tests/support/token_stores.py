"""A token store that knows how it was used."""

from __future__ import annotations

from interactor_ext.tokens import MemoryTokenStore, Token


class RecordedStore(MemoryTokenStore):
    """`saved` holds what was saved, in this order; `keys` what it was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.keys: list[str] = []
        self.saved: list[str] = []

    def load(self, key: str) -> Token | None:
        self.keys.append(key)
        return super().load(key)

    def save(self, key: str, token: Token) -> None:
        super().save(key, token)
        self.saved.append(token.access_token)
