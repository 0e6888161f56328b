"""State machine of an event stream: decides on reconnects, backoff, deadline and duplicates, without a socket or clock.

A loop returns the events in `ready`, then does the `action` and reports the result:

    Connect     open a connection with these headers     -> connected, finished or failed
    Receive     wait for the next bytes                  -> received or failed
    Backoff     sleep                                    -> woken
    End         close; raise the error, if there is one

End is final, whatever is reported after it, because another thread or task may have closed the stream in the meantime.
For that reason, and because a generator step per chunk costs too much, streams don't run on `effects`.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import TYPE_CHECKING, NamedTuple

from interactor_ext._engine.errors import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    CircuitOpenError,
    InteractorError,
    StreamError,
)
from interactor_ext._engine.retry_policy import RetryPolicy
from interactor_ext._engine.sse import DEFAULT_MAX_EVENT_SIZE, EventTooLargeError, SSEDecoder
from interactor_ext._engine.streams.events import CONTROL, EventReader, Received

if TYPE_CHECKING:
    from interactor_ext._engine.telemetry_events import DisconnectReason

GIVE_UP_AFTER = 20
"""A stream gives up after this many failures in a row; with the default waits, that takes about four minutes."""
MAX_WAIT = 300.0
"""Seconds. A longer `retry:` is cut to this; a longer `Retry-After` ends the stream."""
# A connection that received bytes for this long was healthy, even without events.
_HEALTHY_AFTER = 10.0
# One that ends sooner, with fewer events than this, is short. After this many short ones in a row (as many as the
# platform lets a client open at once), the minimum wait grows, however short the server's `retry` is.
_FEW_EVENTS = 10
_SHORT_CONNECTIONS = 10
_MAX_FLOOR = 5.0
_REMEMBERED_IDS = 8192
# Request timeout, too early, too many requests. Any other 4xx is permanent.
_TRANSIENT = frozenset({408, 425, 429})


class Connect(NamedTuple):
    headers: dict[str, bytes]


class Receive(NamedTuple):
    """Read from the open connection."""


class Backoff(NamedTuple):
    seconds: float
    reconnect: int
    """The number of the reconnect that follows, from 1."""
    until: float
    """When the wait ends. A caller that was interrupted only sleeps for the rest."""


class End(NamedTuple):
    error: InteractorError | None


Action = Connect | Receive | Backoff | End


class StreamState:
    """One stream over all of its connections. `now` and `deadline` are seconds of the same clock."""

    def __init__(
        self,
        reader: EventReader,
        *,
        request: str,
        last_event_id: str = "",
        max_reconnects: int | None = None,
        policy: RetryPolicy,
        deadline: float | None = None,
        max_event_size: int = DEFAULT_MAX_EVENT_SIZE,
    ) -> None:
        self.ready: deque[Received] = deque()
        self.action: Action
        self.reconnects = 0
        self._reader = reader
        self._request = request
        self._max_reconnects = max_reconnects
        self._policy = policy
        self.deadline = deadline
        self._max_event_size = max_event_size
        self._decoder = SSEDecoder(last_event_id, max_event_size)
        self._retry_ms: int | None = None
        self._seen = _Seen()
        self._failures = 0  # in a row
        self._events = 0  # of this connection
        self._short_connections = 0  # in a row
        self._ever_connected = False
        self._connected_at = self._heard_at = 0.0
        self._is_closed = False
        self._failure: InteractorError | None = None  # of the last connection
        self.action = self._connect()

    @property
    def last_event_id(self) -> str:
        """The id that the next connection would continue after."""
        return self._decoder.last_event_id

    @property
    def disconnect_reason(self) -> DisconnectReason:
        """Why the connection is being closed."""
        if self._is_closed or isinstance(self.action, Receive):
            return "client_close"
        if isinstance(self._failure, APITimeoutError):
            return "timeout"
        return "done" if self.action == End(None) else "error"

    def connected(self, now: float) -> None:
        """The server responded with an event stream."""
        self._ever_connected = True
        self._connected_at = self._heard_at = now
        self._decoder = SSEDecoder(self._decoder.last_event_id, self._max_event_size)
        self._seen.start_connection()
        self._events = 0
        self._failure = None
        self._go(Receive())

    def finished(self) -> None:
        """The server responded with 204: there is nothing to send."""
        self._go(End(None))

    def closed(self) -> None:
        """The caller closed the stream. May be called from any thread."""
        self._is_closed = True
        self.action = End(None)
        self.ready.clear()

    def received(self, chunk: bytes, now: float) -> None:
        """Process bytes from the open connection."""
        if isinstance(self.action, End):
            return
        self._heard_at = now
        try:
            blocks = self._decoder.feed_blocks(chunk)
        except EventTooLargeError as error:
            self._go(End(error))
            blocks = error.blocks
        if self._decoder.retry_ms is not None:
            self._retry_ms = self._decoder.retry_ms
        is_new, read = self._seen.is_new, self._reader.read
        for sent, has_own_id in blocks:
            if not is_new(sent.id, has_own_id):
                continue
            event = read(sent)
            if (kind := event.type) not in CONTROL:
                if kind != "error":  # a server that sends nothing else on each connection isn't healthy
                    self._failures = 0
                self._events += 1
                self.ready.append(event)
            elif kind == "done":
                self._go(End(None))
                break
        if self._is_closed:
            self.ready.clear()
        elif self.deadline is not None and now >= self.deadline:
            self.out_of_time()

    def failed(self, error: InteractorError | None, now: float) -> None:
        """The connection failed or ended. `error` is None if the server ended it without a `done`."""
        if isinstance(self.action, End):
            return
        if isinstance(self.action, Receive):
            is_healthy = self._heard_at - self._connected_at >= _HEALTHY_AFTER
            if is_healthy:
                self._failures = 0
            if is_healthy or self._events >= _FEW_EVENTS:
                self._short_connections = 0
            elif self._events:
                self._short_connections += 1
        self._failure = error
        retry_after = error.retry_after if error is not None else None
        wait = self._next_wait(retry_after)
        if error is not None and (not _is_transient(error) or (retry_after or 0) > MAX_WAIT):
            self._go(End(error))
        elif self._exhausted:
            self._go(End(self._given_up(error)))
        elif self.deadline is not None and now + wait >= self.deadline:
            self._go(End(self._too_late(error)))
        else:
            self._failures += 1
            self.reconnects += 1
            self._go(Backoff(wait, self.reconnects, now + wait))

    def woken(self) -> None:
        """The backoff is over, or a reader closed the connection and continues reading."""
        self._go(self._connect())

    def out_of_time(self) -> None:
        """The deadline has passed."""
        self._failure = self._too_late(None)
        self._go(End(self._failure))

    def _go(self, action: Action) -> None:
        if not isinstance(self.action, End):
            self.action = action
        if self._is_closed:  # by another thread, between the two lines above
            self.action = End(None)

    def _connect(self) -> Connect:
        # Compressed events arrive late, many at once, and can be of any size.
        headers = {"Accept": b"text/event-stream", "Accept-Encoding": b"identity", "Cache-Control": b"no-store"}
        # UTF-8, as WHATWG specifies; httpx would encode text as ASCII. An id that no header can carry isn't sent.
        last_event_id = self._decoder.last_event_id.encode("utf-8", "replace").strip(b" \t")
        if last_event_id and all(byte >= 0x20 and byte != 0x7F for byte in last_event_id):
            headers["Last-Event-ID"] = last_event_id
        return Connect(headers)

    @property
    def _exhausted(self) -> bool:
        if self._max_reconnects is not None and self.reconnects >= self._max_reconnects:
            return True
        return self._failures >= (GIVE_UP_AFTER if self._ever_connected else self._policy.max_retries)

    def _next_wait(self, retry_after: float | None) -> float:
        if self._retry_ms is None:
            wait = self._policy.backoff(self._failures)
        else:
            # The server's `retry` is the minimum and the step of the backoff; 0 must not become a busy loop.
            least = min(self._retry_ms, MAX_WAIT * 1000) / 1000
            step = max(least, 0.1) if self._failures else least
            wait = least + self._policy.draw() * min(self._policy.max_delay, step * 2.0 ** min(self._failures, 64))
        if (beyond := self._short_connections - _SHORT_CONNECTIONS) > 0:
            wait = max(wait, min(_MAX_FLOOR, 0.05 * 2.0 ** min(beyond, 64)))
        if retry_after is not None:
            wait = max(wait, retry_after * (1 + self._policy.draw() / 10))
        return wait

    def _given_up(self, error: InteractorError | None) -> InteractorError:
        reason = str(error) if error is not None else "The server ended it without a `done`."
        given_up = StreamError(
            f"The stream was interrupted and can't be resumed ({self._request}, reconnects: "
            f"{self.reconnects}). {reason}",
            status=error.status if error is not None else None,
            request_id=error.request_id if error is not None else None,
            retry_after=error.retry_after if error is not None else None,
        )
        return self._end_of(given_up, error)

    def _too_late(self, error: InteractorError | None) -> InteractorError:
        return self._end_of(APITimeoutError(f"The stream reached its deadline ({self._request})."), error)

    def _end_of(self, end: InteractorError, error: InteractorError | None) -> InteractorError:
        """Return the error that ends the stream: `end`, caused by the last connection's error, or only the latter if
        `end` is None."""
        if error is not None and not self._ever_connected:
            return error
        end.__cause__ = error
        return end


def _is_transient(error: InteractorError) -> bool:
    if isinstance(error, APIStatusError):
        return error.status in _TRANSIENT or (error.status or 0) >= 500
    return isinstance(error, APIConnectionError | CircuitOpenError)


class _Seen:
    """The events received so far, by id and number: the first with an id, the second, and so on.

    An event without its own id counts under its predecessor's. A server may use one id for several events, for instance
    a message's id. So the second event with an id on one connection is a different event, and the first on a later
    connection is a repeat.
    """

    def __init__(self) -> None:
        # The number of events per id, on this connection and the maximum on an earlier one. Least recently used ids
        # first.
        self._here: OrderedDict[str, int] = OrderedDict()
        self._before: OrderedDict[str, int] = OrderedDict()
        self._id = ""

    def start_connection(self) -> None:
        while self._here:
            self._leave_oldest()
        self._id = ""

    def is_new(self, event_id: str, is_own: bool) -> bool:
        if is_own:
            self._id = event_id
        key = self._id
        if not key:
            return True
        here = self._here
        number = here[key] = here.pop(key, 0) + 1
        if len(here) > _REMEMBERED_IDS:
            self._leave_oldest()
        return number > self._before.get(key, 0)

    def _leave_oldest(self) -> None:
        key, count = self._here.popitem(last=False)
        self._before[key] = max(count, self._before.pop(key, 0))
        if len(self._before) > _REMEMBERED_IDS:
            self._before.popitem(last=False)
