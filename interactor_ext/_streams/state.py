"""What an event stream does next: decided from bytes, statuses, failures and the time, without a socket or a clock.

A loop hands out what is `ready`, then does the `action`, and reports what came of it:

    Connect     open a connection with these headers     -> connected, finished or failed
    Read        wait for the next bytes                  -> received or failed
    Wait        sleep                                    -> woken
    End         close; raise the error, if there is one
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from interactor_ext._errors import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    CircuitOpenError,
    InteractorError,
    StreamError,
)
from interactor_ext._streams.events import CONTROL, EventReader, Received, stream_error
from interactor_ext.retry import RetryPolicy
from interactor_ext.sse import Block, EventTooLargeError, SSEDecoder

GIVE_UP_AFTER = 20
"""Failures in a row after which a stream is given up: with the default waits, some four minutes."""
LONGEST_WAIT = 300.0
"""Seconds. A `retry:` beyond is cut to it; a `Retry-After` beyond ends the stream."""
# A connection that brought bytes for so long was a good one, even if nothing happened on it.
_HEALTHY_AFTER = 10.0
_REMEMBERED_IDS = 8192
# A request timeout, "too early" and "too many requests" pass; any other 4xx will be the same next time.
_PASSING = frozenset({408, 425, 429})


class Connect(NamedTuple):
    headers: dict[str, bytes]


class Read(NamedTuple):
    pass


class Wait(NamedTuple):
    seconds: float
    reconnect: int
    """The number of the reconnect that follows, from 1."""


class End(NamedTuple):
    error: InteractorError | None


class StreamState:
    """One stream over all of its connections. `now` and `deadline` are seconds on the same clock."""

    def __init__(
        self,
        reader: EventReader,
        *,
        request: str,
        last_event_id: str = "",
        max_reconnects: int | None = None,
        policy: RetryPolicy,
        deadline: float | None = None,
    ) -> None:
        self.ready: deque[Received] = deque()
        self.action: Connect | Read | Wait | End
        self.reconnects = 0
        self._reader = reader
        self._request = request
        self._max_reconnects = max_reconnects
        self._policy = policy
        self._deadline = deadline
        self._decoder = SSEDecoder(last_event_id)
        self._retry_ms: int | None = None
        self._seen = _Seen()
        self._failures = 0  # in a row
        self._ever_connected = False
        self._connected_at = self._heard_at = 0.0
        self.woken()

    def connected(self, now: float) -> None:
        """The server answered with an event stream."""
        self._ever_connected = True
        self._connected_at = self._heard_at = now
        self._decoder = SSEDecoder(self._decoder.last_event_id)
        self._seen.start_connection()
        self.action = Read()

    def finished(self) -> None:
        """Nothing more will come, or is wanted."""
        self.action = End(None)

    def received(self, chunk: bytes, now: float) -> None:
        """Bytes of the open connection."""
        self._heard_at = now
        try:
            blocks = self._decoder.feed_blocks(chunk)
        except EventTooLargeError as error:
            self.action = End(error)
            blocks = error.blocks
        if self._decoder.retry_ms is not None:
            self._retry_ms = self._decoder.retry_ms
        for block in blocks:
            if not self._seen.is_new(block):
                continue
            event = self._reader.read(block)
            if event.type not in CONTROL:
                self._failures = 0
                self.ready.append(event)
            elif event.type in ("done", "error"):
                self.action = End(stream_error(event, self._request) if event.type == "error" else None)
                return
        if self._deadline is not None and now >= self._deadline and isinstance(self.action, Read):
            self.out_of_time()

    def failed(self, error: InteractorError | None, now: float) -> None:
        """There is no connection, or no longer: an error, or None where the server ended it without a `done`."""
        if isinstance(self.action, Read) and self._heard_at - self._connected_at >= _HEALTHY_AFTER:
            self._failures = 0
        retry_after = error.retry_after if error is not None else None
        wait = self._next_wait(retry_after)
        if error is not None and (not _passes(error) or (retry_after or 0) > LONGEST_WAIT):
            self.action = End(error)
        elif self._exhausted:
            self.action = End(self._given_up(error))
        elif self._deadline is not None and now + wait >= self._deadline:
            self.action = End(self._too_late(error))
        else:
            self._failures += 1
            self.reconnects += 1
            self.action = Wait(wait, self.reconnects)

    def woken(self) -> None:
        """The wait is over; or the connection was closed by its own reader, who now wants more."""
        headers = {"Accept": b"text/event-stream", "Cache-Control": b"no-store"}
        # UTF-8, as the WHATWG has it: httpx would encode text as ASCII. An id that no header can carry stays unsent.
        last_event_id = self._decoder.last_event_id.encode("utf-8", "replace").strip(b" \t")
        if last_event_id and all(byte >= 0x20 and byte != 0x7F for byte in last_event_id):
            headers["Last-Event-ID"] = last_event_id
        self.action = Connect(headers)

    def out_of_time(self) -> None:
        """The deadline has come."""
        self.action = End(self._too_late(None))

    @property
    def _exhausted(self) -> bool:
        if self._max_reconnects is not None and self.reconnects >= self._max_reconnects:
            return True
        return self._failures >= (GIVE_UP_AFTER if self._ever_connected else self._policy.max_retries)

    def _next_wait(self, retry_after: float | None) -> float:
        if self._retry_ms is None:
            wait = self._policy.backoff(self._failures)
        else:
            # The server's wish is the least, and the step of the backoff; a wish of 0 must not become a busy loop.
            least = min(self._retry_ms, LONGEST_WAIT * 1000) / 1000
            step = max(least, 0.1) if self._failures else least
            wait = least + self._policy.draw() * min(self._policy.max_delay, step * 2.0 ** min(self._failures, 64))
        if retry_after is not None:
            wait = max(wait, retry_after * (1 + self._policy.draw() / 10))
        return wait

    def _given_up(self, error: InteractorError | None) -> InteractorError:
        if error is not None and not self._ever_connected:
            return error
        reason = str(error) if error is not None else "The server ended it without a `done`."
        given_up = StreamError(
            f"The stream broke off and cannot be resumed ({self._request}, reconnects: {self.reconnects}). {reason}",
            status=error.status if error is not None else None,
            request_id=error.request_id if error is not None else None,
            retry_after=error.retry_after if error is not None else None,
        )
        given_up.__cause__ = error
        return given_up

    def _too_late(self, error: InteractorError | None) -> InteractorError:
        if error is not None and not self._ever_connected:
            return error
        too_late = APITimeoutError(f"The deadline of the stream has come ({self._request}).")
        too_late.__cause__ = error
        return too_late


def _passes(error: InteractorError) -> bool:
    if isinstance(error, APIStatusError):
        return error.status in _PASSING or (error.status or 0) >= 500
    return isinstance(error, APIConnectionError | CircuitOpenError)


class _Seen:
    """The events that came, by id. One without an id of its own is counted from the last that had one."""

    def __init__(self) -> None:
        # Two generations: to forget the older one whole costs nothing per event.
        self._newer: dict[str, int] = {}
        self._older: dict[str, int] = {}
        self.start_connection()

    def start_connection(self) -> None:
        self._id = ""
        self._place = 0

    def is_new(self, block: Block) -> bool:
        if block.own_id:
            self._id = block.id
            self._place = 0
        if not self._id:
            return True
        self._place += 1
        if self._place <= (self._newer.get(self._id) or self._older.get(self._id, 0)):
            return False
        self._newer[self._id] = self._place
        if len(self._newer) > _REMEMBERED_IDS:
            self._older, self._newer = self._newer, {}
        return True
