"""Is there a token, is it still good, and is it time for another: decided without a lock, a clock or a socket."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping

from interactor_client.errors import DecodeError
from interactor_ext.tokens._store import Token

# What the platform's guides name as its shortest lifetime.
_DEFAULT_LIFETIME = 900.0
# After a failed attempt to replace a token that is still good, so that not every call makes one.
_PAUSE = 5.0
# The account server takes 20 requests a minute, 5 at once. So many new tokens in a row may be refused by the Core API
# before a refusal is taken to mean something else than the token.
_REFUSALS_BEFORE_DOUBT = 4


class TokenState:
    """The token of one client.

    `buffer`: how many seconds before its expiry a token is due to be replaced. One that lives for less than twice as
    long is due at half its life, or each call would replace it.
    """

    def __init__(self, buffer: float) -> None:
        self._buffer = buffer
        self._token: Token | None = None
        self._due_at = 0.0
        self._rejected: str | None = None
        self._refusals = 0
        self._no_rejection_before = -math.inf

    def valid(self, now: float) -> Token | None:
        """The token, unless it has expired."""
        token = self._token
        return token if token is not None and now < token.expires_at else None

    def due(self, now: float) -> bool:
        """Whether the token should be replaced, be it still valid or not."""
        return self._token is None or now >= self._due_at

    def accept(self, token: Token) -> None:
        """A new token has come."""
        self._token = token
        self._due_at = token.expires_at - min(self._buffer, token.lifetime / 2)

    def postpone(self, now: float) -> None:
        """A new token was asked for, and did not come."""
        self._due_at = max(self._due_at, now + _PAUSE)

    def reject(self, access_token: str, now: float) -> None:
        """The Core API answered 401 to this token. It is forgotten, unless another has taken its place meanwhile."""
        if self._token is None or self._token.access_token != access_token:
            return
        # No longer than the pause either: a clock that was set back would make an hour of it.
        if self._refusals >= _REFUSALS_BEFORE_DOUBT and 0 < self._no_rejection_before - now <= _PAUSE:
            return
        self._rejected = access_token
        self._token = None

    def replayed(self, *, refused: bool, now: float) -> None:
        """A call was sent again with a new token; `refused` says whether that was answered with 401 as well."""
        self._refusals = self._refusals + 1 if refused else 0
        self._no_rejection_before = now + _PAUSE

    def adopt(self, token: Token | None, now: float) -> bool:
        """A token was found in a store. Says whether it serves instead of a new one."""
        if token is None or token.access_token == self._rejected or now >= token.expires_at:
            return False
        if self._token is None or token.expires_at > self._token.expires_at:
            self.accept(token)
        return not self.due(now)


def read_token(content: bytes, issued_at: float) -> Token:
    """The token in the body of a token response, with or without the `data` envelope.

    `issued_at` is when it was asked for, in Unix time: to count its life from there errs on the safe side.

    Raises:
        DecodeError: there is no token in it, or one that no header can carry.
    """
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        raise DecodeError("AccessToken", "", "is not JSON that can be read") from None
    if not isinstance(body, Mapping):
        raise DecodeError("AccessToken", "", "must be an object")
    data = body.get("data")
    fields = data if isinstance(data, Mapping) else body
    access_token = fields.get("access_token")
    if not isinstance(access_token, str) or not access_token:
        problem = "is missing" if access_token is None else "must be a string that is not empty"
        raise DecodeError("AccessToken", "access_token", problem)
    if not is_sendable(access_token):
        raise DecodeError("AccessToken", "access_token", "holds a character that no header can carry")
    lifetime = _lifetime(fields.get("expires_in"))
    return Token(access_token, issued_at + lifetime, lifetime)


def is_sendable(access_token: str) -> bool:
    """Whether a header can carry it."""
    return access_token != "" and access_token.isascii() and access_token.isprintable() and " " not in access_token


def _lifetime(expires_in: object) -> float:
    if isinstance(expires_in, bool) or not isinstance(expires_in, int | float | str):
        return _DEFAULT_LIFETIME
    try:
        seconds = float(expires_in)
    except (ValueError, OverflowError):
        return _DEFAULT_LIFETIME
    # Some servers say 0 or -1 of a token that does not expire; taken at its word, it would be replaced for every call.
    return seconds if math.isfinite(seconds) and seconds >= 1 else _DEFAULT_LIFETIME
