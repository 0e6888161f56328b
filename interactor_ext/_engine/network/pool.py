"""The bookkeeping of both connection pools: places for calls and for streams, and idle connections.

Knows no socket, no event loop and no clock. Each event loop has its own pool; threads share one.

A signal handler that raises (Ctrl-C, an alarm, a task queue's time limit) can end any line of Python code, and the
garbage collector can run other code in between. So a place is only a member of a set, which the call leaves when it
ends, and at the latest when the body of its response is dropped.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

import httpx

from interactor_ext._engine.arguments import above_zero, at_least
from interactor_ext._engine.fork import fork_safe_lock
from interactor_ext._engine.waiting import Waiter

Origin = tuple[str, str, int | None]

# Look for expired connections at most this often: a pool may know many origins.
_EXPIRY_SECONDS = 1.0
# Errors that say something about the server. A cancellation or an interrupt doesn't.
_NETWORK_ERRORS = (httpx.NetworkError, httpx.TimeoutException, httpx.RemoteProtocolError)


def origin_of(url: httpx.URL) -> Origin:
    return url.scheme, url.raw_host.decode("ascii"), url.port


class ConnectionCounts(NamedTuple):
    """Numbers of connections in a pool."""

    open: int
    """All connections, used or not."""
    idle: int
    """Connections that no request uses."""
    waiting: int
    """Requests that wait for a connection."""

    @classmethod
    def sum(cls, pools: Iterable[ConnectionCounts]) -> ConnectionCounts:
        """The total of several pools."""
        return cls(*map(sum, zip((0, 0, 0), *pools, strict=True)))


class Connection(Protocol):
    """A connection of one of the two transports."""

    origin: Origin
    idle_since: float
    """When it last became idle; 0 if it never was."""

    @property
    def is_quiet(self) -> bool: ...

    @property
    def is_usable(self) -> bool: ...

    def close(self) -> None:
        """Neither waits nor takes a lock. Calling it twice is harmless."""

    def shut_down(self) -> None:
        """Close it, or have whoever is using it close it."""


C = TypeVar("C", bound=Connection)


def checked_limits(max_connections: int, max_streams: int, keepalive_expiry: float) -> tuple[int, int, float]:
    """Return the limits of a transport. Raises ConfigurationError for one that no call could work with."""
    if keepalive_expiry != 0:
        above_zero(keepalive_expiry, "keepalive_expiry=", endless=True)
    return at_least(1, max_connections, "max_connections="), at_least(1, max_streams, "max_streams="), keepalive_expiry


class Places:
    """The places for calls, or for streams. Waiting calls get one in order."""

    def __init__(self, maximum: int, lock: AbstractContextManager[Any]) -> None:
        self.used: set[Use[Any]] = set()
        self.waiting: deque[Waiter] = deque()
        self._maximum = maximum
        self._lock = lock

    def take(self, use: Use[Any]) -> bool:
        """Whether a place was free and no earlier call is waiting for it."""
        with self._lock:
            if len(self.used) >= self._maximum or (self.waiting and self.waiting[0] is not use.waiter):
                return False
            self.used.add(use)
            if self.waiting:
                self._leave_queue(use)
        return True

    def wait(self, use: Use[Any], waiter: Waiter) -> None:
        """Join the queue. `waiter` is woken when another `take` may succeed."""
        use.waiter = waiter
        with self._lock:
            self.waiting.append(waiter)

    def leave(self, use: Use[Any]) -> None:
        self.used.discard(use)
        if self.waiting:
            with self._lock:
                self._leave_queue(use)

    def _leave_queue(self, use: Use[Any]) -> None:
        if use.waiter is not None and use.waiter in self.waiting:
            self.waiting.remove(use.waiter)
            use.waiter = None
        if self.waiting:
            self.waiting[0].wake()


@dataclass(slots=True, eq=False)
class Use(Generic[C]):
    """A call's place in the pool and its connection, for as long as the body of its response lives."""

    places: Places
    connection: C | None = None
    waiter: Waiter | None = None
    watch: Any = None
    """Ends the use if the body is dropped without being closed, in threads."""


