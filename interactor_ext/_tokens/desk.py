"""The token that is there, who fetches the next, and who waits for it: what both colours of token source share."""

from __future__ import annotations

import copy
import logging
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from interactor_ext._errors import InteractorError
from interactor_ext._fork import after_fork_in_child
from interactor_ext._tokens.state import TokenState
from interactor_ext.tokens import Token

if TYPE_CHECKING:
    import asyncio
    from concurrent.futures import Future

    from interactor_ext._tokens.guarded import GuardedStore

logger = logging.getLogger("interactor")

Outcome = Token | Exception | None
"""What came of a token request: None where whoever made it gave up, so that another must."""


class Flight:
    """A token request under way, and what those hold on to who wait for it."""

    def __init__(self) -> None:
        # Imported late, with what it brings along: only those who send requests need it.
        from concurrent.futures import Future

        self.landing: Future[Outcome] = Future()
        self.task: asyncio.Task[None] | None = None


class Desk:
    """Where a caller gets a token, or is told what to wait for. Its lock is held for moments only."""

    def __init__(
        self, *, buffer: float, store: GuardedStore | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        self._store = store
        self._clock = clock
        self._state = TokenState(buffer)
        self.on_token: Callable[[Token], object] | None = None
        """Told of each token that takes the place of another."""
        self._renew()
        after_fork_in_child(self._renew)

    def _renew(self) -> None:
        # In a forked child, neither the thread that held the lock nor the one that fetched a token lives on.
        self._lock = threading.Lock()
        self._flight: Flight | None = None

    def valid(self) -> Token | None:
        """The token in memory, unless it has expired."""
        return self._state.valid(self._clock())

    def reject(self, token: Token) -> None:
        """The Core API answered 401 to this token."""
        with self._lock:
            self._state.reject(token.access_token, self._clock())

    def replayed(self, *, refused: bool) -> None:
        """A call was sent again with a new token, and refused again or not."""
        with self._lock:
            self._state.replayed(refused=refused, now=self._clock())

    def board(self) -> tuple[Token | None, Flight | None, bool]:
        """A token to use at once, if there is one; a request under way; and whether the caller is the one to start it.

        No call waits for a new token while the old one serves: it starts the request, and goes on.
        """
        now = self._clock()
        with self._lock:
            token = self._state.valid(now)
            if token is not None and not self._state.due(now):
                return token, None, False
            mine = self._flight is None
            if self._flight is None:
                self._flight = Flight()
            return token, self._flight, mine

    def adopt(self, stored: Token | None) -> Token | None:
        with self._lock:
            now = self._clock()
            return self._state.valid(now) if self._state.adopt(stored, now) else None

    def land(self, flight: Flight, outcome: Outcome) -> None:
        old: Token | None = None
        with self._lock:
            now = self._clock()
            if self._flight is flight:
                self._flight = None
            if isinstance(outcome, Token):
                self._state.accept(outcome)
            elif outcome is not None:
                self._state.postpone(now)
                old = self._state.valid(now)
            if not flight.landing.done():
                flight.landing.set_result(outcome)
        if isinstance(outcome, Token) and self.on_token is not None:
            self.on_token(outcome)
        if old is not None:
            left = old.expires_at - now
            logger.warning("no new access token; the old one serves for %.0f s more: %s", left, outcome)

    def claim(self, outcome: Outcome) -> Token | None:
        """The token that came of a request that the caller waited for; None means to start over."""
        if not isinstance(outcome, Exception):
            return outcome
        old = self.valid()
        if old is not None:
            return old
        # Each caller raises an error of its own: a traceback grows with every raise.
        raise (copy.copy(outcome) if isinstance(outcome, InteractorError) else outcome) from outcome.__cause__
