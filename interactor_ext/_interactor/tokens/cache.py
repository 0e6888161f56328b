"""The cached access token and its replacement: one token request, however many threads or tasks wait for it.

A caller can be interrupted in any line, by Ctrl-C or by a signal handler that raises. So nothing here relies on a
caller reaching its next line: locks are C's, taken with `with`, and waiters check every second that the request is
still being made.
"""

from __future__ import annotations

import contextvars
import copy
import functools
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from interactor_ext._engine.errors import APIConnectionError, APITimeoutError, InteractorError
from interactor_ext._engine.fork import after_fork_in_child, fork_safe_lock
from interactor_ext._engine.lazy import asyncio
from interactor_ext._engine.logs import logger
from interactor_ext._engine.waiting import Latch, closed, no_thread, start_thread
from interactor_ext._interactor.tokens import Token
from interactor_ext._interactor.tokens.state import TokenState

if TYPE_CHECKING:
    from interactor_ext._interactor.tokens.store_access import StoreAccess

F = TypeVar("F")

_CHECK_SECONDS = 1.0


class PendingFetch:
    """A token request in progress, which any number of callers wait for. `fetch` makes it."""

    def __init__(self, fetch: Any) -> None:
        self.fetch = fetch
        self.done: Latch = Latch()
        self.outcome: Token | Exception | None = None
        """None if the request was abandoned: then a waiter starts another."""
        self.started_at: float = time.monotonic()
        self.is_running: bool = False
        """Whether a thread is making the request. An asynchronous request has a `task` instead."""
        self.task: asyncio.Task[Token] | None = None

    def issued(self, seconds: float) -> Token | None:
        """Return the token that the request brings within this many seconds."""
        self.done.wait(seconds)
        return self.outcome if isinstance(self.outcome, Token) else None


