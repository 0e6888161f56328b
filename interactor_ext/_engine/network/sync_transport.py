"""The synchronous transport: a pool of connections for threads.

A signal handler that raises (Ctrl-C, an alarm, a task queue's time limit) can end any line of Python code, and the
garbage collector can run anybody's code in between. A pool whose bookkeeping calls share, as httpx's, is wedged when
that happens within it. Here a place in the pool is nothing but a member of a set: it ends with its call, or at the
latest when the body of the response is dropped.
"""

from __future__ import annotations

import math
import os
import time
import weakref
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

import httpx

from interactor_ext._engine.call import Call
from interactor_ext._engine.errors import ConfigurationError
from interactor_ext._engine.fork import after_fork_in_child, fork_safe_lock, notice_fork
from interactor_ext._engine.network import guarded_origin, hooks
from interactor_ext._engine.network.http1 import Exchange
from interactor_ext._engine.network.idle_connections import Connections, IdleConnections, Origin
from interactor_ext._engine.network.proxies_and_tls import Certificate, Proxy, Verify
from interactor_ext._engine.network.routes import Routes, is_injected, seconds_for
from interactor_ext._engine.network.sync_connection import SyncConnection
from interactor_ext._engine.waiting import TRANSPORT_CLOSED, ThreadWaiter
from interactor_ext._engine.waiting.closer import Watch, closer

# A waiting call checks so often for itself: the call that should wake it may have been interrupted.
_CHECK_SECONDS = 0.1
# How often expired connections are looked for, at most.
_EXPIRY_SECONDS = 1.0


