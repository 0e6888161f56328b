"""Whether the access token is valid, and when it is due to be replaced: decided without a lock, a clock or a socket."""

from __future__ import annotations

import copy
import math

from interactor_ext._engine.errors import APIStatusError, ConfigurationError, CredentialExpiredError
from interactor_ext._interactor.tokens import Token

# After a request that was refused, or that could not replace a token which is still valid: else each call makes one.
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
        self._refusal: APIStatusError | ConfigurationError | None = None
        self._refusal_lasts = 0.0
        self._refused_until = -math.inf

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
        self._refused_until = -math.inf
        self.token = token
        self.due_at = token.expires_at - min(self._buffer, token.lifetime / 2)

    def close(self) -> None:
        """Forget the token, and take no other."""
        self.closed = True
        self.token = None

    def failed(self, error: Exception, now: float) -> None:
        """A token request failed. A refusal is remembered for as long as the server asks for, or for some seconds."""
        pause = 0.0
        # When a user connects a credential again, its tokens are to be had at once. The circuit breaker and the rate
        # limits know themselves until when they refuse.
        if isinstance(error, APIStatusError | ConfigurationError) and not isinstance(error, CredentialExpiredError):
            is_refused = error.status is not None and 400 <= error.status < 500
            pause = error.retry_after if error.retry_after is not None else _PAUSE * is_refused
            if not self._seconds_refused(now):
                self._refusal, self._refusal_lasts, self._refused_until = error, pause, now + pause
        if self.token is not None:
            self.due_at = max(self.due_at, min(now + max(pause, _PAUSE), self.token.expires_at))

    def check_refusal(self, now: float) -> None:
        """Raises what a token request was refused with, until the server may be asked again."""
        if self._refusal is not None and (left := self._seconds_refused(now)):
            error = copy.copy(self._refusal)  # a traceback grows with every raise
            error.args = (
                f"{error} This was the response to an earlier token request. The next request is sent in {left:.1f} s.",
            )
            error.retry_after = left
            raise error

    def _seconds_refused(self, now: float) -> float:
        left = self._refused_until - now
        return left if 0 < left <= self._refusal_lasts else 0.0  # a clock may be set back

    def reject(self, access_token: str, now: float) -> None:
        """The Core API answered 401 to this token. It is forgotten, unless it has been replaced meanwhile."""
        if self.token is None or self.token.access_token != access_token:
            return
        # No longer than the pause either: a clock that was set back would make an hour of it.
        if self._refusals >= _REFUSALS_BEFORE_DOUBT and 0 < self._no_rejection_before - now <= _PAUSE:
            return
        self.forget(access_token)

    def forget(self, access_token: str) -> None:
        """The token is no longer valid, so don't load it from a store either."""
        self._rejected = access_token
        if self.token is not None and self.token.access_token == access_token:
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
