"""One token request, however many threads or tasks need its token: a loop for each colour, around what both decide."""

from __future__ import annotations

import copy
import functools
import logging
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING

from interactor_ext._errors import APITimeoutError, InteractorError
from interactor_ext._fork import after_fork_in_child
from interactor_ext._token_state import TokenState
from interactor_ext.tokens import Token

if TYPE_CHECKING:
    import asyncio
    from concurrent.futures import Future

    from interactor_ext._token_store import GuardedStore

logger = logging.getLogger("interactor_ext")

# How often a task looks whether the event loop that requests its token, another than its own, is still running.
_LOOK_AGAIN = 1.0

Outcome = Token | Exception | None
"""What came of a token request: None where whoever made it gave up, so that another must."""


class Flight:
    """A token request under way, and what those hold on to who wait for it."""

    def __init__(self) -> None:
        # Imported late, with what it brings along: only those who send requests need it.
        from concurrent.futures import Future

        self.landing: Future[Outcome] = Future()
        self.task: asyncio.Task[None] | None = None


class _Desk:
    """The token that is there, and who fetches the next: all that both colours share, behind a lock held for moments."""

    def __init__(
        self, *, buffer: float, store: GuardedStore | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        self._store = store
        self._clock = clock
        self._state = TokenState(buffer)
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

    def _board(self) -> tuple[Token | None, Flight | None, bool]:
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

    def _adopt(self, stored: Token | None) -> Token | None:
        with self._lock:
            now = self._clock()
            return self._state.valid(now) if self._state.adopt(stored, now) else None

    def _land(self, flight: Flight, outcome: Outcome) -> None:
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
        if old is not None:
            left = old.expires_at - now
            logger.warning("no new access token; the old one serves for %.0f s more: %s", left, outcome)

    def _claim(self, outcome: Outcome) -> Token | None:
        """The token that came of a request that the caller waited for; None means to start over."""
        if not isinstance(outcome, Exception):
            return outcome
        old = self.valid()
        if old is not None:
            return old
        # Each caller raises an error of its own: a traceback grows with every raise.
        raise (copy.copy(outcome) if isinstance(outcome, InteractorError) else outcome) from outcome.__cause__


class TokenSource(_Desk):
    """Tokens for threads. `fetch` makes a token request."""

    def __init__(
        self,
        fetch: Callable[[], Token],
        *,
        buffer: float,
        store: GuardedStore | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(buffer=buffer, store=store, clock=clock)
        self._fetch = fetch

    def get(self, ends_at: float | None = None) -> Token:
        """A token to use now. `ends_at`: how long it may take, an instant of `time.monotonic()`."""
        while True:
            token, flight, mine = self._board()
            if flight is not None and mine:
                # In a thread of its own: whoever starts it keeps to its own deadline, and the others get their token.
                threading.Thread(target=self._fly, args=(flight,), name="interactor-token", daemon=True).start()
            if token is None and flight is not None:
                try:
                    token = self._claim(flight.landing.result(_left(ends_at)))
                except TimeoutError:
                    raise _too_late() from None
            if token is not None:
                return token

    def _fly(self, flight: Flight) -> None:
        outcome: Outcome = None
        try:
            outcome = self._obtain()
        except Exception as error:
            outcome = error
        finally:
            self._land(flight, outcome)

    def _obtain(self) -> Token:
        store = self._store
        if store is None:
            return self._fetch()
        token = self._adopt(store.load())
        if token is None:
            lock = store.lock()
            try:
                token = self._adopt(store.load())  # another may have been quicker
                if token is None:
                    token = self._fetch()
                    store.save(token)
            finally:
                store.unlock(lock)
        return token


class AsyncTokenSource(_Desk):
    """Tokens for tasks, of one event loop or of several.

    A request runs in a task of its own, so that no caller's cancellation ends it for the others.
    """

    def __init__(
        self,
        fetch: Callable[[], Awaitable[Token]],
        *,
        buffer: float,
        store: GuardedStore | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(buffer=buffer, store=store, clock=clock)
        self._fetch = fetch

    async def get(self, ends_at: float | None = None) -> Token:
        """A token to use now. `ends_at`: how long it may take, an instant of `time.monotonic()`."""
        import asyncio

        while True:
            token, flight, mine = self._board()
            if flight is not None and mine:
                flight.task = asyncio.get_running_loop().create_task(self._fly(flight))
                # A task that is cancelled before its first step runs no `finally` of its own.
                flight.task.add_done_callback(functools.partial(self._give_up, flight))
            if token is None and flight is not None:
                token = self._claim(await self._landing(flight, ends_at))
            if token is not None:
                return token

    async def aclose(self) -> None:
        """Give up the request that is under way, if there is one."""
        import asyncio

        flight = self._flight
        if flight is None or flight.task is None:
            return
        loop = flight.task.get_loop()
        if loop is asyncio.get_running_loop():
            flight.task.cancel()
            await asyncio.wait({flight.task})
        elif loop.is_running():
            loop.call_soon_threadsafe(flight.task.cancel)

    def _give_up(self, flight: Flight, _: object) -> None:
        self._land(flight, None)

    async def _landing(self, flight: Flight, ends_at: float | None) -> Outcome:
        import asyncio

        landing = asyncio.wrap_future(flight.landing)
        while not landing.done():
            # Unlike awaiting `landing`, this leaves it alone when the caller is cancelled.
            left = _left(ends_at)
            await asyncio.wait({landing}, timeout=_LOOK_AGAIN if left is None else min(left, _LOOK_AGAIN))
            task = flight.task
            if task is not None and (task.get_loop().is_closed() or not task.get_loop().is_running()):
                self._land(flight, None)
            if left is not None and left <= _LOOK_AGAIN and not landing.done():
                raise _too_late()
        return landing.result()

    async def _fly(self, flight: Flight) -> None:
        outcome: Outcome = None
        try:
            outcome = await self._obtain()
        except Exception as error:
            outcome = error
        finally:
            self._land(flight, outcome)

    async def _obtain(self) -> Token:
        from asyncio import to_thread

        store = self._store
        if store is None:
            return await self._fetch()
        token = self._adopt(await to_thread(store.load))
        if token is None:
            lock = await _hold(store)
            try:
                token = self._adopt(await to_thread(store.load))
                if token is None:
                    token = await self._fetch()
                    await to_thread(store.save, token)
            finally:
                await to_thread(store.unlock, lock)
        return token


def _left(ends_at: float | None) -> float | None:
    return None if ends_at is None else max(0.0, ends_at - time.monotonic())


def _too_late() -> APITimeoutError:
    return APITimeoutError("The deadline of the call has come before there was an access token. The call was not sent.")


async def _hold(store: GuardedStore) -> ExitStack:
    import asyncio

    holding = asyncio.get_running_loop().run_in_executor(None, store.lock)
    try:
        return await asyncio.shield(holding)
    except asyncio.CancelledError:
        # The thread will have the lock in a moment, and nobody to tell.
        holding.add_done_callback(lambda held: store.unlock(held.result()))
        raise
