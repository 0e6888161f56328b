"""The token that is there, who fetches the next, and who waits for it: what the token sources for threads and for tasks
share.

A caller may be interrupted in any line. So nothing here relies on a caller reaching its next line: locks are those
of C, taken by `with`, and whoever waits for a flight looks again and again whether somebody still makes the request.
"""

from __future__ import annotations

import copy
import math
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from interactor_ext._errors import APITimeoutError, InteractorError
from interactor_ext._fork import after_fork_in_child
from interactor_ext.logs._logger import logger
from interactor_ext.tokens._latch import Latch
from interactor_ext.tokens._policy import TokenState
from interactor_ext.tokens._store import Token

if TYPE_CHECKING:
    import asyncio

    from interactor_ext.tokens._guarded_store import GuardedStore, StoreSession

Outcome = Token | Exception | None
"""What came of a token request: None where whoever made it gave up, so that another must."""


# How often a caller looks whether whoever was to make the token request that it waits for is still at it.
_LOOK_AGAIN = 1.0


class Flight:
    """A token request under way, and what those hold on to who wait for it."""

    def __init__(self) -> None:
        self.landed = Latch()
        self.outcome: Outcome = None
        self.began = time.monotonic()
        self.held = threading.Lock()
        """Held by the thread that makes the request, for as long as it does; of tasks, see `task`."""
        self.task: asyncio.Task[None] | None = None
        self.session: StoreSession | None = None
        self.is_hurried = False

    def hurry(self) -> None:
        """A caller can no longer wait for the store: the request goes on without it."""
        self.is_hurried = True
        if self.session is not None:
            self.session.give_up()


class Wait:
    """One caller's wait for a flight, in steps, for threads and tasks alike."""

    def __init__(self, desk: Desk, flight: Flight, ends_at: float | None) -> None:
        self._desk = desk
        self._flight = flight
        self._ends_at = ends_at
        # A store that stalls leaves half the time to a token request and to the call.
        self._hurry_at = math.inf if ends_at is None else (time.monotonic() + ends_at) / 2

    def step(self) -> float | None:
        """The seconds to wait until the next step; None once the flight has landed.

        Raises:
            APITimeoutError: the caller's time is over.
        """
        if self._flight.landed.is_set:
            return None
        check_deadline(self._ends_at)
        if self._desk.is_adrift(self._flight):
            self._desk.land(self._flight, None)
            return None
        now = time.monotonic()
        if now >= self._hurry_at:
            self._flight.hurry()
            self._hurry_at = math.inf
        ends = [self._hurry_at, now + _LOOK_AGAIN]
        if self._ends_at is not None:
            ends.append(self._ends_at)
        return max(0.0, min(ends) - now)


def check_deadline(ends_at: float | None) -> None:
    if ends_at is not None and time.monotonic() >= ends_at:
        raise APITimeoutError("The deadline came before there was an access token. The call was not sent.", sent=False)


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
        # Reentrant, for a signal handler that makes a call of its own.
        self._lock = threading.RLock()
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
            if self._flight is not None and self.is_adrift(self._flight):
                self._flight = None  # who waits for it finds out as well
            mine = self._flight is None
            if self._flight is None:
                self._flight = Flight()
            return token, self._flight, mine

    def is_adrift(self, flight: Flight) -> bool:
        """Whether nobody makes the request: whoever was to do so was interrupted, or its event loop has ended."""
        is_young = time.monotonic() - flight.began < _LOOK_AGAIN
        return not (flight.landed.is_set or is_young or self._is_under_way(flight))

    def _is_under_way(self, flight: Flight) -> bool:
        raise NotImplementedError

    def open_store(self, flight: Flight) -> StoreSession | None:
        """Begin to look for the flight's token in the store, if there is one that can be asked."""
        flight.session = None if self._store is None else self._store.begin(self.adopt)
        if flight.session is not None and flight.is_hurried:
            flight.session.give_up()
        return flight.session

    def adopt(self, stored: Token | None) -> Token | None:
        with self._lock:
            now = self._clock()
            return self._state.valid(now) if self._state.adopt(stored, now) else None

    def land(self, flight: Flight, outcome: Outcome) -> None:
        old: Token | None = None
        with self._lock:
            now = self._clock()
            if isinstance(outcome, Token):
                self._state.accept(outcome)
            elif outcome is not None:
                self._state.postpone(now)
                old = self._state.valid(now)
            if self._flight is flight:
                self._flight = None
            if not flight.landed.is_set:
                flight.outcome = outcome
        flight.landed.set()
        if flight.session is not None:
            flight.session.finish(outcome if isinstance(outcome, Token) else None)
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
