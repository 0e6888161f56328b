"""Types that the generated code shares with the client around it: UNSET, pages, streams, and the Sender protocols."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, Generic, Literal, NamedTuple, Protocol, TypedDict, TypeVar, Unpack

from .advised import Advised
from .pages import Page, PageMeta

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    import httpx

T = TypeVar("T")
E_co = TypeVar("E_co", covariant=True)


class Unset(Enum):
    """The type of UNSET. An enum, because its member stays one object under copy, deepcopy and pickle."""

    UNSET = "UNSET"

    def __bool__(self) -> Literal[False]:
        return False

    def __repr__(self) -> str:
        return "UNSET"

    __str__ = __repr__


UNSET: Final = Unset.UNSET
"""Not given, so not sent. In a response: absent. Falsy, and different from None."""


class Operation(NamedTuple):
    """One operation of the API. httpx carries it in `request.extensions["operation"]`."""

    id: str
    tag: str
    method: str
    path: str
    """Template of the path, relative to the server, with parameter names in braces."""
    server: Literal["core", "account"]
    idempotency_key: bool
    """Whether it supports the header Idempotency-Key."""
    stream: bool
    """Whether it responds with an event stream."""


@dataclass(slots=True)
class Response(Advised, Generic[T]):
    """A response of any status, with any body."""

    status_code: int
    content: bytes = field(repr=False)
    headers: httpx.Headers = field(repr=False)
    parsed: T | None
    """The model documented for the status; None if there is none or the body doesn't fit it."""


class ListEnvelope(Protocol[T]):
    """The body of a list response; its `meta` is read leniently, because servers disagree on it."""

    @property
    def data(self) -> list[T]: ...

    @property
    def meta(self) -> Any: ...


OnReconnect = Callable[[int, float], object]
"""Called before each reconnect with its number, from 1, and how many seconds it waited."""


OnInvalid = Callable[[Any], object]
"""Called with an error for each item of a list, or event of a stream, that doesn't fit its model: its `item`."""


class RawEvent(Protocol):
    """An event as received."""

    @property
    def event(self) -> str: ...

    @property
    def data(self) -> str: ...

    @property
    def id(self) -> str: ...


class _Position(Protocol):
    @property
    def last_event_id(self) -> str:
        """The id of the last event returned; a later stream can continue from there."""
        ...

    @property
    def reconnects(self) -> int:
        """How often it has reconnected, or tried to."""
        ...


class EventStream(_Position, Protocol[E_co]):
    """A context manager over typed events; leaving it closes the connection."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None, /
    ) -> None: ...

    def __iter__(self) -> Iterator[E_co]: ...

    def __next__(self) -> E_co: ...

    def raw(self) -> Iterator[RawEvent]:
        """The same events, undecoded."""
        ...

    def close(self) -> None: ...


class AsyncEventStream(_Position, Protocol[E_co]):
    """A context manager over typed events; leaving it closes the connection."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None, /
    ) -> None: ...

    def __aiter__(self) -> AsyncIterator[E_co]: ...

    async def __anext__(self) -> E_co: ...

    def raw(self) -> AsyncIterator[RawEvent]:
        """The same events, undecoded."""
        ...

    async def aclose(self) -> None: ...


def assign_method(resource: Any, name: str, value: object) -> None:
    """The `__setattr__` of a resource, or of a client of another API: only methods and resources can be replaced, as
    `unittest.mock.patch.object` does.
    """
    if name[:1] != "_" and not (callable(value) and callable(getattr(type(resource), name, None))):
        raise AttributeError(f"{name} of {type(resource).__name__} can't be assigned, because it would change nothing")
    object.__setattr__(resource, name, value)


class StreamOptions(TypedDict):
    """The keywords of a stream's method."""

    last_event_id: str
    max_reconnects: int | None
    on_reconnect: OnReconnect | None
    on_invalid: OnInvalid | None


GetKwargs = Callable[[int], dict[str, Any]]
"""Called with the number of a page, from 1."""
Parse = Callable[["httpx.Response"], T]


class Sender(Protocol):
    """What the resource classes call. `kwargs` are the arguments of `httpx.Client.request`, from an endpoint's
    `_get_kwargs`, and `family` is a key of `models.EVENT_MODELS`."""

    def send(self, kwargs: dict[str, Any], parse: Parse[T]) -> T: ...

    def page(self, kwargs: dict[str, Any], parse: Parse[ListEnvelope[T]]) -> Page[T]: ...

    def iterate(
        self, get_kwargs: GetKwargs, parse: Parse[ListEnvelope[T]], *, prefetch: int, on_invalid: OnInvalid | None
    ) -> Iterator[T]: ...

    def stream(self, kwargs: dict[str, Any], family: str, **options: Unpack[StreamOptions]) -> EventStream[Any]: ...


class AsyncSender(Protocol):
    """The `Sender` of asynchronous resource classes."""

    async def send(self, kwargs: dict[str, Any], parse: Parse[T]) -> T: ...

    async def page(self, kwargs: dict[str, Any], parse: Parse[ListEnvelope[T]]) -> Page[T]: ...

    def iterate(
        self, get_kwargs: GetKwargs, parse: Parse[ListEnvelope[T]], *, prefetch: int, on_invalid: OnInvalid | None
    ) -> AsyncIterator[T]: ...

    def stream(
        self, kwargs: dict[str, Any], family: str, **options: Unpack[StreamOptions]
    ) -> AsyncEventStream[Any]: ...


__all__ = [
    "UNSET",
    "AsyncEventStream",
    "AsyncSender",
    "EventStream",
    "ListEnvelope",
    "OnInvalid",
    "OnReconnect",
    "Operation",
    "Page",
    "PageMeta",
    "RawEvent",
    "Response",
    "Sender",
    "Unset",
    "assign_method",
]
