"""The sandbox's only clock: token expiry, idempotency keys, rate limits and timestamps all read it."""

from __future__ import annotations

import math
import threading
import time
from datetime import UTC, datetime


class Clock:
    """Unix time that a test can move, so that nothing has to sleep until something expires.

    `speed` is how many of its seconds pass in one real second. What waits for real (a fault's latency, the pace of a
    streamed answer, a stream's keepalive) does not follow it.
    """

    def __init__(self, *, speed: float = 1.0) -> None:
        if not (math.isfinite(speed) and speed > 0):
            raise ValueError(f"speed must be a positive number, not {speed!r}")
        self._speed = speed
        self._lock = threading.Lock()
        self.reset()

    def now(self) -> float:
        """Seconds since 1970-01-01T00:00:00Z."""
        return self._start + (time.monotonic() - self._mark) * self._speed + self._offset

    def advance(self, seconds: float) -> None:
        """Move forward by `seconds`, or back if they are negative. Safe from any thread."""
        if not math.isfinite(seconds):
            raise ValueError(f"seconds must be a finite number, not {seconds!r}")
        with self._lock:
            self._offset += seconds

    def reset(self) -> None:
        """Show real time again."""
        self._start = time.time()
        self._mark = time.monotonic()
        self._offset = 0.0

    def stamp(self, seconds_from_now: float = 0.0) -> str:
        """Now, or so many seconds later, as the API writes times: ISO 8601, UTC, milliseconds."""
        moment = datetime.fromtimestamp(self.now() + seconds_from_now, UTC)
        return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"
