"""A token store that may fail or stall: the worst that comes of it is a warning and a token request."""

from __future__ import annotations

import atexit
import hashlib
import json
import math
import time
from collections.abc import Callable
from contextlib import ExitStack

from interactor_ext._config import InteractorConfig
from interactor_ext._fork import after_fork_in_child
from interactor_ext.logs._logger import logger
from interactor_ext.tokens._latch import Latch, start_thread
from interactor_ext.tokens._policy import is_sendable
from interactor_ext.tokens._serialization import FAR_FUTURE
from interactor_ext.tokens._store import Token, TokenStore

_REST = 10.0
# For the search of a token, and for saving it. A caller with a deadline waits for half of what it has left, if less.
_PATIENCE = 3.0
_SHARE_OF_LOCK = 0.8
# Beyond it the lock is given back, whatever became of the token request.
_LONGEST_REQUEST = 120.0
_MOST_SESSIONS = 4
_MOST_AT_EXIT = 1.0
# In the thread of a token request, `sys.exit()` ends nothing but the request.
_WHATEVER = (Exception, SystemExit)


class GuardedStore:
    """The store of one client, for that client's token. Its methods never raise."""

    def __init__(self, store: TokenStore, config: InteractorConfig) -> None:
        self._store = store
        self._key = _key(config)
        self._rests_until = -math.inf
        self._sessions: list[StoreSession] = []
        after_fork_in_child(self._forget_sessions)

    def begin(self, adopt: Callable[[Token | None], Token | None]) -> StoreSession | None:
        """Look for a token in the store that `adopt` accepts. None where the store cannot be asked now."""
        self._sessions = [session for session in self._sessions if not session.ended.is_set]
        # A thread that never comes back cannot be ended, so there is a limit to the attempts.
        if self._rests or len(self._sessions) >= _MOST_SESSIONS:
            return None
        session = StoreSession(self, adopt)
        try:
            start_thread(session.run, "interactor-token-store")
        except RuntimeError as error:
            self._warn("ask", error)
            return None
        self._sessions.append(session)
        return session

    def load(self) -> Token | None:
        if self._rests:
            return None
        try:
            token = self._store.load(self._key)
        except _WHATEVER as error:
            self._warn("load from", error)
            return None
        if token is not None and not _is_sound(token):
            logger.warning("the token store %s holds something that is no token", type(self._store).__name__)
            return None
        return token

    def save(self, token: Token) -> None:
        if self._rests:
            return
        try:
            self._store.save(self._key, token)
        except _WHATEVER as error:
            self._warn("save to", error)

    def lock(self, timeout: float) -> ExitStack:
        """What must be given to `unlock`."""
        stack = ExitStack()
        if self._rests:
            return stack
        try:
            if not stack.enter_context(self._store.lock(self._key, timeout)):
                logger.warning("no lock of the token store within %.3g s: going on without it", timeout)
        except _WHATEVER as error:
            self._warn("lock", error)
        return stack

    def unlock(self, stack: ExitStack) -> None:
        try:
            stack.close()
        except _WHATEVER as error:
            self._warn("unlock", error)

    def stalled(self, seconds: float) -> None:
        self._rests_until = time.monotonic() + _REST
        name = type(self._store).__name__
        logger.warning("the token store %s did not answer within %.3g s: going on without it for now", name, seconds)

    @property
    def _rests(self) -> bool:
        return time.monotonic() < self._rests_until

    def _forget_sessions(self) -> None:
        # The threads of a parent do not live on in a forked child.
        self._sessions.clear()

    def _warn(self, attempt: str, error: BaseException) -> None:
        # Rubbish is replaced by what is saved next. But a Redis that is gone may take seconds to say so, each time.
        if not isinstance(error, ValueError):
            self._rests_until = time.monotonic() + _REST
        from interactor_ext._redaction import clean_text

        what = f"{type(error).__name__}: {clean_text(str(error))}"
        logger.warning("could not %s the token store %s: %s", attempt, type(self._store).__name__, what)


class StoreSession:
    """What one token request has to do with the store, in a thread of its own.

    The thread looks for a token, under the store's lock the second time; waits for the one that was requested; saves
    it, and gives the lock back. Whoever requests the token waits for the search alone, no longer than `patience`. What
    the store does later than that is of no consequence, but that a lock which is taken late is given back.
    """

    def __init__(self, store: GuardedStore, adopt: Callable[[Token | None], Token | None]) -> None:
        self.found = Latch()
        """The search is over, with or without a token."""
        self.ended = Latch()
        self.patience = _PATIENCE
        self._store = store
        self._adopt = adopt
        self._began = time.monotonic()
        self._token: Token | None = None
        self._is_given_up = False
        self._finished = Latch()
        self._issued: Token | None = None

    def run(self) -> None:
        try:
            self._token = self._adopt(self._store.load())
            if self._token is None and not self._is_given_up:
                self._go_on_with_lock()
        finally:
            self.found.set()
            self.ended.set()
            atexit.unregister(self._wait_at_exit)

    def _go_on_with_lock(self) -> None:
        # So that a lock which another holds is given up before the store is taken to stall.
        lock = self._store.lock(max(0.0, self._began + self.patience * _SHARE_OF_LOCK - time.monotonic()))
        try:
            if self._is_given_up:
                return
            self._token = self._adopt(self._store.load())  # another may have been quicker
            if self._token is not None:
                return
            self.found.set()
            self._finished.wait(_LONGEST_REQUEST)
            if self._issued is not None and not self._is_given_up:
                self._store.save(self._issued)
        finally:
            self.found.set()
            self._store.unlock(lock)

    def conclude(self) -> Token | None:
        """The token of the store, if it has been found by now."""
        self.give_up()
        return self._token

    def give_up(self) -> None:
        """End the search."""
        if not self.found.is_set:
            self._is_given_up = True
            self.found.set()
            self._store.stalled(time.monotonic() - self._began)

    def finish(self, token: Token | None) -> None:
        """The token request has ended. Called again, it has no effect."""
        if not self._finished.is_set:
            if token is not None and not self._is_given_up and not self.ended.is_set:
                # The callers have their token already, and a short program may be done before it is saved.
                atexit.register(self._wait_at_exit)
            self._issued = token
            self._finished.set()

    def check_end(self, seconds: float | None = None) -> None:
        """Warn if the store has not ended its work in time."""
        seconds = self.patience if seconds is None else seconds
        if not self.ended.wait(seconds) and not self._is_given_up:
            self._is_given_up = True
            self._store.stalled(self.patience)

    def _wait_at_exit(self) -> None:
        self.ended.wait(_MOST_AT_EXIT)


def _key(config: InteractorConfig) -> str:
    identity = json.dumps([config.account_server_url, config.client_id, sorted(config.scopes)])
    return hashlib.sha256(identity.encode()).hexdigest()[:32]


def _is_sound(token: object) -> bool:
    return (
        isinstance(token, Token)
        and isinstance(token.access_token, str)
        and is_sendable(token.access_token)
        and all(isinstance(number, int | float) and abs(number) < FAR_FUTURE for number in token[1:])
    )
