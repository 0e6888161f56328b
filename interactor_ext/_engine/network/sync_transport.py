"""The synchronous transport: a pool of connections for threads."""

from __future__ import annotations

import math
import os
import time
import weakref
from collections.abc import Iterator
from functools import partial
from typing import Any, Self

import httpx

from interactor_ext._engine.call import Call
from interactor_ext._engine.errors import ConfigurationError
from interactor_ext._engine.fork import after_fork_in_child, notice_fork
from interactor_ext._engine.network import hooks
from interactor_ext._engine.network.http1 import Exchange
from interactor_ext._engine.network.pool import ConnectionCounts, Pool, Use, checked_limits
from interactor_ext._engine.network.proxies_and_tls import Certificate, Proxy, Verify
from interactor_ext._engine.network.routes import Routes, guarded_origin, is_injected, seconds_for
from interactor_ext._engine.network.sync_connection import SyncConnection
from interactor_ext._engine.waiting import TRANSPORT_CLOSED, ThreadWaiter
from interactor_ext._engine.waiting.closer import closer

# How often a waiting call checks by itself: the call that should wake it may have been interrupted.
_CHECK_SECONDS = 0.1


class Transport(httpx.HTTPTransport):
    """A connection pool for threads, safe after a fork and after interrupts: an exception that a signal handler raises
    during a call (Ctrl-C, an alarm, a task queue's time limit) costs that call its connection, nothing else.

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
        # httpx's own __init__ isn't called, because it would create a pool. `hooks` explains why this is a subclass.
        self._routes = Routes(verify=verify, cert=cert, proxy=proxy, trust_env=trust_env)
        self._own_pool: Pool[SyncConnection] = Pool(*checked_limits(max_connections, max_streams, keepalive_expiry))
        self._process = os.getpid()
        after_fork_in_child(self._release_inherited)

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
        pool = self._own_pool
        if pool.is_closed:
            raise ConfigurationError(TRANSPORT_CLOSED)
        if os.getpid() != self._process:
            notice_fork()
        start_closer_if_needed()
        body = PooledBody()
        use: Use[SyncConnection] = Use(pool.streams if Call.of(request).is_stream else pool.calls)
        use.watch = weakref.ref(body, closer.queue.put)
        closer.watches[use.watch] = partial(pool.discard, use)
        try:
            if not use.places.take(use):
                self._wait_for_place(use, request)
            origin = guarded_origin(request.url)
            connection = pool.take(use, origin)
            if connection is None:
                connection = use.connection = SyncConnection(self._routes.to(origin))
            if pool.is_closed:  # checked once the connection is in use, where `close` finds it
                raise httpx.ConnectError("the transport was closed in the meantime")
            if not connection.idle_since:
                connection.open(request)
            exchange = connection.send(request)
            response = connection.route.response(exchange, body, connection)
            body._pool, body._exchange, body._request, body._use = pool, exchange, request, use
        except BaseException as error:
            # An interrupted call leaves a connection in an unknown state.
            pool.fail(use, error)
            closer.watches.pop(use.watch, None)
            raise
        return response

    def _wait_for_place(self, use: Use[SyncConnection], request: httpx.Request) -> None:
        waiter = ThreadWaiter()
        use.places.wait(use, waiter)
        try:
            seconds = seconds_for(request, "pool")
            ends_at = math.inf if seconds is None else time.monotonic() + seconds
            while not use.places.take(use):
                if self._own_pool.is_closed:
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

    def connections(self) -> ConnectionCounts:
        """The numbers of connections."""
        return self._own_pool.connections()

    def close(self) -> None:
        """Close all connections. Threads that wait for one of them get an error, and so does every later request."""
        self._own_pool.close()
        start_closer_if_needed()

    def retire(self) -> None:
        """Stop keeping connections: the client was dropped, or the interpreter ends. Daemon threads may still call."""
        self._own_pool.retire()

    def _release_inherited(self) -> None:
        """In a forked child: closing a socket doesn't reach its peer, because the parent still has it open."""
        for connection in self._own_pool.all():
            connection.close()
        self._own_pool.forget_parent()
        self._process = os.getpid()


class PooledBody(httpx.SyncByteStream):
    """The body of a response. It keeps the connection until it is closed or dropped."""

    _pool: Pool[SyncConnection]
    _exchange: Exchange
    _request: httpx.Request
    _use: Use[SyncConnection] | None = None

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
        use, self._use = self._use, None
        if use is not None:
            self._pool.release(use, time.monotonic(), can_reuse=self._exchange.can_reuse)
            # Last: after an interrupt, the closer thread discards the use as soon as the body is dropped.
            closer.watches.pop(use.watch, None)


def start_closer_if_needed() -> None:
    """Start the closer thread if something was dropped. Most programs drop nothing and don't need it."""
    if not closer.is_running and not closer.queue.empty():
        closer.start()
