"""The sandbox's clock, which tests can move: expiry, idempotency keys, rate limits, retries and timestamps."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context
from datetime import UTC, datetime
from email.utils import formatdate
from weakref import WeakMethod

from interactor_client.advised import Advised
from interactor_ext._engine.fork import safe_lock
from interactor_ext.sandbox.work import running_loop

# In Unix seconds: the beginnings of 1970, 9000 and 10000.
FIRST, LAST, END = 0.0, 221_845_392_000.0, 253_402_300_800.0


def http_date(moment: float) -> bytes:
    """Format the time as an HTTP date, clamped to the range of HTTP dates."""
    return formatdate(min(max(moment, FIRST), END - 1), usegmt=True).encode()


def unix_seconds(name: str, moment: float | datetime) -> float:
    """Return Unix seconds. Raises ValueError for a datetime without a zone, and for a time outside 1970 to 9999."""
    if isinstance(moment, datetime):
        if moment.tzinfo is None:
            raise ValueError(f"{name} must have a time zone")
        moment = moment.timestamp()
    if not FIRST <= moment < END:
        raise ValueError(f"{name} must be a datetime, or Unix seconds (not milliseconds), not {moment!r}")
    return moment


class Clock(Advised, calls=True):
    """Unix time that a test can move or freeze instead of sleeping.

    `speed` is how many of its seconds pass in one real second. Real waits (a fault's latency, the pace of a streamed
    reply, a stream's keepalive) don't follow it.
    """

    def __init__(self, *, speed: float = 1.0) -> None:
        if not (math.isfinite(speed) and speed > 0):
            raise ValueError(f"speed must be a positive number, not {speed!r}")
        self._speed = speed
        self._lock = safe_lock()
        # Weak references, because a clock may serve many sandboxes and outlive them.
        self._listeners: list[WeakMethod[Callable[[], None]]] = []
        self.reset()

    def now(self) -> float:
        """Seconds since 1970-01-01T00:00:00Z."""
        moment, mark, speed = self._shown
        return moment + (time.monotonic() - mark) * speed

    @property
    def is_frozen(self) -> bool:
        """Whether the clock is frozen until it is moved."""
        return self._shown[2] == 0

    def advance(self, seconds: float) -> None:
        """Move forward by `seconds`, or back if negative. Thread-safe.

        Raises ValueError for a time before 1970 or after 8999, because times near it must be representable.
        """
        with self._lock:
            self._show(self.now() + seconds, self._shown[2])
        self._notify()

    def set(self, moment: float | datetime) -> None:
        """Move to a time: Unix seconds, or a datetime with a zone. Thread-safe. Raises ValueError like `advance`."""
        with self._lock:
            self._show(unix_seconds("moment", moment), self._shown[2])
        self._notify()

    def freeze(self) -> None:
        """Stop the clock until `resume` or `reset`; `advance` and `set` still move it."""
        with self._lock:
            self._show(self.now(), 0)
        self._notify()

    def resume(self) -> None:
        """Continue from the clock's current time."""
        with self._lock:
            self._show(self.now(), self._speed)
        self._notify()

    def reset(self) -> None:
        """Return to real time, and let it pass."""
        self._show(time.time(), self._speed)
        self._notify()

    def on_move(self, listener: Callable[[], None]) -> None:
        """Call a bound method after each move, in the moving thread; its object is referenced weakly."""
        with self._lock:
            self._listeners = [known for known in self._listeners if known() is not None]
            self._listeners.append(WeakMethod(listener))

    def real_seconds(self, seconds: float) -> float | None:
        """Return the real duration of `seconds` of this clock; None for a future time while it is frozen."""
        speed = self._shown[2]
        return seconds / speed if speed else None if seconds > 0 else 0.0

    def stamp(self, seconds_from_now: float = 0.0) -> str:
        """The time now plus `seconds_from_now` in the API's format: ISO 8601, UTC, milliseconds.

        Raises ValueError outside the years 1 to 9999.
        """
        try:
            moment = datetime.fromtimestamp(self.now() + seconds_from_now, UTC)
        except (ValueError, OverflowError, OSError):
            raise ValueError("leads to a time that can't be represented") from None
        return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"

    def _show(self, moment: float, speed: float) -> None:
        if not FIRST <= moment <= LAST:
            raise ValueError("The clock only shows finite times from 1970 to 8999.")
        self._shown = (moment, time.monotonic(), speed)

    def _notify(self) -> None:
        for reference in self._listeners:
            if listener := reference():
                listener()


class Timetable:
    """Actions to perform at times of the clock, by key: one timer, on the serving loop."""

    def __init__(self, clock: Clock, *, on_move: Callable[[], None]) -> None:
        """`on_move` is called on the serving loop after the clock has moved."""
        self._clock = clock
        self._on_move = on_move
        self._due: dict[str, tuple[float, Callable[[], None]]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        clock.on_move(self._clock_moved)

    @property
    def next_due(self) -> float | None:
        return min((due for due, _ in self._due.values()), default=None)

    def set(self, key: str, due: float, act: Callable[[], None]) -> None:
        """Schedule `act` for this time, replacing any action under this key."""
        self._due[key] = (due, act)
        self._set_timer()

    def drop(self, key: str) -> None:
        self._due.pop(key, None)

    def run_due(self) -> None:
        """Perform what is due, the earliest first. While no loop serves, it waits."""
        while self._loop is not None and self._due:
            key = min(self._due, key=lambda each: self._due[each][0])
            if self._due[key][0] > self._clock.now():
                break
            self._due.pop(key)[1]()
        self._set_timer()

    def serve_on(self, loop: asyncio.AbstractEventLoop) -> None:
        if loop is not self._loop:
            self._loop = loop
            self._moved()

    def stop(self) -> None:
        self.pause(None)
        self._loop = None

    def pause(self, real_seconds: float | None) -> None:
        """Do nothing for a while, even if something is due. With None, wait until something is scheduled."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        if self._loop is not None and not self._loop.is_closed() and real_seconds is not None:
            # Not in the context of a request, which doesn't cause what becomes due.
            self._timer = self._loop.call_later(real_seconds, self.run_due, context=Context())

    def clear(self) -> None:
        self._due.clear()
        self.pause(None)

    def _set_timer(self) -> None:
        due = self.next_due
        self.pause(None if due is None else self._clock.real_seconds(due - self._clock.now()))

    def _clock_moved(self) -> None:
        """Handle a move of the clock, perhaps in another thread."""
        if self._loop is None:
            return
        if self._loop is running_loop():
            self._moved()
        else:
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._moved)

    def _moved(self) -> None:
        self._on_move()
        self.run_due()