class Pool(Generic[C]):
    """The connections of one transport, or of one event loop.

    Calls and streams have separate places: streams last for minutes and could leave no place for calls.
    """

    def __init__(self, max_calls: int, max_streams: int, keepalive_expiry: float) -> None:
        self.is_closed = False
        self.keeps_idle = True
        self._lock = fork_safe_lock()
        self.calls = Places(max_calls, self._lock)
        self.streams = Places(max_streams, self._lock)
        self._max_calls = max_calls
        self._keepalive_expiry = keepalive_expiry
        self._next_expiry_check = 0.0
        self._idle: dict[Origin, deque[C]] = {}  # in each deque, the longest idle connection comes first

    def take(self, use: Use[C], origin: Origin) -> C | None:
        """The idle connection to this origin that was used last, so the others expire; or None.

        A full pool closes its longest idle connection to make room for a new one.
        """
        while True:
            surplus = None
            with self._lock:
                idle = self._idle.get(origin)
                connection = use.connection = idle.pop() if idle else None
                if connection is None and len(self.calls.used) + self._count_idle() > self._max_calls:
                    surplus = self._take_oldest()
            if surplus is not None:
                surplus.close()
            if connection is None or connection.is_usable:
                return connection
            connection.close()

    def release(self, use: Use[C], now: float, *, can_reuse: bool) -> None:
        """After the body was closed: keep the connection for another call if possible, and close expired ones."""
        connection = use.connection
        if can_reuse and connection is not None and use.places is self.calls and connection.is_quiet:
            with self._lock:
                if self.keeps_idle and use in use.places.used:  # not after a fork
                    use.connection = None
                    connection.idle_since = now
                    self._idle.setdefault(connection.origin, deque()).append(connection)
        self.discard(use)
        if now >= self._next_expiry_check:
            self._next_expiry_check = now + min(_EXPIRY_SECONDS, self._keepalive_expiry)
            self._close_expired(now - self._keepalive_expiry)

    def discard(self, use: Use[C]) -> None:
        """End a use and close its connection. Calling it twice is harmless."""
        if use.connection is not None:
            use.connection.close()
        use.places.leave(use)

    def fail(self, use: Use[C], error: BaseException) -> None:
        """End a use that `error` has ended before there was a response.

        If a reused connection fails, the server or something on the way to it has probably forgotten it, and those that
        were idle for longer, too.
        """
        self.discard(use)
        failed = use.connection
        if failed is None or not failed.idle_since or not isinstance(error, _NETWORK_ERRORS):
            return
        with self._lock:
            idle = self._idle.get(failed.origin, deque())
            doubtful = [idle.popleft() for _ in range(len(idle)) if idle[0].idle_since <= failed.idle_since]
        for connection in doubtful:
            connection.close()

    def retire(self) -> None:
        """Close the idle connections and stop keeping any."""
        self.keeps_idle = False
        with self._lock:
            idle = [connection for idle in self._idle.values() for connection in idle]
            self._idle.clear()
        for connection in idle:
            connection.close()

    def close(self) -> None:
        """End everything that calls use or wait for. Doesn't wait."""
        self.is_closed = True
        for use in self._uses():
            if use.connection is not None:
                use.connection.shut_down()
        self.retire()
        for places in (self.calls, self.streams):
            for waiter in list(places.waiting):
                waiter.wake()

    def forget_parent(self) -> None:
        """In a forked child: forget the parent's calls and connections."""
        for places in (self.calls, self.streams):
            places.used.clear()
            places.waiting.clear()
        self._idle.clear()

    def all(self) -> list[C]:
        """The connections, used or idle."""
        used = [use.connection for use in self._uses() if use.connection is not None]
        return [*used, *(connection for idle in list(self._idle.values()) for connection in idle)]

    def connections(self) -> ConnectionCounts:
        """The numbers of connections."""
        idle, waiting = self._count_idle(), len(self.calls.waiting) + len(self.streams.waiting)
        return ConnectionCounts(len(self._uses()) + idle, idle, waiting)

    def _uses(self) -> list[Use[C]]:
        return [*self.calls.used, *self.streams.used]

    def _count_idle(self) -> int:
        return sum(map(len, list(self._idle.values())))

    def _take_oldest(self, idle_before: float = math.inf) -> C | None:
        candidates = (idle[0] for idle in self._idle.values() if idle)
        oldest = min(candidates, key=attrgetter("idle_since"), default=None)
        if oldest is None or oldest.idle_since > idle_before:
            return None
        return self._idle[oldest.origin].popleft()

    def _close_expired(self, idle_before: float) -> None:
        while True:
            with self._lock:
                expired = self._take_oldest(idle_before)
            if expired is None:
                return
            expired.close()
