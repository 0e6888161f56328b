"""The events that telemetry receives, and the reporter that sends them. Imports only what a webhook receiver also
needs.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from typing import Literal, NamedTuple, Protocol, TypeVar, get_args

from interactor_ext._engine.arguments import require_methods
from interactor_ext._engine.call import Call
from interactor_ext._engine.lazy import adopt, httpx
from interactor_ext._engine.logs import logger
from interactor_ext._engine.network import pool

T = TypeVar("T")

_DEFAULT_PORTS = {"http": 80, "https": 443}

RequestError = Literal["auth", "rate_limit", "validation", "server", "network", "cancelled"]
StreamKind = Literal["room", "workflow"]
DisconnectReason = Literal["timeout", "error", "client_close", "done"]


class Sending:
    """A request that is about to be sent. A retried call sends several.

    `endpoint` is the template of its path, such as `/assistants/{assistant_id}`, or "other" for one outside the
    contract. `namespace` is the tenant, or "": an unbounded number of tenants makes an unbounded number of time series.
    `resends` is the number of earlier requests of the same call.
    """

    __slots__ = ("_call", "_request", "endpoint", "method", "namespace", "resends")

    def __init__(self, request: httpx.Request, resends: int) -> None:
        call = self._call = Call.of(request)
        self._request = request
        self.method: str = request.method
        self.endpoint: str = "other" if call.operation is None else call.operation.path
        self.namespace: str = call.namespace or ""
        self.resends: int = resends

    def __repr__(self) -> str:
        return f"Sending({self.method} {self.endpoint})"

    @property
    def operation(self) -> str:
        """The operationId, or ""."""
        return "" if self._call.operation is None else str(self._call.operation.id)

    @property
    def url(self) -> str:
        """The URL without the token that a stream's URL may contain."""
        url = self._request.url
        return str(url.copy_set_param("token", "***") if b"token=" in url.query else url)

    @property
    def host(self) -> str:
        """The host that the request goes to."""
        return self._request.url.host

    @property
    def port(self) -> int:
        """The port that the request goes to; the scheme's default if the URL names none."""
        url = self._request.url
        return url.port or _DEFAULT_PORTS.get(url.scheme, 0)

    @property
    def headers(self) -> MutableMapping[str, str]:
        """The request's headers. You may add to them, for example a trace context. They contain the access token."""
        return self._request.headers


class RequestEnded(NamedTuple):
    """A request got its response and the response was read (only the headers, for a stream), or it failed."""

    request: Sending
    started: object
    """The return value of `Telemetry.sending`."""
    seconds: float
    status: int | None
    """None without a response."""
    error: RequestError | None
    """What kind of failure: 401 and 403; 429; any other below 500; 5xx; no response; cancelled by the caller. None is
    success."""
    code: str | None
    """The server's error code, or NETWORK_ERROR or TIMEOUT."""
    headers: Mapping[str, str]
    """The response's headers."""
    exception: BaseException | None
    """The error, if there was no response."""

    def __repr__(self) -> str:
        outcome = self.status if self.code is None else f"{self.status or 'no response'}, {self.code}"
        return f"RequestEnded({self.request.method} {self.request.endpoint}: {outcome}, {self.seconds:.3g} s)"

    def __hash__(self) -> int:  # headers have no hash
        return hash((self.request, self.status))


class TokenRequested(NamedTuple):
    """A new access token was requested, retries included."""

    ok: bool
    seconds: float


class TokenInUse(NamedTuple):
    """The token of later calls, new or from a store."""

    expires_at: float
    """Unix time."""


class StreamConnected(NamedTuple):
    """A stream of a room or workflow instance has begun."""

    kind: StreamKind


class StreamDisconnected(NamedTuple):
    """Follows each StreamConnected. A stream that reconnects by itself has several of both."""

    kind: StreamKind
    reason: DisconnectReason
    """Why: silent for too long; broken, or ended by an `error` event; closed by the reader; ended by the server."""


