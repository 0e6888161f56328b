"""One token request, however many threads or tasks need its token: a loop for each colour."""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING

from interactor_ext._errors import APIConnectionError, APITimeoutError
from interactor_ext._tokens.desk import Desk, Flight, Outcome
from interactor_ext.tokens import Token

if TYPE_CHECKING:
    from interactor_ext._tokens.guarded import GuardedStore

# How often a task looks whether the event loop that requests its token, another than its own, is still running.
_LOOK_AGAIN = 1.0


class TokenSource(Desk):
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
            token, flight, mine = self.board()
            if flight is not None and mine:
                self._take_off(flight)
            if token is None and flight is not None:
                _check(ends_at)
                try:
                    token = self.claim(flight.landing.result(_left(ends_at)))
                except TimeoutError:
                    raise _too_late() from None
            if token is not None:
                return token

    def _take_off(self, flight: Flight) -> None:
        # In a thread of its own: whoever starts it keeps to its own deadline, and the others get their token.
        thread = threading.Thread(target=self._fly, args=(flight,), name="interactor-token", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # there are too many threads, or the interpreter is about to end
            self._fly(flight)

    def _fly(self, flight: Flight) -> None:
        outcome: Outcome = None
        try:
            outcome = self._obtain()
        except Exception as error:
            outcome = error
        except BaseException as error:
            # Not for others to try again: whatever ends a thread would end theirs as well.
            outcome = APIConnectionError(f"The token request was given up: {type(error).__name__}", sent=False)
            raise
        finally:
            self.land(flight, outcome)

    def _obtain(self) -> Token:
        store = self._store
        if store is None:
            return self._fetch()
        token = self.adopt(store.load())
        if token is None:
            lock = store.lock()
            try:
                token = self.adopt(store.load())  # another may have been quicker
                if token is None:
                    token = self._fetch()
                    store.save(token)
            finally:
                store.unlock(lock)
        return token


class AsyncTokenSource(Desk):
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
            token, flight, mine = self.board()
            if flight is not None and mine:
                flight.task = asyncio.get_running_loop().create_task(self._fly(flight))
                # A task that is cancelled before its first step runs no `finally` of its own.
                flight.task.add_done_callback(functools.partial(self._give_up, flight))
            if token is None and flight is not None:
                _check(ends_at)
                token = self.claim(await self._landing(flight, ends_at))
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
        self.land(flight, None)

    async def _landing(self, flight: Flight, ends_at: float | None) -> Outcome:
        import asyncio

        landing = asyncio.wrap_future(flight.landing)
        while not landing.done():
            # Unlike awaiting `landing`, this leaves it alone when the caller is cancelled.
            left = _left(ends_at)
            await asyncio.wait({landing}, timeout=_LOOK_AGAIN if left is None else min(left, _LOOK_AGAIN))
            task = flight.task
            if task is not None and (task.get_loop().is_closed() or not task.get_loop().is_running()):
                self.land(flight, None)
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
            self.land(flight, outcome)

    async def _obtain(self) -> Token:
        from asyncio import to_thread

        store = self._store
        if store is None:
            return await self._fetch()
        token = self.adopt(await to_thread(store.load))
        if token is None:
            lock = await _hold(store)
            try:
                token = self.adopt(await to_thread(store.load))
                if token is None:
                    token = await self._fetch()
                    await to_thread(store.save, token)
            finally:
                await to_thread(store.unlock, lock)
        return token


def _left(ends_at: float | None) -> float | None:
    return None if ends_at is None else max(0.0, ends_at - time.monotonic())


def _check(ends_at: float | None) -> None:
    """A request that lands without a token is followed by another, however often."""
    if ends_at is not None and time.monotonic() >= ends_at:
        raise _too_late()


def _too_late() -> APITimeoutError:
    return APITimeoutError("The deadline came before there was an access token. The call was not sent.", sent=False)


async def _hold(store: GuardedStore) -> ExitStack:
    import asyncio

    holding = asyncio.get_running_loop().run_in_executor(None, store.lock)
    try:
        return await asyncio.shield(holding)
    except asyncio.CancelledError:
        # The thread will have the lock in a moment, and nobody to tell.
        holding.add_done_callback(lambda held: store.unlock(held.result()))
        raise
