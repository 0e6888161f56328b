"""The handlers of a router: validates them and prepares their calls."""

from __future__ import annotations

import inspect
import re
import warnings
from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager, AbstractContextManager, suppress
from contextvars import ContextVar
from difflib import get_close_matches
from functools import partial
from typing import Any, NamedTuple, Protocol, TypeVar, overload

from interactor_client.accepted import pattern_of
from interactor_client.models import EVENT_MODELS
from interactor_ext._engine.arguments import is_async, signature_of
from interactor_ext._engine.errors import ConfigurationError
from interactor_ext._engine.waiting.around import Around, checked_around, surrounded, with_value
from interactor_ext.webhooks import _transactions

E = TypeVar("E")
R = TypeVar("R")
S = TypeVar("S")
S_co = TypeVar("S_co", covariant=True)
Handler = Callable[[Any], Any] | Callable[[Any, Any], Any]
Manager = AbstractContextManager[S] | AbstractAsyncContextManager[S]


class Begins(Protocol[S_co]):
    """A SQLAlchemy sessionmaker or engine, sync or async."""

    def begin(self) -> AbstractContextManager[S_co] | AbstractAsyncContextManager[S_co]: ...


Once = Begins[S] | Callable[[], Manager[S]]


class OnceDecorator(Protocol[S]):
    @overload
    def __call__(self, handler: Callable[[E, S], R], /) -> Callable[[E, S], R]: ...
    @overload
    def __call__(self, handler: Callable[[E], R], /) -> Callable[[E], R]: ...


class Registration(NamedTuple):
    patterns: tuple[str, ...]
    pattern: re.Pattern[str]
    handler: Callable[..., Any]
    name: str
    takes_value: bool
    """Whether it has a second parameter to receive the value that `once`, or else `around`, yields."""
    once: Around | None

    @classmethod
    def of(cls, handler: Handler, patterns: tuple[str, ...], around: Around | None, once: Any = None) -> Registration:
        """Raises ConfigurationError for a handler that would fail at the first delivery, or do nothing."""
        pattern, name, takes_value = pattern_of(patterns), _name_of(handler), False
        if (signature := signature_of(handler, name)) is not None:
            takes_value = _takes_value(name, signature, not (around is once is None))
            _warn_of_another_event(name, signature, pattern)
        return cls(patterns, pattern, handler, name, takes_value, None if once is None else _begin(once))

    @property
    def takes_any_event(self) -> bool:
        return "*" in self.patterns

    def within(self, around: Around | None, key: str) -> Callable[[Any], Any]:
        """Return the function to call with an event that has this key."""
        function, bind = self.handler, with_value if self.takes_value else None
        if self.once is not None:
            claim = partial(_transactions.once, self.takes_value, self.claim_key(key))
            function, bind = surrounded(function, self.once, claim), None
        return function if around is None else surrounded(function, around, bind)

    def rehearsed(self) -> Registration:
        """Return a copy whose handler raises RolledBack, so nothing is committed."""
        return self._replace(handler=_aroll_back if is_async(self.handler) else _roll_back, takes_value=False)

    def claim_key(self, key: str) -> str:
        return f"{key}@{self.name}"

    def require_own_name(self, others: Iterable[Registration]) -> None:
        """Raises ConfigurationError if another handler has the same name, because both would share their claims."""
        if any(each.name == self.name and each.handler != self.handler for each in others):
            raise ConfigurationError(
                f"This router has two handlers named {self.name!r}. Events are claimed under the handler's name: give "
                "each a name of its own."
            )


class RolledBack(Exception):
    """Rolls back a transaction that only tested whether events can be claimed."""


def _roll_back(event: object) -> None:
    raise RolledBack


async def _aroll_back(event: object) -> None:
    raise RolledBack


# The running handler, for claims within it.
RUNNING: ContextVar[Registration | None] = ContextVar("interactor_webhook_handler", default=None)


def _begin(once: Any) -> Around:
    if hasattr(once, "begin") and hasattr(once, "rollback"):
        raise ConfigurationError(
            f"once= must be able to open a session or connection for each event, and a {type(once).__name__} is one "
            "itself. Write once=Session, of a sessionmaker (of a scoped_session, its session_factory), or once=engine."
        )
    begin = getattr(once, "begin", once)
    checked_around(begin, "once")

    def around() -> Manager[Any]:
        manager = begin()
        is_of_django = type(manager).__module__ == "django.db.transaction"
        return _transactions.connection_in(manager) if is_of_django else manager

    return around


def types_of(classes: Iterable[object]) -> list[str]:
    types = {model: event for event, model in EVENT_MODELS["WebhookEvent"].items() if event}
    return [types[name] for each in classes if (name := getattr(each, "__name__", "")) in types]


def similar_event_type(pattern: str) -> str | None:
    """Return the event type that a pattern misspells, if any. Other unknown types may be newer than this SDK."""
    known = [event for event in EVENT_MODELS["WebhookEvent"] if event]
    if any(map(pattern_of([pattern]).fullmatch, known)):
        return None
    if "*" in pattern:
        known = sorted({f"{event[: dot.start()]}.*" for event in known for dot in re.finditer(r"\.", event)})
    words = re.split("[._]", pattern)  # `workflow.completed` has two words of workflow.instance.completed
    longer = [each for each in known if len(words) > 1 and {*words} <= {*re.split("[._]", each)}]
    return next(iter([*get_close_matches(pattern, known, n=1, cutoff=0.85), *longer]), None)


def _name_of(handler: object) -> str:
    while isinstance(handler, partial):
        handler = handler.func
    return str(getattr(handler, "__qualname__", type(handler).__qualname__)).rpartition("<locals>.")[2]


def _takes_value(name: str, signature: inspect.Signature, has_value: bool) -> bool:
    for values in ((None,), (None, None)) if has_value else ((None,),):
        with suppress(TypeError):
            signature.bind(*values)
            return len(values) > 1
    raise ConfigurationError(
        f"A webhook handler is called with the event, and with the value that around= or once= yields if it has a "
        f"second parameter, not as {name}{signature}."
        if has_value
        else f"A webhook handler is called with only the event, not as {name}{signature}. With around= or once=, a "
        "second parameter receives what that yields."
    )


def _warn_of_another_event(name: str, signature: inspect.Signature, pattern: re.Pattern[str]) -> None:
    """Warn about a parameter of another event's class: type checkers can't tell which classes a pattern matches."""
    annotation = next(iter(signature.parameters.values())).annotation
    expected = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", "")
    event = next((event for event, model in EVENT_MODELS["WebhookEvent"].items() if event and model == expected), None)
    if event and not pattern.fullmatch(event):
        warnings.warn(f"{name} expects a {expected}, but isn't registered for {event!r}.", stacklevel=4)