class WebhookReceived(NamedTuple):
    """A webhook delivery got its response, or an event from a queue was handled."""

    event: str
    """The event type; "unknown" for a delivery that fails verification, "other" for a type outside the contract."""
    status: Literal["processed", "duplicate", "failed", "refused"]
    """Refused: it wasn't genuine, or its body couldn't be read. Anybody can send such deliveries."""
    seconds: float


class WebhookQueue(NamedTuple):
    """The contents of a webhook worker's queue, reported from time to time."""

    service: str
    """The name of the router, or ""."""
    waiting: int
    """Events without a failed attempt, including those that are being handled."""
    retrying: int
    """Events with a failed attempt."""
    dead: int
    """Dead letters."""
    oldest: float
    """How many seconds the oldest waiting event has waited; 0 if there is none."""
    unhandled: int = 0
    """Events that no worker had a handler for so far."""


class ToolDecided(NamedTuple):
    """A person has approved or rejected a call of a tool."""

    tool: str
    decision: Literal["approved", "rejected"]
    namespace: str | None


class Pool(Protocol):
    """A `Transport` or an `AsyncTransport` of `interactor_ext.transports`."""

    def connections(self) -> pool.ConnectionCounts:
        """The current numbers. May be called from any thread."""
        ...


class PoolOpened(NamedTuple):
    """A client was created. Reference the pool weakly: it lives as long as the client does."""

    pool: Pool


_OfCalls = RequestEnded | TokenRequested | TokenInUse | StreamConnected | StreamDisconnected | PoolOpened
Event = _OfCalls | WebhookReceived | WebhookQueue | ToolDecided
"""The events that `Telemetry.record` receives."""


class Telemetry(Protocol):
    """The protocol for `telemetry=` of clients and webhook routers. They may share one object.

    Its methods are called from any thread or task, and must not block. Their exceptions are logged, and no call fails.
    """

    def sending(self, request: Sending) -> object:
        """Called right before a request is sent. The return value becomes `RequestEnded.started`."""
        ...

    def record(self, event: Event) -> None:
        """Called when something has happened."""
        ...


class Reporter:
    """A `Telemetry` that never raises."""

    def __init__(self, telemetry: Telemetry) -> None:
        require_methods("telemetry", telemetry, "sending", "record")
        self._telemetry = telemetry

    def sending(self, request: Sending) -> object:
        try:
            return self._telemetry.sending(request)
        except Exception:
            logger.exception("The telemetry failed. The call goes on.")
            return None

    def record(self, event: Event) -> None:
        try:
            self._telemetry.record(event)
        except Exception:
            logger.exception("The telemetry failed. The call goes on.")

    def pool_opened(self, pool: Pool) -> None:
        self.record(PoolOpened(pool))

    def stream_connected(self, kind: StreamKind) -> None:
        self.record(StreamConnected(kind))

    def stream_disconnected(self, kind: StreamKind, reason: DisconnectReason) -> None:
        self.record(StreamDisconnected(kind, reason))

    def token_in_use(self, expires_at: float) -> None:
        self.record(TokenInUse(expires_at))

    def watch(self, fetch: Callable[[], T]) -> Callable[[], T]:
        """Wrap `fetch` to record each token request."""

        def watched() -> T:
            with self._token_request():
                return fetch()

        return watched

    def watch_async(self, fetch: Callable[[], Awaitable[T]]) -> Callable[[], Awaitable[T]]:
        """Like `watch`, for coroutine functions."""

        async def watched() -> T:
            with self._token_request():
                return await fetch()

        return watched

    @contextmanager
    def _token_request(self) -> Iterator[None]:
        began = time.perf_counter()
        try:
            yield
        except Exception:
            self.record(TokenRequested(False, time.perf_counter() - began))
            raise
        self.record(TokenRequested(True, time.perf_counter() - began))


adopt("interactor_ext.telemetry", Pool, Sending, Telemetry, *get_args(Event))
