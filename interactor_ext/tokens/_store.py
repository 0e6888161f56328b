"""The access token, the `TokenStore` protocol, and the store in memory."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import NamedTuple, Protocol


class Token(NamedTuple):
    """An access token. Its `repr` does not show it."""

    access_token: str
    expires_at: float
    """Unix time: processes and machines share tokens, and the wall clock is the only clock that they share."""
    lifetime: float
    """Seconds from issue to expiry."""

    def __repr__(self) -> str:
        return f"Token(expires_at={self.expires_at!r}, lifetime={self.lifetime!r})"


class TokenStore(Protocol):
    """The protocol of `token_store=`. A store may be shared by threads, event loops, clients and processes.

    `key` identifies the account server, the client id, the scopes of a token and, for that of stream URLs, what it
    opens; it is fit for a file name. The methods may block: they are called in a thread of their own. What they raise
    costs a warning and a token request, never a call. So does a store that does not answer within three seconds, or
    within half of the time until a call's deadline; it is not asked for the next ten seconds. A token is saved after
    the calls that waited for it have gone on.
    """

    def load(self, key: str) -> Token | None:
        """The token that was saved last, expired or not."""
        ...

    def save(self, key: str, token: Token) -> None:
        """Replace the stored token."""
        ...

    def lock(self, key: str, timeout: float) -> AbstractContextManager[bool]:
        """Held while a token is requested, so that other processes wait for that token.

        Gives False if it could not be acquired within `timeout` seconds: then a token is requested regardless.
        """
        ...


class MemoryTokenStore:
    """Tokens in this process, gone when it ends. What a client uses when it is given no other store."""

    def __init__(self) -> None:
        self._tokens: dict[str, Token] = {}
        self._locks: dict[str, threading.Lock] = {}

    def load(self, key: str) -> Token | None:
        """As `TokenStore.load`."""
        return self._tokens.get(key)

    def save(self, key: str, token: Token) -> None:
        """As `TokenStore.save`."""
        self._tokens[key] = token

    @contextmanager
    def lock(self, key: str, timeout: float) -> Iterator[bool]:
        """As `TokenStore.lock`."""
        lock = self._locks.setdefault(key, threading.Lock())
        held = lock.acquire(timeout=timeout)
        try:
            yield held
        finally:
            if held:
                lock.release()
