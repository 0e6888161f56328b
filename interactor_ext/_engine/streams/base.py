"""What sync and async streams have in common: requests, responses and failures, reported to the state machine."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from enum import Enum
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import httpx

from interactor_client.advised import missing
from interactor_client.types import OnInvalid, OnReconnect
from interactor_ext._engine.arguments import at_least, kind_of, require_callback
from interactor_ext._engine.call import Call, describe_request, secrets_of
from interactor_ext._engine.errors import (
    APIConnectionError,
    APITimeoutError,
    ConfigurationError,
    InteractorError,
    ResponseValidationError,
    StreamError,
)
from interactor_ext._engine.responses import status_error
from interactor_ext._engine.responses.read import BodyRefused, media_type
from interactor_ext._engine.retry_policy import RetryPolicy
from interactor_ext._engine.sse import DEFAULT_MAX_EVENT_SIZE
from interactor_ext._engine.streams.events import EventReader, Received
from interactor_ext._engine.streams.state import Action, End, Receive, StreamState
from interactor_ext._engine.waiting import Closing

if TYPE_CHECKING:
    from interactor_ext._engine.telemetry_events import DisconnectReason, Reporter, StreamKind

E = TypeVar("E")

BROKEN = (InteractorError, httpx.HTTPError, httpx.StreamError, OSError)
"""Errors of opening or reading a connection. OSError is for transports that don't translate it."""
IDLE_TIMEOUT = 45.0
"""After this many seconds of silence, a connection is dead: the server's keepalive comes every 30."""


class Gap(Enum):
    """The stream has reconnected, so earlier events are lost if the server couldn't send them again."""

    GAP = "gap"


class StreamClient(Protocol):
    """What a stream requires of its client, in addition to `send`, which an `AsyncStream` awaits."""

    closing: Closing
    """Ends a wait to reconnect when the client is closed."""
    reporter: Reporter | None

    def build_request(self, *args: Any, **kwargs: Any) -> httpx.Request:
        """Accepts the arguments of httpx's `build_request`, of which the extension `operation` is required."""
        ...

    def send(self, request: httpx.Request, *, stream: bool) -> Any: ...


