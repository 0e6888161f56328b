"""How a client uses its token store: a store that fails or stalls costs a warning and a token request, but no call."""

from __future__ import annotations

import atexit
import hashlib
import json
import math
import os
import time
from collections.abc import Callable

from interactor_ext._engine.arguments import require_methods
from interactor_ext._engine.effects import Effects, Invoke, seconds_until
from interactor_ext._engine.errors import InteractorError
from interactor_ext._engine.logs import logger
from interactor_ext._engine.redaction import clean_text
from interactor_ext._engine.waiting import Latch
from interactor_ext._engine.waiting.threads import DaemonThreads
from interactor_ext._interactor.config import InteractorConfig
from interactor_ext._interactor.tokens import Token, TokenStore, load_token

Adopt = Callable[[Token | None], Token | None]
"""Its argument is the token found in a store. Returns the token that makes a new one unnecessary, if there is one."""

# How many seconds a token request waits for the store before it is made without it.
_PATIENCE = 2.0
# Shorter, because waiting for another process's lock must end before the store counts as stalled.
_SHARE_OF_LOCK = 0.75
# Seconds without the store after it failed or stalled.
_REST = 10.0
# After this, the lock is released even if the token request hasn't ended.
_MAX_REQUEST_SECONDS = 120.0
# A thread that hangs can't be ended. Once there are this many, the store is waited for and skipped each time.
_MAX_THREADS = 4
_EXIT_SECONDS = 1.0
# Replaces a revoked token, because stores can't delete; an expired token counts as none.
_NO_TOKEN = Token("revoked", 0.0, 0.0)


class Search(Latch):
    """A search for a token in the store. Set when it is over; `token` is then the one found."""

    token: Token | None = None


_in_use: set[Search] = set()
"""The searches whose threads are using a store."""
if hasattr(os, "register_at_fork"):  # Windows doesn't fork
    os.register_at_fork(after_in_child=_in_use.clear)


class StoreAccess:
    """A client's access to its store, limited to one of its tokens. Failures of the store are warnings.

    Raises:
        ConfigurationError: the object isn't a store.
    """

    def __init__(self, store: TokenStore, config: InteractorConfig, resource: str | None = None) -> None:
        require_methods("token_store", store, "load", "save", "lock")
        self._store = store
        self._name = type(store).__name__
        self._key = _key(config, resource)
        self._threads = DaemonThreads("interactor-token-store", max_threads=_MAX_THREADS, idle=0.0)
        self._rests_until = -math.inf

    def of(self, config: InteractorConfig, resource: str) -> StoreAccess:
        """The same store, limited to the token of stream URLs."""
        return StoreAccess(self._store, config, resource)

    def search(self, adopt: Adopt, issued: Callable[[float], Token | None]) -> Token | None:
        """Return the store's token, if `adopt` accepts it and it is found in time.

        Otherwise the store is locked until `issued`, called in the store's thread with a number of seconds to wait,
        returns the token that was requested. That token is saved.
        """
        if (search := self._begin(adopt, issued)) is None:
            return None
        search.wait(_PATIENCE)
        return self._result(search)

    async def search_async(self, adopt: Adopt, issued: Callable[[float], Token | None]) -> Token | None:
        """Like `search`, for asyncio."""
        if (search := self._begin(adopt, issued)) is None:
            return None
        await search.wait_async(_PATIENCE)
        return self._result(search)

    def stored(self, ends_at: float | None, *, without: Token | None) -> Effects[Token | None]:
        """Return the stored token if it hasn't expired. Drops it if it is `without`, a revoked one.

        Raises InteractorError if the store fails.
        """
        left = seconds_until(ends_at)
        timeout = _PATIENCE if left is None else min(_PATIENCE, left)
        try:
            stored: Token | None = yield Invoke(self._load_locked, (without,), threads=self._threads, timeout=timeout)
            return stored
        except Exception as error:
            self._failed(error)
            if isinstance(error, ValueError):
                return None
            raise InteractorError(
                f"The token store {self._name} failed, so a token in it may still be valid. Call revoke_token() again."
            ) from error

    def _load_locked(self, revoked: Token | None) -> Token | None:
        # Locked, because a client that has just received a token holds the lock until it is saved.
        with self._store.lock(self._key, _PATIENCE * _SHARE_OF_LOCK):
            stored = self._load()
            if stored is not None and revoked is not None and stored.access_token == revoked.access_token:
                self._store.save(self._key, stored := _NO_TOKEN)
            return stored if stored is not None and time.time() < stored.expires_at else None

    def _begin(self, adopt: Adopt, issued: Callable[[float], Token | None]) -> Search | None:
        if time.monotonic() < self._rests_until:
            return None
        search = Search()
        self._threads.submit(self._use, search, adopt, issued)
        return search

    def _use(self, search: Search, adopt: Adopt, issued: Callable[[float], Token | None]) -> None:
        """Do everything that a token request needs from the store. A store that responds late is still used to the
        end."""
        _in_use.add(search)
        try:
            if self._finds(search, adopt):
                return
            timeout = _PATIENCE * _SHARE_OF_LOCK
            with self._store.lock(self._key, timeout) as held:
                if not held:
                    logger.warning("couldn't get the token store's lock within %.3g s: going on without it", timeout)
                if self._finds(search, adopt):  # another process was quicker
                    return
                search.set()
                token = issued(_MAX_REQUEST_SECONDS)
                if token is not None:
                    self._store.save(self._key, token)
        except BaseException as error:  # `sys.exit()` in this thread would end nothing else
            self._failed(error)
        finally:
            search.set()
            _in_use.discard(search)

    def _finds(self, search: Search, adopt: Adopt) -> bool:
        try:
            search.token = adopt(self._load())
        except ValueError as error:  # its content isn't a token
            self._failed(error)
        return search.token is not None

    def _load(self) -> Token | None:
        stored = self._store.load(self._key)
        return None if stored is None else load_token(stored._asdict() if isinstance(stored, Token) else {})

    def _result(self, search: Search) -> Token | None:
        if not search.is_set:
            self._rests_until = time.monotonic() + _REST
            logger.warning(
                "the token store %s didn't respond within %g s: going on without it for now", self._name, _PATIENCE
            )
        return search.token

    def _failed(self, error: BaseException) -> None:
        # An unreachable Redis may take seconds to fail, each time. Unreadable content is replaced by the next token.
        if not isinstance(error, ValueError):
            self._rests_until = time.monotonic() + _REST
        reason = f"{type(error).__name__}: {clean_text(str(error))}"
        logger.warning("the token store %s failed: %s", self._name, reason)


@atexit.register
def _finish() -> None:
    # Callers get their token before it is saved, and a short program may be finished by then.
    ends_at = time.monotonic() + _EXIT_SECONDS
    while _in_use and time.monotonic() < ends_at:
        time.sleep(0.01)


def _key(config: InteractorConfig, resource: str | None) -> str:
    identity = [config.account_server_url, config.client_id, sorted(config.scopes)]
    if resource is not None:  # a client may have the scope of a stream URL and no other
        identity.append(resource)
    return hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:32]
