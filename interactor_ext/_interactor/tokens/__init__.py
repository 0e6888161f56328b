"""The access token and how it is read from JSON, the `TokenStore` protocol, and the in-memory store."""

from __future__ import annotations

import json
import math
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import NamedTuple, Protocol

from interactor_client.errors import DecodeError
from interactor_ext._engine.lazy import lazy_modules

# The shortest lifetime that the platform's guides mention.
_DEFAULT_LIFETIME = 900.0
_SENDABLE = re.compile(r"[\x21-\x7e]+")  # the characters that a header can carry
_FAR_FUTURE = 1e12
"""An upper limit for times and lifetimes, in seconds. The comparison also rejects NaN."""


class Token(NamedTuple):
    """An access token. Its `repr` doesn't show it."""

    access_token: str
    expires_at: float
    """Unix time, because it's the only clock that processes and machines sharing tokens have in common."""
    lifetime: float
    """Seconds from issue to expiry."""

    def __repr__(self) -> str:
        return f"Token(expires_at={self.expires_at!r}, lifetime={self.lifetime!r})"


class TokenStore(Protocol):
    """The protocol for `token_store=`. Threads, event loops, clients and processes may share a store.

    `key` identifies the account server, the client id, the scopes of a token and the target of a stream URL's token; it
    can be used as a file name. The methods may block: they are called in a separate thread, the same for all
    steps of one token request. Their exceptions cost a warning and a token request, but never fail a call. So does a
    store that doesn't respond within two seconds; it isn't used for the next ten. A token is saved after the calls that
    waited for it have gone on.
    """

    def load(self, key: str) -> Token | None:
        """The token that was last saved, expired or not."""
        ...

    def save(self, key: str, token: Token) -> None:
        """Replace the stored token. A revoked token is replaced by an expired one, which needn't be kept."""
        ...

    def lock(self, key: str, timeout: float) -> AbstractContextManager[bool]:
        """Held while a token is requested. Other processes wait for that token.

        Yields False if it could not be acquired within `timeout` seconds: then a token is requested regardless.
        """
        ...


class MemoryTokenStore:
    """Tokens in this process, gone when it ends. The default of a client."""

    def __init__(self) -> None:
        self._tokens: dict[str, Token] = {}
        self._locks: dict[str, threading.Lock] = {}

    def load(self, key: str) -> Token | None:
        """Like `TokenStore.load`."""
        return self._tokens.get(key)

    def save(self, key: str, token: Token) -> None:
        """Like `TokenStore.save`."""
        self._tokens[key] = token

    @contextmanager
    def lock(self, key: str, timeout: float) -> Iterator[bool]:
        """Like `TokenStore.lock`."""
        lock = self._locks.setdefault(key, threading.Lock())
        held = lock.acquire(timeout=timeout)
        try:
            yield held
        finally:
            if held:
                lock.release()


def read_token(content: bytes, issued_at: float, model: str = "AccessToken") -> Token:
    """Read the token in a token response's body, with or without the `data` envelope.

    `issued_at` is when it was requested, in Unix time: counting its lifetime from then errs on the safe side. `model`
    is the error's name for the body.

    Raises:
        DecodeError: the body contains no token, or one that no header can carry.
    """
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        raise DecodeError(model, "", "isn't readable JSON") from None
    if not isinstance(body, Mapping):
        raise DecodeError(model, "", "must be an object")
    data = body.get("data")
    fields = data if isinstance(data, Mapping) else body
    access_token = fields.get("access_token")
    if not isinstance(access_token, str) or not _SENDABLE.fullmatch(access_token):
        problem = "is missing" if access_token is None else "must be a string that a header can carry"
        raise DecodeError(model, "access_token", problem)
    lifetime = _lifetime(fields.get("expires_in"))
    return Token(access_token, issued_at + lifetime, lifetime)


def _lifetime(expires_in: object) -> float:
    if isinstance(expires_in, bool) or not isinstance(expires_in, int | float | str):
        return _DEFAULT_LIFETIME
    try:
        seconds = float(expires_in)
    except (ValueError, OverflowError):
        return _DEFAULT_LIFETIME
    # Some servers send 0 or -1 for a token that doesn't expire; taken literally, every call would replace it.
    return seconds if math.isfinite(seconds) and seconds >= 1 else _DEFAULT_LIFETIME


def load_token(value: object) -> Token:
    """Build a stored token from its fields. Raises ValueError, without quoting it, if it isn't a token."""
    fields = value if isinstance(value, Mapping) else {}
    access_token, expires_at, lifetime = (fields.get(name) for name in Token._fields)
    if not isinstance(access_token, str) or not _SENDABLE.fullmatch(access_token):
        raise ValueError("what is stored isn't a token: its access_token is missing or unusable")
    return Token(access_token, _number("expires_at", expires_at), _number("lifetime", lifetime))


def parse_token(text: str | bytes) -> Token:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("what is stored isn't JSON") from None
    return load_token(value)


def _number(name: str, value: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _FAR_FUTURE:
        return float(value)
    raise ValueError(f"what is stored isn't a token: its {name} is missing or unusable")


# Most programs use no token store, no function as secret and no stream URLs, and revoke no token.
lazy_modules(__name__, "narrowing", "revocation", "secret_function", "store_access")
