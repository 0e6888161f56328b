"""What the streams sync and async share: the state, the open response, and what its failures mean."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import httpx

from interactor_client.types import OnReconnect
from interactor_ext._errors import APIConnectionError, APITimeoutError, ConfigurationError, InteractorError, StreamError
from interactor_ext._responses._read import status_error
from interactor_ext._responses._request_info import describe_request
from interactor_ext.retry import RetryPolicy
from interactor_ext.sse import DEFAULT_MAX_EVENT_SIZE, ServerSentEvent
from interactor_ext.streams._events import Received, event_reader
from interactor_ext.streams._state import End, Read, StreamState
from interactor_ext.transports._deadline import TimeLeft

if TYPE_CHECKING:
    from interactor_ext.telemetry._stream import StreamWatch

E = TypeVar("E")

IDLE_TIMEOUT = 45.0
"""Seconds of silence after which a connection is dead: the server's keepalive comes every 30."""


class Gap(Enum):
    """Where the stream has connected again: what came in between is lost if the server could not send it again."""

    GAP = "gap"


class SharedStream(Generic[E]):
    """What sync and async hold: the state, the open response, and how events are handed out."""

    def __init__(
        self,
        client: Any,
        kwargs: dict[str, Any],
        family: str,
        *,
        last_event_id: str = "",
        max_reconnects: int | None = None,
        on_reconnect: OnReconnect | None = None,
        policy: RetryPolicy,
        deadline: float | None = None,
        idle_timeout: float = IDLE_TIMEOUT,
        max_event_size: int = DEFAULT_MAX_EVENT_SIZE,
    ) -> None:
        if not isinstance(last_event_id, str):
            kind = type(last_event_id).__name__
            raise ConfigurationError(
                f"last_event_id must be a string, not {kind}: the id of the last event that was handled, "
                'or "" to begin with what happens from now on'
            )
        self._client = client
        self._kwargs = kwargs
        self._on_reconnect = on_reconnect
        self._deadline = deadline
        self._idle_timeout = idle_timeout
        self._last_event_id = last_event_id
        self._reader = event_reader(family)
        self._told_of = 0
        self._owner: object = None
        self._is_anew = False
        self._is_entered = False
        self._watch = _watch(client, kwargs)
        self._state = StreamState(
            self._reader,
            request=_name(kwargs),
            last_event_id=last_event_id,
            max_reconnects=max_reconnects,
            policy=policy,
            deadline=deadline,
            max_event_size=max_event_size,
        )
        self._set_up()

    def _set_up(self) -> None:
        """What the sync and the async one hold of their own."""

    @property
    def last_event_id(self) -> str:
        """The id of the last event handed out: give it to a later stream to go on from there."""
        return self._last_event_id

    @property
    def reconnects(self) -> int:
        """How often the stream has connected again, or tried to."""
        return self._state.reconnects

    def __repr__(self) -> str:
        return f"{type(self).__name__}({_name(self._kwargs)})"

    def _require_entered(self, statement: str) -> None:
        if not self._is_entered:
            raise ConfigurationError(
                f"the stream is not open: iterate within `{statement} ... as stream:`, which also closes its connection"
            )

    def _request(self, headers: dict[str, bytes]) -> httpx.Request:
        request: httpx.Request = self._client.build_request(
            **{**self._kwargs, "headers": {**self._kwargs.get("headers", {}), **headers}}
        )
        ends_at = math.inf if self._deadline is None else self._deadline
        # Our transport bounds the wait for the response by other means, so this is for the reads of its body alone.
        request.extensions["timeout"]["read"] = TimeLeft.until(ends_at, self._idle_timeout)
        call = request.extensions.get("interactor")
        if call is not None:
            # All connections share one deadline.
            request.extensions["interactor"] = call._replace(ends_at=self._deadline)
        return request

    def _opened(self, response: httpx.Response) -> bool:
        """False for an error response, which must be read and then `_refused`."""
        if not response.is_success:
            return False
        if response.status_code == 204:
            self._state.finished()
        elif not _is_event_stream(response):
            self._state.failed(_no_event_stream(response), time.monotonic())
        else:
            self._state.connected(time.monotonic())
            self._is_anew = True
            if self._watch is not None:
                self._watch.connected()
        return True

    def _refused(self, response: httpx.Response) -> None:
        self._state.failed(status_error(response), time.monotonic())

    def _broke(self, error: Exception) -> None:
        if isinstance(self._state.action, End):  # closed by another thread or task; this is what has come of it
            return
        now = time.monotonic()
        if self._watch is not None:
            self._watch.ends(error)
        if self._deadline is not None and now >= self._deadline:
            self._state.out_of_time()
        elif isinstance(error, InteractorError):
            self._state.failed(error, now)
        elif isinstance(error, httpx.TimeoutException):
            silent = f"The stream was silent for {self._idle_timeout:g} s ({_name(self._kwargs)})."
            self._state.failed(_caused(APITimeoutError(silent), error), now)
        else:
            broken = f"The connection of the stream broke off ({_name(self._kwargs)}: {type(error).__name__})."
            self._state.failed(_caused(APIConnectionError(broken), error), now)

    def _came(self, chunk: bytes | None) -> None:
        is_watched = self._watch is not None and isinstance(self._state.action, Read)
        if chunk is None:
            self._state.failed(None, time.monotonic())
        else:
            self._state.received(chunk, time.monotonic())
        if is_watched and not isinstance(self._state.action, Read):
            assert self._watch is not None
            error = self._state.action.error if isinstance(self._state.action, End) else None
            self._watch.ends(error, done=isinstance(self._state.action, End) and error is None)

    def _let_go(self) -> Callable[[], None]:
        """The connection is about to be closed. Returns what tells the telemetry of it, which may take a lock."""
        if isinstance(self._state.action, Read):
            self._state.woken()
        return _tell_nobody if self._watch is None else self._watch.disconnected()

    def _announced(self, number: int, seconds: float) -> Any:
        """Tell the caller of a reconnect, once: who gives up waiting for an event comes here again for the same one."""
        if self._on_reconnect is None or number <= self._told_of:
            return None
        self._told_of = number
        return self._on_reconnect(number, seconds)

    def _hand_out(self) -> Received | None:
        try:
            event = self._state.ready.popleft()
        except IndexError:
            if not isinstance(self._state.action, End):  # closed by another thread at this very moment
                raise two_readers() from None
            return None
        self._last_event_id = event.block.id
        return event

    def _raise_if_failed(self) -> None:
        if isinstance(self._state.action, End) and self._state.action.error is not None:
            raise self._state.action.error


