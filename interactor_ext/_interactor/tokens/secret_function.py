"""A client secret returned by a function in the settings. A rotated secret then reaches a client in use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from interactor_ext._engine.effects import Effects, Invoke
from interactor_ext._engine.errors import AuthenticationError, ConfigurationError
from interactor_ext._engine.waiting.threads import DaemonThreads
from interactor_ext._interactor.config import SecretFunction, unwrapped
from interactor_ext._interactor.config.checks import credential_problem, require

_threads = DaemonThreads("interactor-secret")


class CurrentSecret:
    """The secret that the function last returned, for all token requests of one client."""

    def __init__(self, function: SecretFunction) -> None:
        self._function = function
        self._secret: str | None = None

    def fetch(self, request: Callable[[str], Any]) -> Effects[Any]:
        """Return the result of `request` with the secret. If it is refused, retries once with a new one."""
        secret = self._secret or (yield from self._ask())
        try:
            return (yield Invoke(request, (secret,)))
        except AuthenticationError:
            if (newer := (yield from self._ask())) == secret:
                raise
        return (yield Invoke(request, (newer,)))

    def _ask(self) -> Effects[str]:
        try:
            secret: str = unwrapped((yield Invoke(self._function, threads=_threads)))
        except Exception as error:
            name = getattr(self._function, "__qualname__", type(self._function).__name__)
            raise ConfigurationError(
                f"The function {name!r}, passed as client_secret, failed with {type(error).__name__}."
            ) from error
        require(credential_problem("The client secret returned by a function", "client_secret", secret))
        self._secret = secret
        return secret
