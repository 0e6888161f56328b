"""Token stores of every kind, and one that records its use."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import NamedTuple

from interactor_ext.tokens import FileTokenStore, MemoryTokenStore, RedisTokenStore, Token, TokenStore


def redis_store(module: str, place: str, lock_expiry: float) -> RedisTokenStore:
    return RedisTokenStore(import_module(module).Redis(unix_socket_path=place), lock_expiry=lock_expiry)


class Kind(NamedTuple):
    """A function that opens a store at its place, with a lock that expires after some seconds; and the place: `file`,
    `redis`, or "" if no other process can open it.
    """

    open: Callable[[str, float], TokenStore]
    place: str = ""


KINDS = {
    "memory": Kind(lambda *_: MemoryTokenStore()),
    "file": Kind(lambda place, _: FileTokenStore(place), "file"),
    "redis": Kind(partial(redis_store, "redis"), "redis"),
    "redis.asyncio": Kind(partial(redis_store, "redis.asyncio"), "redis"),
}
"""The implementations of the token store contract: a new store is a line here. One with a new server also needs a case
in the fixture `place` of tests/tokens/test_token_sharing.py.
"""


def open_store(name: str, lock_expiry: float = 300) -> TokenStore:
    """The store that a name such as `file:/tmp/tokens.json` means."""
    kind, _, place = name.partition(":")
    return KINDS[kind].open(place, lock_expiry)


class RecordedStore(MemoryTokenStore):
    """`saved` lists the saved tokens in order, `keys` the loaded keys."""

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