class Transport(httpx.HTTPTransport):
    """A connection pool for threads, safe after a fork and after interrupts: an exception that a signal handler raises
    during a call (Ctrl-C, an alarm, a task queue's time limit) costs that call its connection, and nothing else.

    Settings are the same as in `AsyncTransport`.
    """

    def __init__(
        self,
        *,
        verify: Verify = True,
        cert: Certificate | None = None,
        proxy: Proxy | None = None,
        trust_env: bool = True,
        max_connections: int = 1000,
        max_streams: int = 1000,
        keepalive_expiry: float = 15.0,
    ) -> None:
        # httpx's own __init__ would make a pool. What it is a subclass for is said in `hooks`.
        self._routes = Routes(verify=verify, cert=cert, proxy=proxy, trust_env=trust_env)
        self._most = max_connections, max_streams
        self._keepalive_expiry = keepalive_expiry
        self._closed = False
        self._retired = False
        self._lock = fork_safe_lock()
        self._reset()
        after_fork_in_child(self._release_inherited)

    def _reset(self) -> None:
        self._process = os.getpid()
        self._calls, self._streams = (_Places(most, self._lock) for most in self._most)
        self._idle: IdleConnections[SyncConnection] = IdleConnections()
        self._next_expiry_check = 0.0

    @property
    def _pool(self) -> Any:  # type: ignore[override]
        return hooks.HttpcorePool(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Called by httpx: send a request."""
        match hooks.hooked(httpx.HTTPTransport, "handle_request", ("ConnectionPool", "HTTPConnection")):
            case "httpcore":
                plain: httpx.HTTPTransport = hooks.plain_transport(self._routes, request.url, httpx.HTTPTransport)
                return plain.handle_request(request)
            case "httpx":
                return super().handle_request(request)
        return self._send(request)

    def _send(self, request: httpx.Request) -> httpx.Response:
        if self._closed:
            raise ConfigurationError(TRANSPORT_CLOSED)
        if os.getpid() != self._process:
            notice_fork()
        start_closer_if_needed()
        body = PooledBody()
        is_stream = Call.of(request).is_stream
        use = _Use(weakref.ref(body, closer.queue.put), self._streams if is_stream else self._calls, is_stream)
        closer.watches[use.watch] = partial(self.discard, use)
        try:
            if not use.places.take(use):
                self._wait_for_place(use, request)
            connection = self._connection(use, request)
            exchange = connection.send(request)
            use.is_answered = True
            response = connection.route.response(exchange, body, connection)
            body._pool, body._exchange, body._request, body._use = self, exchange, request, use
        except BaseException:
            # An interrupted call leaves a connection in an unknown state.
            self.discard(use)
            raise
        return response

    def _wait_for_place(self, use: _Use, request: httpx.Request) -> None:
        waiter = use.places.waiting[use] = ThreadWaiter()
        try:
            seconds = seconds_for(request, "pool")
            ends_at = math.inf if seconds is None else time.monotonic() + seconds
            while not use.places.take(use):
                if self._closed:
                    raise httpx.ConnectError("the transport was closed while this call waited for a connection")
                left = ends_at - time.monotonic()
                if left <= 0:
                    raise TimeoutError("no place was free in time")
                waiter.wait(min(left, _CHECK_SECONDS))
                start_closer_if_needed()
        except TimeoutError as error:
            if is_injected(error):
                raise
            raise httpx.PoolTimeout("all connections are in use", request=request) from error

    def _connection(self, use: _Use, request: httpx.Request) -> SyncConnection:
        origin = guarded_origin(request.url)
        surplus = None
        while True:
            with self._lock:
                connection = use.connection = self._idle.take(origin)
                if connection is None and len(self._calls.used) + len(self._idle) > self._most[0]:
                    surplus = self._idle.take_oldest()
            if connection is None or connection.is_usable:
                break
            connection.close()
        if surplus is not None:
            surplus.close()
        if connection is None:
            connection = use.connection = SyncConnection(self._routes.to(origin))
            connection.open(request)
        if self._closed:  # asked after the connection is in use, where `close` finds it
            raise httpx.ConnectError("the transport was closed in the meantime")
        return connection

    def release(self, use: _Use, exchange: Exchange) -> None:
        """After its response was closed: keep its connection for another call, if the response was read to the end."""
        connection = use.connection
        if connection is None or use.is_stream or not exchange.can_reuse or not connection.is_quiet:
            self.discard(use)
            return
        now = time.monotonic()
        with self._lock:
            # Neither in a forked child nor after `close`, which retires as well.
            keeps = use in use.places.used and not self._retired
            if keeps:
                use.connection = None
                self._idle.put(connection, now)
        self.discard(use)
        if now >= self._next_expiry_check:
            self._next_expiry_check = now + min(_EXPIRY_SECONDS, self._keepalive_expiry)
            self._close_expired(now - self._keepalive_expiry)

    def discard(self, use: _Use) -> None:
        """Stop using a connection, which is closed. Calling it twice does no harm."""
        connection = use.connection
        if connection is not None:
            connection.close()
            if not use.is_answered and connection.idle_since:
                # The server, or something on the way to it, has forgotten it, and those that were idle for longer too.
                self._close_idle(connection.origin, connection.idle_since)
        use.places.leave(use)
        # Last: whatever an interrupt keeps from being done above, the closer thread does.
        closer.watches.pop(use.watch, None)

    def _close_expired(self, idle_before: float) -> None:
        while True:
            with self._lock:
                expired = self._idle.take_oldest(idle_before)
            if expired is None:
                return
            expired.close()

    def _close_idle(self, origin: Origin | None = None, idle_before: float = math.inf) -> None:
        with self._lock:
            idle = self._idle.take_all(origin, idle_before)
        for connection in idle:
            connection.close()

    def connections(self) -> Connections:
        """The numbers of connections."""
        used, idle = len(self._calls.used) + len(self._streams.used), len(self._idle)
        return Connections(used + idle, idle, len(self._calls.waiting) + len(self._streams.waiting))

    def close(self) -> None:
        """Close all connections; a thread that waits for one of them gets an error, and so does every later request."""
        # Waits for nothing. A call that uses a connection gets an error, and closes it.
        self._closed = self._retired = True
        for use in self._uses():
            if use.connection is not None:
                use.connection.shut_down()
        self._close_idle()
        start_closer_if_needed()
        for places in (self._calls, self._streams):
            for waiter in list(places.waiting.values()):
                waiter.wake()

    def retire(self) -> None:
        """Keep no connections: the client was dropped, or the interpreter ends. Daemon threads may still make calls."""
        self._retired = True
        self._close_idle()

    def _uses(self) -> list[_Use]:
        return [*self._calls.used, *self._streams.used]

    def _release_inherited(self) -> None:
        """In a forked child: closing a socket says nothing to its peer, for the parent still holds it."""
        for use in self._uses():
            if use.connection is not None:
                use.connection.close()
        self._close_idle()
        self._reset()


class _Places:
    """The places for calls, or for streams. Who waits gets one in turn."""

    def __init__(self, most: int, lock: AbstractContextManager[Any]) -> None:
        self.used: set[_Use] = set()
        self.waiting: dict[_Use, ThreadWaiter] = {}
        self._most = most
        self._lock = lock

    def take(self, use: _Use) -> bool:
        """Whether there was a place to take, and nobody waits before this call."""
        with self._lock:
            first = [*self.waiting, use][0]  # copied in C: other threads may join meanwhile
            if first is not use or len(self.used) >= self._most:
                return False
            self.used.add(use)
            self.waiting.pop(use, None)
        if self.waiting:
            self._wake_next()
        return True

    def leave(self, use: _Use) -> None:
        self.used.discard(use)
        if self.waiting:
            self.waiting.pop(use, None)
            self._wake_next()

    def _wake_next(self) -> None:
        for waiter in list(self.waiting.values())[:1]:
            waiter.wake()


@dataclass(slots=True, eq=False)
class _Use:
    """The use of a connection by a call, for as long as the body of its response lives: a place in the pool."""

    watch: Watch
    """Ends it where the body is dropped without being closed."""
    places: _Places
    is_stream: bool
    connection: SyncConnection | None = None
    is_answered: bool = False


class PooledBody(httpx.SyncByteStream):
    """The body of a response, which holds the connection until it is closed or dropped."""

    _pool: Transport
    _exchange: Exchange
    _request: httpx.Request
    _use: _Use | None = None

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        exchange = self._exchange
        while not (data := exchange.take()):
            use = self._use
            if exchange.is_complete or use is None or use.connection is None:
                raise StopIteration
            exchange.receive(use.connection.receive(self._request))
        return data

    def close(self) -> None:
        # If it is interrupted from here on, the closer thread ends the use as soon as this is dropped.
        use, self._use = self._use, None
        if use is not None:
            self._pool.release(use, self._exchange)


def start_closer_if_needed() -> None:
    """Have the closer thread close what was dropped. Most programs drop nothing, and need no thread for it."""
    if not closer.is_running and not closer.queue.empty():
        closer.start()
