"""The application's functions that decide who may do what."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, NamedTuple

from interactor_ext._engine.arguments import signature_of
from interactor_ext._engine.effects import Invoke
from interactor_ext._engine.errors import ConfigurationError
from interactor_ext._engine.waiting.around import Around, surrounded, with_value
from interactor_ext._engine.waiting.threads import DaemonThreads

SignedIn = str | tuple[str, str] | None
Identity = SignedIn | Awaitable[SignedIn]
Text = str | Awaitable[str | None] | None
Truth = bool | Awaitable[bool]
# The last parameter receives the value that `around` yields.
Authorize = Callable[[Any], Identity] | Callable[[Any, Any], Identity]
MayEnter = Callable[[str, str], Truth] | Callable[[str, str, Any], Truth] | Callable[[str, str, Any, Any], Truth]
Approver = Callable[[str, str], Text] | Callable[[str, str, Any], Text] | Callable[[str, str, Any, Any], Text]
OnMessage = (
    Callable[[str, str, str], Text] | Callable[[str, str, str, Any], Text] | Callable[[str, str, str, Any, Any], Text]
)

OnFeedback = (
    Callable[[str, str, str, str], Any]
    | Callable[[str, str, str, str, Any], Any]
    | Callable[[str, str, str, str, Any, Any], Any]
)

_THREADS = DaemonThreads("interactor-relay-authorize", max_threads=32)


class Decision(NamedTuple):
    """A function of the application. A regular function runs in a thread."""

    function: Callable[..., Any]
    arguments: int
    """The number of arguments it is called with. The last one, if it is accepted, is the request's scope."""

    @classmethod
    def of(cls, name: str, function: Callable[..., Any], least: int, most: int, around: Around | None) -> Decision:
        """Wrap a function that has from `least` to `most` parameters, or one more for the value that `around` yields.

        Raises:
            ConfigurationError: it has a different number of parameters.
        """
        signature = signature_of(function, f"{name}=")
        for count in range(least, most + 1 if around is None else most + 2):
            with suppress(TypeError):
                if signature is not None:
                    signature.bind(*range(count))
                if around is not None:
                    function = surrounded(function, around, with_value if count > most else None)
                return cls(function, min(count, most))
        scope = " for the request's scope" if least == most else ", or one more for the request's scope"
        value = "" if around is None else " and another for the value that around= yields"
        raise ConfigurationError(f"{name}= must be a function of {least} parameters{scope}{value}, not {function!r}.")

    def call(self, scope: Any, *arguments: Any) -> Invoke:
        return Invoke(self.function, (*arguments, scope)[: self.arguments], threads=_THREADS, of_user=True)
