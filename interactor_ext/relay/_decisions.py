"""The functions of the application that decide who may do what."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, NamedTuple

from interactor_ext._effects import Call
from interactor_ext._errors import ConfigurationError
from interactor_ext._waiting.threads import DaemonThreads

Authorize = Callable[[Any], "str | Awaitable[str | None] | None"]
MayEnter = Callable[[str, str], "bool | Awaitable[bool]"] | Callable[[str, str, Any], "bool | Awaitable[bool]"]
Text = str | Awaitable[str | None] | None
Approver = Callable[[str, str], Text] | Callable[[str, str, Any], Text]
OnMessage = Callable[[str, str, str], Text] | Callable[[str, str, str, Any], Text]

_THREADS = DaemonThreads("interactor-relay-authorize", most=32)


class Decision(NamedTuple):
    """A function of the application. One that is no coroutine function runs in a thread."""

    function: Callable[..., Any]
    takes_scope: bool = False
    """Whether the scope of the request is its last argument."""

    @classmethod
    def of(cls, name: str, function: Callable[..., Any], arguments: int) -> Decision:
        """Of a function with so many parameters, or with one more, which is given the scope.

        Raises:
            ConfigurationError: it is neither.
        """
        for more in (0, 1):
            with suppress(TypeError, ValueError):
                inspect.signature(function).bind(*range(arguments + more))
                return cls(function, bool(more))
        raise ConfigurationError(
            f"{name}= must be a function of {arguments} parameters, or one more for the request's scope, "
            f"not {function!r}."
        )

    def call(self, scope: Any, *arguments: Any) -> Call:
        given = (*arguments, scope) if self.takes_scope else arguments
        return Call(self.function, given, threads=_THREADS, of_user=True)