class _Cache(Generic[F]):
    """The decisions of `TokenCache` and `AsyncTokenCache`. The lock is only held for moments."""

    def __init__(
        self,
        fetch: F | None,
        *,
        buffer: float,
        store: StoreAccess | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._fetch = fetch
        self._store = store
        self._clock = clock
        self._closed_by = ""
        self._state = TokenState(buffer)
        self.on_token: Callable[[float], object] | None = None
        """Called with each new token."""
        self.narrower: dict[str, Self] = {}
        """The caches of stream URLs' tokens, by resource. Dropped together with this cache's token."""
        self._lock = fork_safe_lock()
        self._reset()
        after_fork_in_child(self._reset)

    def _reset(self) -> None:
        # The thread that fetched a token doesn't exist in a forked child.
        self._pending: PendingFetch | None = None

    def fresh(self) -> Token | None:
        """Return the token unless it is due to be replaced. Takes no lock, because every call passes here."""
        due_at, token = self._state.due_at, self._state.token  # in this order: the token may be newer, never older
        return token if token is not None and self._clock() < due_at else None

    def valid(self) -> Token | None:
        """Return the token unless it has expired."""
        return self._state.valid(self._clock())

    def reject(self, token: Token) -> None:
        """Forget a token that got a 401."""
        with self._lock:
            self._state.reject(token.access_token, self._clock())
        self._reject_narrower()

    def forget(self, token: Token) -> None:
        """Drop a revoked token."""
        with self._lock:
            self._state.forget(token.access_token)
        self._reject_narrower()

    def _reject_narrower(self) -> None:
        is_dropped = self._state.token is None
        # Browsers send these, so few calls show whether they are refused.
        for other in list(self.narrower.values()) if is_dropped else ():
            if (narrow := other.valid()) is not None:
                other.reject(narrow)

    def replayed(self, *, refused: bool) -> None:
        """Record whether a call that was repeated with a new token got a 401 again."""
        with self._lock:
            self._state.replayed(refused=refused, now=self._clock())

    def close(self, by: str) -> None:
        """Drop the token. Later callers are told that the client is closed."""
        self._closed_by = by
        with self._lock:
            self._state.close()
        for narrow in list(self.narrower.values()):
            narrow.close(by)

    def check_refusal(self) -> None:
        """Raise the error of the last refused token request, while it is remembered."""
        self._state.check_refusal(self._clock())

    def check_open(self) -> None:
        if self._state.closed:
            raise closed(self._closed_by)

    def acquire(self, fetch: F | None = None) -> Token | PendingFetch:
        """Return a token to use at once, or the request to wait for, started with `fetch` (if given) if necessary.

        No call waits for a new token while the old one is valid: it starts the request and continues.
        """
        if (pending := self._pending) is not None:
            self._settle(pending)
        with self._lock:
            self.check_open()
            now = self._clock()
            token = self._state.valid(now)
            if token is not None and not self._state.due(now):
                return token
            pending, starts = self._pending, False
            if pending is None:
                pending, starts = PendingFetch(fetch or self._fetch), True
                self._pending = pending
        if starts:
            self._start(pending)
        return token or pending

    def complete(self, pending: PendingFetch, outcome: Token | Exception | None) -> None:
        """Record the outcome of a request, and wake its waiters. None means abandoned, unless it has started since."""
        token = outcome if isinstance(outcome, Token) else None
        with self._lock:
            is_recorded = pending.done.is_set and outcome is pending.outcome
            if is_recorded or (outcome is None and self._is_running(pending)):
                return
            now = self._clock()
            if token is not None:
                self._state.accept(token)
            elif isinstance(outcome, Exception):
                self._state.failed(outcome, now)
            valid = self._state.valid(now)
            if self._pending is pending:
                self._pending = None
            if not pending.done.is_set:
                pending.outcome = outcome
            pending.done.set()
        if token is not None:
            if self.on_token is not None:
                self.on_token(token.expires_at)
        elif outcome is not None and valid is not None:
            left = valid.expires_at - now
            logger.warning("couldn't renew the access token (valid for another %.0f s): %s", left, outcome)

    def _start(self, pending: PendingFetch) -> None:
        raise NotImplementedError

    def _is_running(self, pending: PendingFetch) -> bool:
        raise NotImplementedError

    def _outcome_of(self, pending: PendingFetch) -> Token | Exception | None:
        """Return the outcome of a request that isn't running, or None without one."""
        return None

    def _settle(self, pending: PendingFetch) -> None:
        """Record a request that isn't running: it has ended, its starter was interrupted, or its event loop is gone."""
        is_young = time.monotonic() - pending.started_at < _CHECK_SECONDS
        if not (pending.done.is_set or is_young or self._is_running(pending)):
            self.complete(pending, self._outcome_of(pending))

    def _waits(self, pending: PendingFetch, ends_at: float | None) -> Iterator[float]:
        """Yield the seconds of each wait for a request, until it is done.

        Raises:
            APITimeoutError: the caller's deadline has passed.
        """
        while True:
            seconds = _CHECK_SECONDS if ends_at is None else min(_CHECK_SECONDS, ends_at - time.monotonic())
            if seconds <= 0:
                raise APITimeoutError(
                    "The deadline came before an access token was available. The call was not sent.", sent=False
                )
            self._settle(pending)
            if pending.done.is_set:
                return
            yield seconds

    def _result(self, pending: PendingFetch) -> Token | None:
        """Return the token that a request brought, or the old one if it failed; None if it was abandoned. Raises its
        error."""
        outcome = pending.outcome
        if not isinstance(outcome, Exception):
            return outcome
        valid = self.valid()
        if valid is not None:
            return valid
        # Each caller raises a copy, because a traceback grows with every raise.
        raise (copy.copy(outcome) if isinstance(outcome, InteractorError) else outcome) from outcome.__cause__

    def _adopt(self, stored: Token | None) -> Token | None:
        with self._lock:
            return self._state.adopt(stored, self._clock())


class TokenCache(_Cache[Callable[[], Token]]):
    """The token of an `InteractorClient`, for its threads. `fetch` makes a token request."""

    def get(self, ends_at: float | None = None, fetch: Callable[[], Token] | None = None) -> Token:
        """Return a token to use now. `ends_at` is the deadline, an instant of `time.monotonic()`. `fetch` makes the
        request if this call starts it.
        """
        found = self.fresh() or self.acquire(fetch)
        while isinstance(found, PendingFetch):
            for seconds in self._waits(found, ends_at):
                found.done.wait(seconds)
            found = self._result(found) or self.acquire(fetch)
        return found

    def _start(self, pending: PendingFetch) -> None:
        # In its own thread, because the caller that starts it has its own deadline and may be interrupted. The request
        # belongs to the caller's trace.
        run = functools.partial(self._run, pending)
        try:
            start_thread(functools.partial(contextvars.copy_context().run, run), "interactor-token")
        except RuntimeError:
            self.complete(pending, no_thread())

    def _run(self, pending: PendingFetch) -> None:
        with self._lock:
            if pending.done.is_set:  # it took so long to start that it was considered abandoned
                return
            pending.is_running = True
        try:
            self.complete(pending, self._outcome(pending))
        finally:
            pending.is_running = False

    def _outcome(self, pending: PendingFetch) -> Token | Exception:
        try:
            return self._obtain(pending)
        except Exception as error:
            return error
        except BaseException as error:  # such as `pytest.fail`'s in a transport, which each retry would raise again
            return APIConnectionError(f"The token request was abandoned: {type(error).__name__}", sent=False)

    def _is_running(self, pending: PendingFetch) -> bool:
        return pending.is_running

    def _obtain(self, pending: PendingFetch) -> Token:
        found = None if self._store is None else self._store.search(self._adopt, pending.issued)
        if found is None:
            self.check_refusal()
        return found or pending.fetch()


class AsyncTokenCache(_Cache[Callable[[], Awaitable[Token]]]):
    """The token of an `AsyncInteractorClient`, for tasks of any number of event loops.

    A request runs in its own task, so no caller's cancellation ends it for the others.
    """

    async def get(self, ends_at: float | None = None, fetch: Callable[[], Awaitable[Token]] | None = None) -> Token:
        """Return a token to use now. `ends_at` is the deadline, an instant of `time.monotonic()`. `fetch` makes the
        request if this call starts it.
        """
        found = self.fresh() or self.acquire(fetch)
        while isinstance(found, PendingFetch):
            for seconds in self._waits(found, ends_at):
                await found.done.wait_async(seconds)
            found = self._result(found) or self.acquire(fetch)
        return found

    async def aclose(self, by: str) -> None:
        """Like `close`. Also cancels the request in progress, if there is one."""
        self.close(by)
        for narrow in list(self.narrower.values()):
            await narrow.aclose(by)
        task = None if self._pending is None else self._pending.task
        if task is not None and task.get_loop() is asyncio.get_running_loop():
            task.cancel()
            await asyncio.wait({task})

    def _start(self, pending: PendingFetch) -> None:
        pending.task = asyncio.get_running_loop().create_task(self._obtain(pending))
        # Also if the task is cancelled before its first step.
        pending.task.add_done_callback(functools.partial(self._ended, pending))

    def _ended(self, pending: PendingFetch, _: asyncio.Task[Token]) -> None:
        self.complete(pending, self._outcome_of(pending))

    def _outcome_of(self, pending: PendingFetch) -> Token | Exception | None:
        # Check the task itself: its callback may not have run yet.
        task = pending.task
        if task is None or not task.done() or task.cancelled():
            return None
        error = task.exception()
        if error is None:
            return task.result()
        return error if isinstance(error, Exception) else None  # an interrupt only concerns this event loop

    def _is_running(self, pending: PendingFetch) -> bool:
        task = pending.task
        return task is not None and not task.done() and task.get_loop().is_running()

    async def _obtain(self, pending: PendingFetch) -> Token:
        found = None if self._store is None else await self._store.search_async(self._adopt, pending.issued)
        if found is None:
            self.check_refusal()
        return found or await pending.fetch()