def _tell_nobody() -> None:
    pass


def _watch(client: Any, kwargs: dict[str, Any]) -> StreamWatch | None:
    reporter = getattr(client, "reporter", None)
    if reporter is None:
        return None
    from interactor_ext.telemetry._stream import StreamWatch

    return StreamWatch(reporter, "room" if kwargs["extensions"]["operation"].tag == "rooms" else "workflow")


def _is_event_stream(response: httpx.Response) -> bool:
    """A server that names no type is believed."""
    content_type = response.headers.get("content-type", "")
    return content_type.partition(";")[0].strip().lower() in ("", "text/event-stream")


def _no_event_stream(response: httpx.Response) -> StreamError:
    return StreamError(
        f"Expected an event stream, but the answer has another content type ({describe_request(response)}).",
        status=response.status_code,
        headers=response.headers,
        request_id=response.headers.get("x-request-id"),
    )


def two_readers() -> StreamError:
    return StreamError(
        "Another thread is reading this stream, which has one reader at a time: let one thread read it and hand the "
        "events over, by a queue.Queue for instance, or open a stream for each thread."
    )


def as_sent(event: Received) -> ServerSentEvent:
    return event.block.sent


def _name(kwargs: dict[str, Any]) -> str:
    """`GET /rooms/{room_id}/stream`: the template rather than the URL, as in every other message."""
    operation = kwargs["extensions"]["operation"]
    return f"{operation.method} {operation.path}"


def _caused(error: InteractorError, cause: Exception) -> InteractorError:
    error.__cause__ = cause
    return error
