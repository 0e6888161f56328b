"""Guards a token store that may fail or stall: that costs a warning and a token request, but no call."""

from __future__ import annotations

import atexit
import hashlib
import json
import math
import time
from collections.abc import Callable

from interactor_ext._config import InteractorConfig
from interactor_ext._errors import ConfigurationError
from interactor_ext._fork import after_fork_in_child
from interactor_ext._redaction import clean_text
from interactor_ext._waiting import Latch, start_thread
from interactor_ext.logs import logger
from interactor_ext.tokens._serialization import load_token
from interactor_ext.tokens._store import Token, TokenStore

# Seconds without the store after it failed or stalled.
_REST = 10.0
# For the search of a token, and for saving it. A caller with a deadline waits for half of what it has left, if less.
_PATIENCE = 3.0
# So that a lock which another process holds is given up before the store is taken to stall.
_SHARE_OF_LOCK = 0.8
# After it the lock is released, even if the token request has not ended.
_LONGEST_REQUEST = 120.0
# A thread that hangs cannot be ended, so the number of attempts is limited.
_MOST_SESSIONS = 4
_MOST_AT_EXIT = 1.0


class GuardedStore:
    """The store of one client, for one of that client's tokens. Its methods never raise.

    Raises:
        ConfigurationError: the store is none.
    """

    def __init__(self, store: TokenStore, config: InteractorConfig, resource: str | None = None) -> None:
        if not all(callable(getattr(store, method, None)) for method in ("load", "save", "lock")):
            kind = type(store).__name__
            raise ConfigurationError(f"token_store must have the methods `load`, `save` and `lock`, which {kind} lacks")
        self.store = store
        self.key = _key(config, resource)
        self._rests_until = -math.inf
        self._sessions: list[StoreSession] = []
        # The threads of a parent do not live on in a forked child.
        after_fork_in_child(self._forget_sessions)

    def begin(self, adopt: Callable[[Token | None], Token | None]) -> StoreSession | None:
        """Look for a token in the store that `adopt` accepts. None where the store cannot be asked now."""
        self._sessions = [session for session in self._sessions if not session.ended.is_set]
        if time.monotonic() < self._rests_until or len(self._sessions) >= _MOST_SESSIONS:
            return None
        session = StoreSession(self, adopt)
        try:
            start_thread(session.run, "interactor-token-store")
        except RuntimeError as error:
            self.failed(error)
            return None
        self._sessions.append(session)
        return session

    def failed(self, error: BaseException) -> None:
        # An unreachable Redis may take seconds to fail, each time. Unreadable content is replaced by the next token.
        if not isinstance(error, ValueError):
            self._rests_until = time.monotonic() + _REST
        reason = f"{type(error).__name__}: {clean_text(str(error))}"
        logger.warning("the token store %s failed: %s", type(self.store).__name__, reason)

    def stalled(self, seconds: float) -> None:
        self._rests_until = time.monotonic() + _REST
        name = type(self.store).__name__
        logger.warning("the token store %s did not answer within %.3g s: going on without it for now", name, seconds)

    def _forget_sessions(self) -> None:
        self._sessions.clear()


class StoreSession:
    """The use of the store by one token request, in a thread of its own.

    The thread looks for a token, under the store's lock the second time; waits for the one that was requested; saves
    it, and releases the lock. The token request waits for the search alone, no longer than `patience`. If the store
    answers later than that, a lock that was taken is released, and nothing else is done.
    """

    def __init__(self, guard: GuardedStore, adopt: Callable[[Token | None], Token | None]) -> None:
        self.found = Latch()
        """The search is over, with or without a token."""
        self.ended = Latch()
        self.patience = _PATIENCE
        self._guard = guard
        self._adopt = adopt
        self._began = time.monotonic()
        self._token: Token | None = None
        self._is_given_up = False
        self._finished = Latch()
        self._issued: Token | None = None

    def run(self) -> None:
        try:
            self._search()
            if self._token is None and not self._is_given_up:
                self._continue_under_lock()
        except (Exception, SystemExit) as error:  # `sys.exit()` in this thread would end nothing else
            self._guard.failed(error)
        finally:
            self.found.set()
            self.ended.set()
            atexit.unregister(self._wait_at_exit)

    def _continue_under_lock(self) -> None:
        timeout = max(0.0, self._began + self.patience * _SHARE_OF_LOCK - time.monotonic())
        with self._guard.store.lock(self._guard.key, timeout) as held:
            if not held:
                logger.warning("no lock of the token store within %.3g s: going on without it", timeout)
            if not self._is_given_up:
                self._search()  # another process may have been quicker
            if self._is_given_up or self._token is not None:
                return
            self.found.set()
            self._finished.wait(_LONGEST_REQUEST)
            if self._issued is not None and not self._is_given_up:
                self._guard.store.save(self._guard.key, self._issued)

    def _search(self) -> None:
        try:
            stored = self._guard.store.load(self._guard.key)
            fields = stored._asdict() if isinstance(stored, Token) else {}
            self._token = self._adopt(None if stored is None else load_token(fields))
        except ValueError as error:  # its content is no token
            self._guard.failed(error)

    def conclude(self) -> Token | None:
        """The token of the store, if it has been found by now."""
        self.give_up()
        return self._token

    def give_up(self) -> None:
        """End the search."""
        if not self.found.is_set:
            self._is_given_up = True
            self.found.set()
            self._guard.stalled(time.monotonic() - self._began)

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
        if not self.ended.wait(self.patience if seconds is None else seconds) and not self._is_given_up:
            self._is_given_up = True
            self._guard.stalled(self.patience)

    def _wait_at_exit(self) -> None:
        self.ended.wait(_MOST_AT_EXIT)


def _key(config: InteractorConfig, resource: str | None) -> str:
    identity = [config.account_server_url, config.client_id, sorted(config.scopes)]
    if resource is not None:  # a client may have the scope of a stream URL, and no other
        identity.append(resource)
    return hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:32]