class BaseStream(Generic[E]):
    """A stream's state and its reports to it. The subclasses hold the open response."""

    _awaits_callbacks = False

    def __init__(
        self,
        client: StreamClient,
        kwargs: dict[str, Any],
        reader: EventReader,
        *,
        last_event_id: str = "",
        max_reconnects: int | None = None,
        on_reconnect: OnReconnect | None = None,
        on_invalid: OnInvalid | None = None,
        policy: RetryPolicy,
        deadline: float | None = None,
        idle_timeout: float = IDLE_TIMEOUT,
        max_event_size: int = DEFAULT_MAX_EVENT_SIZE,
    ) -> None:
        if not isinstance(last_event_id, str):
            raise ConfigurationError(
                f"last_event_id must be a string, not {kind_of(last_event_id)}: the id of the last event you handled, "
                'or "" to start with new events'
            )
        for name, callback in (("on_reconnect", on_reconnect), ("on_invalid", on_invalid)):
            if callback is not None:
                require_callback(name, callback, is_awaited=self._awaits_callbacks)
        if max_reconnects is not None:
            at_least(0, max_reconnects, "max_reconnects")
        self._client = client
        self._client_closing = client.closing
        self._kwargs = kwargs
        self._on_reconnect = on_reconnect
        self._on_invalid = on_invalid
        self._announced_reconnects = 0
        self._idle_timeout = idle_timeout
        self._last_event_id = last_event_id
        self._reader = reader
        self._owner: object = None  # the loop that reads, and that closes the connection when it is left
        self._is_new_connection = False
        self._is_entered = False
        self._is_connected = False
        self._reporter: Reporter | None = client.reporter
        self._kind: StreamKind = "room" if kwargs["extensions"]["operation"].tag == "rooms" else "workflow"
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
        """Initialize what the subclass holds."""

    @property
    def last_event_id(self) -> str:
        """The id of the last event returned: pass it to a later stream to continue from there."""
        return self._last_event_id

    @property
    def resume_id(self) -> str:
        """`last_event_id`; before the first event, the id that the server started with, or "" if it sent none."""
        if self._last_event_id or self._state.ready:
            return self._last_event_id
        return self._state.last_event_id

    def end_by(self, ends_at: float | None) -> None:
        """Set its deadline: an instant of `time.monotonic()`."""
        self._state.deadline = ends_at

    @property
    def is_over(self) -> bool:
        """Whether the stream has ended and all its events have been returned."""
        return isinstance(self._state.action, End) and not self._state.ready

    @property
    def reconnects(self) -> int:
        """How often the stream has reconnected, or tried to."""
        return self._state.reconnects

    def __repr__(self) -> str:
        return f"{type(self).__name__}({_name(self._kwargs)})"

    def _require_entered(self, statement: str) -> None:
        if not self._is_entered:
            raise ConfigurationError(
                f"The stream isn't open. Iterate inside `{statement} ... as stream:`, which also closes its connection."
            )

    def _request(self, headers: dict[str, bytes]) -> httpx.Request:
        request: httpx.Request = self._client.build_request(
            **{**self._kwargs, "headers": {**self._kwargs.get("headers", {}), **headers}}
        )
        # Our transport bounds the wait for the response differently, so this only applies to reads of its body.
        left = math.inf if self._state.deadline is None else max(0.0, self._state.deadline - time.monotonic())
        request.extensions["timeout"]["read"] = min(self._idle_timeout, left)
        Call.of(request).ends_at = self._state.deadline  # one for all connections
        return request

    def _actions(self, *, until_connected: bool = False) -> Iterator[Action]:
        """Yield the actions until an event is ready or the stream has ended, or until there is a new connection."""
        state = self._state
        while not (state.ready or isinstance(state.action, End) or (until_connected and self._is_newly_connected)):
            yield state.action

    @property
    def _is_newly_connected(self) -> bool:
        return self._is_new_connection and isinstance(self._state.action, Receive)

    def _opened(self) -> None:
        self._is_new_connection = False
        self._raise_if_failed()

    def _hand_out(self) -> Received | None:
        """Return the next event, or None at the end. Raises the error that ended the stream."""
        try:
            event = self._state.ready.popleft()
        except IndexError:
            if not isinstance(self._state.action, End):  # another reader took it
                raise two_readers() from None
            self._raise_if_failed()
            return None
        self._last_event_id = event.sent.id
        return event

    def _hand_out_or_gap(self) -> E | Gap | ResponseValidationError | None:
        if not self._state.ready and self._is_newly_connected:
            self._is_new_connection = False
            return Gap.GAP
        event = self._hand_out()
        try:
            return None if event is None else self._reader.model(event)
        except ResponseValidationError as error:
            return error

    def _refuse(self, error: ResponseValidationError) -> Any:
        """Pass an invalid event to `on_invalid`, or raise its error."""
        if self._on_invalid is None:
            self._owner = None  # the loop that this ends leaves the connection to the next one
            raise error
        return self._on_invalid(error)

    def _raise_if_failed(self) -> None:
        if isinstance(self._state.action, End) and self._state.action.error is not None:
            raise self._state.action.error

    def _on_response(self, response: httpx.Response) -> None:
        """Report a response. An error's body must have been read."""
        now = time.monotonic()
        if not response.is_success:
            self._state.failed(status_error.status_error(response), now)
        elif response.status_code == 204:
            self._state.finished()
        elif media_type(response) not in ("", "text/event-stream"):
            self._state.failed(_no_event_stream(response), now)
        else:
            self._state.connected(now)
            self._is_new_connection = self._is_connected = True
            if self._reporter is not None:
                self._reporter.stream_connected(self._kind)

    def _on_failure(self, error: Exception) -> None:
        if isinstance(self._state.action, End):  # closed by another thread or task, which caused the error
            return
        now = time.monotonic()
        if self._state.deadline is not None and now >= self._state.deadline:
            self._state.out_of_time()
        elif isinstance(refused := error if isinstance(error, BodyRefused) else error.__cause__, BodyRefused):
            words = f"The response was refused ({_name(self._kwargs)}): {refused}."
            self._state.failed(_caused(StreamError(words), error), now)
        elif isinstance(error, InteractorError):
            self._state.failed(error, now)
        elif isinstance(error, httpx.TimeoutException):
            silent = f"The stream was silent for {self._idle_timeout:g} s ({_name(self._kwargs)})."
            self._state.failed(_caused(APITimeoutError(silent), error), now)
        else:
            broken = f"The connection of the stream was lost ({_name(self._kwargs)}: {type(error).__name__})."
            self._state.failed(_caused(APIConnectionError(broken), error), now)

    def _on_chunk(self, chunk: bytes | None) -> None:
        if chunk is None:
            self._state.failed(None, time.monotonic())
        else:
            self._state.received(chunk, time.monotonic())

    def _announce(self, number: int, seconds: float) -> Any:
        """Call `on_reconnect`, once per reconnect: a caller with a time limit comes here several times for the same
        one."""
        if self._on_reconnect is None or number <= self._announced_reconnects:
            return None
        self._announced_reconnects = number
        return self._on_reconnect(number, seconds)

    def _disconnected(self) -> DisconnectReason | None:
        """Forget the connection that is being closed; a later loop opens another. Returns why, if one was open."""
        was_connected, self._is_connected = self._is_connected, False
        reason = self._state.disconnect_reason
        if isinstance(self._state.action, Receive):
            self._state.woken()
        return reason if was_connected else None

    def _report_end(self, reason: DisconnectReason | None) -> None:
        """Report the end of a connection to the telemetry, which may take a lock."""
        if self._reporter is not None and reason is not None:
            self._reporter.stream_disconnected(self._kind, reason)


# Not with `__getattr__`, which would make every lookup of a stream's attributes slower.
missing(
    BaseStream,
    "events iter_events iter_lines iter_content iter_text text text_stream text_deltas content messages until_done "
    "get_final_message response status_code headers on subscribe read recv receive get next cancel stop",
)


def _no_event_stream(response: httpx.Response) -> StreamError:
    if (kind := media_type(response)) == "text/html":
        what = status_error.web_page_instead_of("an event stream", response)
    else:
        what = f"has the content type {kind[:100]!r}, not 'text/event-stream'."
    request = response.request
    about = status_error.described(response, secrets_of(request))
    return StreamError(f"The response to {describe_request(request)} {what}", **about)


def two_readers() -> StreamError:
    return StreamError(
        "Another thread is reading this stream, which can only have one reader at a time. Let one "
        "thread read it and pass the events on, with a queue.Queue for example, or open a stream for "
        "each thread."
    )


def _name(kwargs: dict[str, Any]) -> str:
    """Return `GET /rooms/{room_id}/stream`: the template rather than the URL, as in every other message."""
    operation = kwargs["extensions"]["operation"]
    return f"{operation.method} {operation.path}"


def _caused(error: InteractorError, cause: Exception) -> InteractorError:
    error.__cause__ = cause
    return error
