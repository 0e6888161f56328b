"""One token request, however many threads or tasks need its token: a loop for threads, and one for tasks."""

from __future__ import annotations

import functools
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from interactor_ext._errors import APIConnectionError, InteractorError
from interactor_ext.tokens._cache import Desk, Flight, Outcome, Wait, check_deadline
from interactor_ext.tokens._latch import start_thread
from interactor_ext.tokens._store import Token

if TYPE_CHECKING:
    from interactor_ext.tokens._guarded_store import GuardedStore


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
                # A request that lands without a token is followed by another, however often.
                check_deadline(ends_at)
                wait = Wait(self, flight, ends_at)
                while (seconds := wait.step()) is not None:
                    flight.landed.wait(seconds)
                token = self.claim(flight.outcome)
            if token is not None:
                return token

    def _take_off(self, flight: Flight) -> None:
        # In a thread of its own: whoever starts it keeps to its own deadline, and may be interrupted.
        try:
            start_thread(functools.partial(self._fly, flight), "interactor-token")
        except RuntimeError:  # there are too many threads, or the interpreter is about to end
            self._fly_here(flight)

    def _fly(self, flight: Flight) -> None:
        outcome: Outcome = None
        with flight.held:
            if flight.landed.is_set:
                return  # its start took so long that it was taken for lost
            try:
                outcome = self._obtain(flight)
            except Exception as error:
                outcome = error
            except BaseException as error:
                # Not for others to try again: whatever ends a thread would end theirs as well.
                outcome = APIConnectionError(f"The token request was given up: {type(error).__name__}", sent=False)
                raise
            finally:
                self.land(flight, outcome)
        if flight.session is not None:
            flight.session.check_end()

    def _fly_here(self, flight: Flight) -> None:
        """In the thread of a caller. Whatever interrupts that is the caller's: the others start over."""
        outcome: Outcome = None
        with flight.held:
            try:
                outcome = self._obtain(flight)
            except InteractorError as error:
                outcome = error
            finally:
                self.land(flight, outcome)

    def _is_under_way(self, flight: Flight) -> bool:
        return flight.held.locked()

    def _obtain(self, flight: Flight) -> Token:
        session = self.open_store(flight)
        if session is not None:
            session.found.wait(session.patience)
        return (None if session is None else session.conclude()) or self._fetch()


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
                check_deadline(ends_at)
                wait = Wait(self, flight, ends_at)
                while (seconds := wait.step()) is not None:
                    await flight.landed.wait_async(seconds)
                token = self.claim(flight.outcome)
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

    async def _fly(self, flight: Flight) -> None:
        import asyncio

        flight.task = asyncio.current_task()  # whoever created it may not have come to note it
        outcome: Outcome = None
        try:
            outcome = await self._obtain(flight)
        except Exception as error:
            outcome = error
        finally:
            self.land(flight, outcome)
        if flight.session is not None:
            asyncio.get_running_loop().call_later(flight.session.patience, flight.session.check_end, 0.0)

    def _is_under_way(self, flight: Flight) -> bool:
        task = flight.task
        return task is not None and not task.done() and task.get_loop().is_running()

    async def _obtain(self, flight: Flight) -> Token:
        session = self.open_store(flight)
        if session is not None:
            await session.found.wait_async(session.patience)
        return (None if session is None else session.conclude()) or await self._fetch()
