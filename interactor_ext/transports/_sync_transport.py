"""The synchronous transport: a pool of many httpx transports of one connection each.

A signal handler that raises (Ctrl-C, an alarm, a task queue's time limit) can end any line of Python code, and the
garbage collector can run anybody's code in between. A pool whose bookkeeping calls share, as httpx's, is wedged when
that happens within it. Here no two calls share any of httpx's objects, and a place in the pool is nothing but a member
of a set: it ends with its call, or at the latest when the body of the response is dropped.
"""

from __future__ import annotations

import contextlib
import math
import os
import socket
import time
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import httpx

from interactor_ext._errors import ConfigurationError
from interactor_ext._fork import after_fork_in_child, fork_safe_lock, notice_fork
from interactor_ext._waiting import TRANSPORT_CLOSED, ThreadWaiter
from interactor_ext._waiting.closer import Watch, closer
from interactor_ext.transports._httpx_internals import OnlyConnection, network_deadline
from interactor_ext.transports._idle_connections import Connections, IdleConnections, Origin, origin_of
from interactor_ext.transports._proxies_and_tls import Certificate, Proxy, Verify, connector

# A waiting call checks so often for itself: the call that should wake it may have been interrupted.
_CHECK_SECONDS = 0.1
# How often expired connections are looked for, at most.
_EXPIRY_SECONDS = 1.0


class SyncConnection:
    """A transport of httpx with at most one socket.

    To close it closes the socket alone: httpx would take locks, which an interrupted call may hold for ever.
    """

    __slots__ = ("_network", "idle_since", "only", "origin", "transport")

    def __init__(self, origin: Origin, transport: httpx.HTTPTransport, proxy_source: str) -> None:
        self.origin: Origin = origin
        self.transport: httpx.HTTPTransport = transport
        self.idle_since: float = 0.0
        self.only: OnlyConnection = OnlyConnection(transport, proxy_source)
        self._network = self.only.network

    def close(self) -> None:
        """Neither waits nor takes a lock. Twice does no harm."""
        self._network.closed = True
        if self._network.opened_last is not None:
            self._network.opened_last.close()

    def shut_down(self) -> None:
        """Wake the thread that reads or writes, with an error. That thread closes the connection."""
        self._network.closed = True
        if self._network.opened_last is not None:
            with contextlib.suppress(OSError):  # it is closed already
                self._network.opened_last.get_extra_info("socket").shutdown(socket.SHUT_RDWR)


