"""Token stores of every kind, and one that knows how it was used."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import NamedTuple

from interactor_ext.tokens import FileTokenStore, MemoryTokenStore, RedisTokenStore, Token, TokenStore


def redis_store(module: str, place: str, lock_expiry: float) -> RedisTokenStore:
    return RedisTokenStore(import_module(module).Redis(unix_socket_path=place), lock_expiry=lock_expiry)


class Kind(NamedTuple):
    """What opens a store at its place, for a lock that expires after so many seconds, and what that place is: `file`,
    `redis`, or "" where no other process can open it.
    """

    open: Callable[[str, float], TokenStore]
    place: str = ""


KINDS = {
    "memory": Kind(lambda *_: MemoryTokenStore()),
    "file": Kind(lambda place, _: FileTokenStore(place), "file"),
    "redis": Kind(partial(redis_store, "redis"), "redis"),
    "redis.asyncio": Kind(partial(redis_store, "redis.asyncio"), "redis"),
}
"""What keeps the contract of token stores: a new store is a line here. One of a new server needs a case in the fixture
`place` of tests/tokens/test_token_sharing.py.
"""


def open_store(name: str, lock_expiry: float = 300) -> TokenStore:
    """The store that a name such as `file:/tmp/tokens.json` means."""
    kind, _, place = name.partition(":")
    return KINDS[kind].open(place, lock_expiry)


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
