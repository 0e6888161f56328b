"""A token store that may fail: whatever it does, the worst that comes of it is a warning and a token request."""

from __future__ import annotations

import hashlib
import json
import logging
import math
import time
from contextlib import ExitStack

from interactor_ext._config import InteractorConfig
from interactor_ext._tokens.as_text import FAR_FUTURE
from interactor_ext._tokens.state import is_sendable
from interactor_ext.tokens import Token, TokenStore

logger = logging.getLogger("interactor")

_REST = 10.0
# In the thread of a token request, `sys.exit()` ends nothing but the request.
_WHATEVER = (Exception, SystemExit)


class GuardedStore:
    """The store of one client, for that client's token. Its methods never raise."""

    def __init__(self, store: TokenStore, config: InteractorConfig) -> None:
        self._store = store
        self._key = _key(config)
        self._patience = config.timeout
        self._rests_until = -math.inf

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

    def lock(self) -> ExitStack:
        """What must be given to `unlock`, be it from another thread."""
        stack = ExitStack()
        if self._rests:
            return stack
        try:
            if not stack.enter_context(self._store.lock(self._key, self._patience)):
                logger.warning("no lock of the token store within %g s: going on without it", self._patience)
        except _WHATEVER as error:
            self._warn("lock", error)
        return stack

    def unlock(self, stack: ExitStack) -> None:
        try:
            stack.close()
        except _WHATEVER as error:
            self._warn("unlock", error)

    @property
    def _rests(self) -> bool:
        return time.monotonic() < self._rests_until

    def _warn(self, attempt: str, error: BaseException) -> None:
        # Rubbish is replaced by what is saved next. But a Redis that is gone may take seconds to say so, each time.
        if not isinstance(error, ValueError):
            self._rests_until = time.monotonic() + _REST
        from interactor_ext._redact import clean_text

        what = f"{type(error).__name__}: {clean_text(str(error))}"
        logger.warning("could not %s the token store %s: %s", attempt, type(self._store).__name__, what)


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
