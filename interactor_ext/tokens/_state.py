"""Whether the access token is valid, and when it is due to be replaced: decided without a lock, a clock or a socket."""

from __future__ import annotations

import math

from interactor_ext.tokens._store import Token

# After a failed attempt to replace a token that is still valid, so that not every call makes one.
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
        self.token: Token | None = None
        self.due_at = -math.inf
        """When the token is due to be replaced: not later than it expires."""
        self.closed = False
        self._buffer = buffer
        self._rejected: str | None = None
        self._refusals = 0
        self._no_rejection_before = -math.inf

    def valid(self, now: float) -> Token | None:
        """The token, unless it has expired."""
        token = self.token
        return token if token is not None and now < token.expires_at else None

    def due(self, now: float) -> bool:
        """Whether the token is to be replaced, valid or not."""
        return self.token is None or now >= self.due_at

    def accept(self, token: Token) -> None:
        """Take a new token."""
        if self.closed:
            return  # it was requested before
        self.token = token
        self.due_at = token.expires_at - min(self._buffer, token.lifetime / 2)

    def close(self) -> None:
        """Forget the token, and take no other."""
        self.closed = True
        self.token = None

    def postpone(self, now: float) -> None:
        """The token could not be replaced."""
        if self.token is not None:
            self.due_at = max(self.due_at, min(now + _PAUSE, self.token.expires_at))

    def reject(self, access_token: str, now: float) -> None:
        """The Core API answered 401 to this token. It is forgotten, unless it has been replaced meanwhile."""
        if self.token is None or self.token.access_token != access_token:
            return
        # No longer than the pause either: a clock that was set back would make an hour of it.
        if self._refusals >= _REFUSALS_BEFORE_DOUBT and 0 < self._no_rejection_before - now <= _PAUSE:
            return
        self._rejected = access_token
        self.token = None

    def replayed(self, *, refused: bool, now: float) -> None:
        """A call was repeated with a new token; `refused` says whether that was answered with 401 as well."""
        self._refusals = self._refusals + 1 if refused else 0
        self._no_rejection_before = now + _PAUSE

    def adopt(self, token: Token | None, now: float) -> Token | None:
        """A token was found in a store. The token that makes a new one unnecessary, if there is one now."""
        if token is None or token.access_token == self._rejected or now >= token.expires_at:
            return None
        if self.token is None or token.expires_at > self.token.expires_at:
            self.accept(token)
        return None if self.due(now) else self.token
