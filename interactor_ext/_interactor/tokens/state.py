"""Whether the access token is valid, and when it is due to be replaced: decided without a lock, a clock or a socket."""

from __future__ import annotations

import copy
import math

from interactor_ext._engine.errors import APIStatusError, ConfigurationError, CredentialExpiredError
from interactor_ext._interactor.tokens import Token

# The pause after a token request that was refused, or that couldn't replace a token that is still valid. Otherwise each
# call would make one.
_PAUSE = 5.0
# The account server accepts 20 requests a minute, 5 at once. The Core API may refuse this many new tokens in a row
# before a refusal is attributed to something other than the token.
_REFUSALS_BEFORE_DOUBT = 4


class TokenState:
    """The token of one client.

    `buffer` is how many seconds before its expiry a token is due to be replaced. One that lives less than twice as long
    is due at half its life, or each call would replace it.
    """

    def __init__(self, buffer: float) -> None:
        self.token: Token | None = None
        self.due_at = -math.inf
        """When the token is due to be replaced, at its expiry at the latest."""
        self.closed = False
        self._buffer = buffer
        self._rejected: str | None = None
        self._refusals = 0
        self._no_rejection_before = -math.inf
        self._refusal: APIStatusError | ConfigurationError | None = None
        self._refusal_lasts = 0.0
        self._refused_until = -math.inf

    def valid(self, now: float) -> Token | None:
        """Return the token unless it has expired."""
        token = self.token
        return token if token is not None and now < token.expires_at else None

    def due(self, now: float) -> bool:
        """Whether to replace the token, valid or not."""
        return self.token is None or now >= self.due_at

    def accept(self, token: Token) -> None:
        """Adopt a new token."""
        if self.closed:
            return  # it was requested earlier
        self._refused_until = -math.inf
        self.token = token
        self.due_at = token.expires_at - min(self._buffer, token.lifetime / 2)

    def close(self) -> None:
        """Forget the token, and accept no other."""
        self.closed = True
        self.token = None

    def failed(self, error: Exception, now: float) -> None:
        """Record a failed token request. A refusal is remembered for as long as the server says, or for some
        seconds."""
        pause = 0.0
        # When a user reconnects a credential, its tokens are available at once. The circuit breaker and the rate limits
        # know themselves until when they refuse.
        if isinstance(error, APIStatusError | ConfigurationError) and not isinstance(error, CredentialExpiredError):
            is_refused = error.status is not None and 400 <= error.status < 500
            pause = error.retry_after if error.retry_after is not None else _PAUSE * is_refused
            if not self._seconds_refused(now):
                self._refusal, self._refusal_lasts, self._refused_until = error, pause, now + pause
        if self.token is not None:
            self.due_at = max(self.due_at, min(now + max(pause, _PAUSE), self.token.expires_at))

    def check_refusal(self, now: float) -> None:
        """Raise the error of a refused token request, until the next request may be made."""
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
        """The Core API responded with 401 to this token. It is forgotten, unless it has been replaced in the
        meantime."""
        if self.token is None or self.token.access_token != access_token:
            return
        # At most the pause, because a clock that was set back could turn it into an hour.
        if self._refusals >= _REFUSALS_BEFORE_DOUBT and 0 < self._no_rejection_before - now <= _PAUSE:
            return
        self.forget(access_token)

    def forget(self, access_token: str) -> None:
        """The token is no longer valid, so don't load it from a store either."""
        self._rejected = access_token
        if self.token is not None and self.token.access_token == access_token:
            self.token = None

    def replayed(self, *, refused: bool, now: float) -> None:
        """A call was repeated with a new token; `refused` says whether it got a 401 again."""
        self._refusals = self._refusals + 1 if refused else 0
        self._no_rejection_before = now + _PAUSE

    def adopt(self, token: Token | None, now: float) -> Token | None:
        """Adopt a token found in a store. Returns the token that makes a new one unnecessary, if there is one now."""
        if token is None or token.access_token == self._rejected or now >= token.expires_at:
            return None
        if self.token is None or token.expires_at > self.token.expires_at:
            self.accept(token)
        return None if self.due(now) else self.token