class Transport(httpx.BaseTransport):
    """A connection pool for threads, safe after a fork and after interrupts: an exception that a signal handler raises
    during a call (Ctrl-C, an alarm, a task queue's time limit) costs that call its connection, and nothing else.

    Settings are the same as in `AsyncTransport`. `max_connections` limits calls and streams together, because each of
    them occupies one of your threads anyway.
    """

    def __init__(
        self,
        *,
        verify: Verify = True,
        cert: Certificate | None = None,
        proxy: Proxy | None = None,
        trust_env: bool = True,
        max_connections: int = 1000,
        keepalive_expiry: float = 15.0,
    ) -> None:
        self._connect = connector(
            httpx.HTTPTransport,
            verify=verify,
            cert=cert,
            proxy=proxy,
            trust_env=trust_env,
            keepalive_expiry=keepalive_expiry,
        )
        self._max_connections = max_connections
        self._keepalive_expiry = keepalive_expiry
        self._closed = False
        self._retired = False
        self._lock = fork_safe_lock()
        self._reset()
        after_fork_in_child(self._release_inherited)

    def _reset(self) -> None:
        self._process = os.getpid()
        self._used: set[_Use] = set()  # each is a place
        self._idle: IdleConnections[SyncConnection] = IdleConnections()
        self._waiting: dict[_Use, ThreadWaiter] = {}
        self._next_expiry_check = 0.0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Called by httpx: send a request."""
        if self._closed:
            raise ConfigurationError(TRANSPORT_CLOSED)
        if os.getpid() != self._process:
            notice_fork()
        self._start_closer()
        body = PooledBody()
        use = _Use(weakref.ref(body, closer.queue.put))
        closer.watches[use.watch] = partial(self.discard, use)
        try:
            if not self._take_place(use):
                self._wait_for_place(use, request)
            connection = self._connection(use, origin_of(request.url))
            connection.only.prepare(request.url)
            response = connection.transport.handle_request(request)
            body._pool, body._body, body._use = self, response.stream, use
        except BaseException:
            # Interrupted at an unlucky instant, httpx may hold a connection that it will never use nor drop.
            self.discard(use)
            raise
        response.stream = body
        return response

    def _start_closer(self) -> None:
        """Have the closer thread close what was dropped. Most programs drop nothing, and need no thread for it."""
        if not closer.is_running and not closer.queue.empty():
            closer.start()

    def _take_place(self, use: _Use) -> bool:
        """Whether there was a place to take, and nobody waits before this call."""
        with self._lock:
            first = [*self._waiting, use][0]  # copied in C: other threads may join meanwhile
            if first is not use or len(self._used) >= self._max_connections:
                return False
            self._used.add(use)
            self._waiting.pop(use, None)
        if self._waiting:
            self._wake_next()
        return True

    def _wake_next(self) -> None:
        for waiter in list(self._waiting.values())[:1]:
            waiter.wake()

    def _wait_for_place(self, use: _Use, request: httpx.Request) -> None:
        timeout = request.extensions.get("timeout", {}).get("pool")
        ends_at = min(network_deadline.get(), math.inf if timeout is None else time.monotonic() + timeout)
        waiter = self._waiting[use] = ThreadWaiter()
        while not self._take_place(use):
            if self._closed:
                raise httpx.ConnectError("the transport was closed while this call waited for a connection")
            left = ends_at - time.monotonic()
            if left <= 0:
                raise httpx.PoolTimeout("all connections are in use", request=request)
            waiter.wait(min(left, _CHECK_SECONDS))
            self._start_closer()

    def _connection(self, use: _Use, origin: Origin) -> SyncConnection:
        surplus = None
        with self._lock:
            connection = use.connection = self._idle.take(origin)
            if connection is None and len(self._used) + len(self._idle) > self._max_connections:
                surplus = self._idle.take_oldest()
        if surplus is not None:
            surplus.close()
        if connection is None:
            connection = use.connection = SyncConnection(origin, *self._connect(origin))
        if self._closed:  # asked after the connection is in use, where `close` finds it
            raise httpx.ConnectError("the transport was closed in the meantime")
        return connection

    def release(self, use: _Use) -> None:
        """After its response was closed: keep its connection for another call, if the response was read to the end."""
        connection = use.connection
        if connection is None or not connection.only.is_idle():
            self.discard(use)
            return
        now = time.monotonic()
        with self._lock:
            # Neither in a forked child nor after `close`, which retires as well.
            keeps = use in self._used and not self._retired
            if keeps:
                use.connection = None
                self._idle.put(connection, now)
        self.discard(use)
        if now >= self._next_expiry_check:
            self._next_expiry_check = now + min(_EXPIRY_SECONDS, self._keepalive_expiry)
            self._close_expired(now - self._keepalive_expiry)

    def discard(self, use: _Use) -> None:
        """Stop using a connection, which is closed. Calling it twice does no harm."""
        if use.connection is not None:
            use.connection.close()
        use.chunks = None
        self._used.discard(use)
        closer.watches.pop(use.watch, None)
        if self._waiting:
            self._waiting.pop(use, None)
            self._wake_next()

    def _close_expired(self, idle_before: float) -> None:
        while True:
            with self._lock:
                expired = self._idle.take_oldest(idle_before)
            if expired is None:
                return
            expired.close()

    def _close_idle(self) -> None:
        with self._lock:
            idle = self._idle.take_all()
        for connection in idle:
            connection.close()

    def connections(self) -> Connections:
        """The numbers of connections."""
        used, idle = len(self._used), len(self._idle)
        return Connections(used + idle, idle, len(self._waiting))

    def close(self) -> None:
        """Close all connections; a thread that waits for one of them gets an error, and so does every later request."""
        # Waits for nothing. A call that uses a connection gets an error, and closes it.
        self._closed = self._retired = True
        for use in list(self._used):
            if use.connection is not None:
                use.connection.shut_down()
        self._close_idle()
        for waiter in list(self._waiting.values()):
            waiter.wake()

    def retire(self) -> None:
        """Keep no connections: the client was dropped, or the interpreter ends. Daemon threads may still make calls."""
        self._retired = True
        self._close_idle()

    def _release_inherited(self) -> None:
        """In a forked child: closing a socket says nothing to its peer, for the parent still holds it."""
        for use in list(self._used):
            if use.connection is not None:
                use.connection.close()
        self._close_idle()
        self._reset()


@dataclass(slots=True, eq=False)
class _Use:
    """The use of a connection by a call, for as long as the body of its response lives: a place in the pool."""

    watch: Watch
    """Ends it where the body is dropped without being closed."""
    connection: SyncConnection | None = None
    chunks: Iterator[bytes] | None = None
    """The generators of httpx wait for locks when the collector closes them. Held here, they are not collected."""


class PooledBody(httpx.SyncByteStream):
    """The body of a response, which holds the connection until it is closed or dropped."""

    _pool: Transport
    _body: Any = None
    _use: _Use | None = None

    def __iter__(self) -> Iterator[bytes]:
        use = self._use
        if use is None:
            return iter(())
        chunks: Iterator[bytes] = iter(self._body)
        use.chunks = chunks
        return chunks

    def close(self) -> None:
        # If it is interrupted from here on, the closer thread ends the use as soon as this is dropped.
        use, self._use = self._use, None
        if use is None:
            return
        try:
            self._body.close()
        except BaseException:
            self._pool.discard(use)
            raise
        self._pool.release(use)
