"""The sandbox's clock, which tests can advance: expiry, idempotency keys, rate limits, retries and timestamps."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import formatdate
from weakref import WeakMethod

# Unix seconds: the beginnings of 1970, 9000 and 10000.
FIRST, LAST, END = 0.0, 221_845_392_000.0, 253_402_300_800.0


def http_date(moment: float) -> bytes:
    """The time as an HTTP date, clamped to what an HTTP date can express."""
    return formatdate(min(max(moment, FIRST), END - 1), usegmt=True).encode()


def is_finite(number: float) -> bool:
    try:
        return math.isfinite(number)
    except OverflowError:
        # An integer larger than any float.
        return False


class Clock:
    """Unix time that a test can advance instead of sleeping.

    `speed` is how many of its seconds pass in one real second. Real waits (a fault's latency, the pace of a streamed
    reply, a stream's keepalive) do not follow it.
    """

    def __init__(self, *, speed: float = 1.0) -> None:
        if not (math.isfinite(speed) and speed > 0):
            raise ValueError(f"speed must be a positive number, not {speed!r}")
        self._speed = speed
        self._lock = threading.Lock()
        # Weak references: a clock may serve many sandboxes and outlive them.
        self._listeners: list[WeakMethod[Callable[[], None]]] = []
        self.reset()

    def now(self) -> float:
        """Seconds since 1970-01-01T00:00:00Z."""
        return self._start + (time.monotonic() - self._mark) * self._speed + self._offset

    def advance(self, seconds: float) -> None:
        """Move forward by `seconds`, or back if negative. Thread-safe.

        Raises ValueError for a time before 1970 or after 8999, so that times around it can be formatted.
        """
        with self._lock:
            if not is_finite(seconds) or not FIRST <= self.now() + seconds <= LAST:
                raise ValueError(
                    f"seconds must be a finite number that leads to the years 1970 to 8999, not {seconds!r}"
                )
            self._offset += seconds
        self._tell()

    def reset(self) -> None:
        """Show real time again."""
        self._start = time.time()
        self._mark = time.monotonic()
        self._offset = 0.0
        self._tell()

    def on_move(self, listener: Callable[[], None]) -> None:
        """Call a bound method after each move, in the moving thread; its object is referenced weakly."""
        with self._lock:
            self._listeners = [known for known in self._listeners if known() is not None]
            self._listeners.append(WeakMethod(listener))

    def real_seconds(self, seconds: float) -> float:
        """The real duration of `seconds` of this clock."""
        return seconds / self._speed

    def stamp(self, seconds_from_now: float = 0.0) -> str:
        """The time now plus `seconds_from_now` in the API's format: ISO 8601, UTC, milliseconds.

        Raises ValueError beyond the years 1 to 9999.
        """
        try:
            moment = datetime.fromtimestamp(self.now() + seconds_from_now, UTC)
        except (ValueError, OverflowError, OSError):
            raise ValueError("leads to no time that can be written") from None
        return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"

    def _tell(self) -> None:
        for reference in self._listeners:
            if listener := reference():
                listener()
