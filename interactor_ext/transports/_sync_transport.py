"""The synchronous transport: a pool of many httpx transports of one connection each, the last used free one first.

A signal handler that raises (Ctrl-C, an alarm, a task queue's time limit) can end any line of Python code, and the
garbage collector can run anybody's code in between. A pool that calls share, as httpx's, is wedged when that happens
amid its bookkeeping. Here no two calls share any of httpx's objects. What they do share is changed by single operations
of deques, sets and dictionaries, which are written in C: neither a handler nor the collector runs amid one. The
connection of an interrupted call is closed by that call, or by the next one.
"""

from __future__ import annotations

import contextlib
import math
import socket
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, TypeVar

import httpx

from interactor_ext._errors import ConfigurationError
from interactor_ext._fork import after_fork_in_child, fork_safe_lock
from interactor_ext._waiting import TRANSPORT_CLOSED, Closing, ThreadWaiter
from interactor_ext._waiting.closer import Watch, closer
from interactor_ext.telemetry._connections import Connections
from interactor_ext.transports._httpx_internals import has_idle_connection, watch_network
from interactor_ext.transports._proxies_and_tls import Certificate, Origin, Proxy, Verify, connector, origin_of

T = TypeVar("T")

_MOST_IDLE = 100
# A waiting call checks so often for itself: the call that should wake it may have been interrupted.
_CHECK_SECONDS = 0.1


class SyncConnection:
    """A transport of httpx with at most one socket.

    To close it closes the socket alone: httpx would take locks, which an interrupted call may hold for ever.
    """

    __slots__ = ("_network", "idle_since", "origin", "transport")

    def __init__(self, origin: Origin, transport: httpx.HTTPTransport) -> None:
        self.origin = origin
        self.transport = transport
        self.idle_since = 0.0
        network = watch_network(transport)
        assert network is not None
        self._network = network

    def is_idle(self) -> bool:
        """Whether it can serve another call: the last response was read to the end, and it was not closed."""
        return has_idle_connection(self.transport) and not self._network.closed

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

    Settings as in `AsyncTransport`. `max_connections` bounds calls and streams together: each of them occupies a thread
    of yours anyway.
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
        self._next_expiry_check = 0.0  # for connections that were idle too long
        self._lock = fork_safe_lock()
        self._reset()
        after_fork_in_child(self._release_inherited)

    def _reset(self) -> None:
        # Each connection is in the lease of one call, or in one deque of idle ones, in which the last used is the last.
        self._calls: set[_Lease] = set()
        self._idle: dict[Origin, deque[SyncConnection]] = {}
        self._waiting: dict[_Lease, ThreadWaiter] = {}
        self._dropped: deque[_Lease] = deque()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Called by httpx: send a request."""
        if self._closed:
            raise ConfigurationError(TRANSPORT_CLOSED)
        if self._dropped:
            self._close_dropped()
        body = PooledBody()
        dropped: Callable[[Any], object] = self._dropped.append
        is_stream = getattr(request.extensions.get("operation"), "stream", False)
        if is_stream:
            # Its reader may drop it, and no other call may follow for hours.
            closer.start()
            dropped = closer.queue.put
        call = _Lease(body, dropped)
        call.pool, call.connections = self, []
        if is_stream:
            # Python does not call back a weak reference that becomes garbage together with what it refers to: a closed
            # client and its stream do.
            closer.watches.add(call)
        try:
            if not self._has_place(call):
                self._wait_for_place(call, request)
            connection = self._take(origin_of(request.url), call)
            response = connection.transport.handle_request(request)
            body._body, body._call = response.stream, call
        except BaseException:
            # Interrupted at an unlucky instant, a pool of httpx may hold a connection that it will never use nor drop.
            self.discard(call)
            raise
        response.stream = body
        return response

    def _wait_for_place(self, call: _Lease, request: httpx.Request) -> None:
        timeout = request.extensions.get("timeout", {}).get("pool")
        ends_at = math.inf if timeout is None else time.monotonic() + timeout
        cancellation: Closing | None = request.extensions.get("cancellation")
        waiter = self._waiting[call] = ThreadWaiter()
        while not self._has_place(call):
            if cancellation is not None:
                cancellation.check()
            if self._closed:
                raise httpx.ConnectError("the transport was closed while this call waited for a connection")
            left = ends_at - time.monotonic()
            if left <= 0:
                raise httpx.PoolTimeout("every connection is in use", request=request)
            waiter.wait(min(left, _CHECK_SECONDS))
            self._close_dropped()

    def _has_place(self, call: _Lease) -> bool:
        """Whether no other call waits before this one and there is a place, which it then takes."""
        with self._lock:
            # Copied in C: other threads may join the queue or leave it meanwhile.
            first = [*self._waiting, call][0]
            if first is not call or len(self._calls) >= self._max_connections:
                return False
            self._calls.add(call)
            self._waiting.pop(call, None)
        if self._waiting:
            self._wake_next()
        return True

    def _wake_next(self) -> None:
        for waiter in list(self._waiting.values())[:1]:
            waiter.wake()

    def _take(self, origin: Origin, call: _Lease) -> SyncConnection:
        idle = self._idle.setdefault(origin, deque())
        if not _move(idle.pop, call.connections.extend):
            if len(self._calls) + self._idle_count() > self._max_connections:
                self._evict(min(list(self._idle.values()), key=_idle_since), call)
            call.connections.append(SyncConnection(origin, self._connect(origin)))
        if self._closed:  # asked after the connection is in the lease, where `close` finds it
            raise httpx.ConnectError("the transport was closed meanwhile")
        return call.connections[0]

    def release(self, call: _Lease) -> None:
        """After its response was closed: keep its connection for another call, if the response was read to the end."""
        connection = call.connections[0]
        idle = self._idle.get(connection.origin)  # none in a forked child
        if idle is None or not connection.is_idle() or len(idle) >= _MOST_IDLE:
            self.discard(call)
            return
        now = connection.idle_since = time.monotonic()
        _move(call.connections.pop, idle.extend)
        call.chunks = None
        if now >= self._next_expiry_check:
            self._next_expiry_check = now + min(1.0, self._keepalive_expiry)
            for others in list(self._idle.values()):
                while _idle_since(others) + self._keepalive_expiry < now:
                    self._evict(others, call)
        if self._closed:
            self._close_idle()
        self._end(call)

    def discard(self, call: _Lease) -> None:
        """Close the connections of a call. Twice does no harm."""
        connections = getattr(call, "connections", [])  # it may have been interrupted before it had a list of them
        for connection in connections:
            connection.close()
        connections.clear()
        call.chunks = None
        self._end(call)

    def _end(self, call: _Lease) -> None:
        self._calls.discard(call)
        closer.watches.discard(call)
        if self._waiting:
            self._waiting.pop(call, None)
            self._wake_next()

    def _evict(self, idle: deque[SyncConnection], call: _Lease) -> None:
        """Close the oldest of some idle connections, which is in the lease of a call meanwhile."""
        if _move(idle.popleft, call.connections.extend):
            call.connections[-1].close()
            call.connections.pop()

    def _close_dropped(self) -> None:
        with self._lock:
            while self._dropped:
                self.discard(self._dropped[0])
                self._dropped.popleft()

    def _close_idle(self) -> None:
        for idle in list(self._idle.values()):
            for connection in list(idle):
                connection.close()
                # Not `clear`: a call may put its connection there meanwhile, and then closes it itself.
                with contextlib.suppress(ValueError):
                    idle.remove(connection)

    def _idle_count(self) -> int:
        return sum(map(len, list(self._idle.values())))

    def connections(self) -> Connections:
        """How many there are."""
        self._close_dropped()
        used, idle = sum(len(call.connections) for call in list(self._calls)), self._idle_count()
        return Connections(used + idle, idle, len(self._waiting))

    def close(self) -> None:
        """Close all connections; a thread that waits for one of them gets an error, and so does every later request."""
        # Takes no lock and waits for nothing. A call that uses a connection gets an error, and closes it.
        self._closed = True
        for call in list(self._calls):
            for connection in list(call.connections):
                connection.shut_down()
        self._close_idle()
        for waiter in list(self._waiting.values()):
            waiter.wake()

    def _release_inherited(self) -> None:
        """In a forked child: closing a socket says nothing to its peer, for the parent still holds it."""
        for call in list(self._calls):
            for connection in list(call.connections):
                connection.close()
        self._close_idle()
        self._reset()


def _move(take: Callable[[], T], extend: Callable[[Iterable[T]], object]) -> bool:
    """Move one item from one container to another. False where there is none.

    All of it happens in C, without a gap in which a signal handler could raise, so that the item would be in neither.
    """
    try:
        extend(islice(iter(take, None), 1))
    except IndexError:
        return False
    return True


def _idle_since(idle: deque[SyncConnection]) -> float:
    try:
        return idle[0].idle_since
    except IndexError:
        return math.inf


class _Lease(Watch):
    """The connections of a call, for as long as its body lives. The callback closes those of a dropped body."""

    pool: Transport
    connections: list[SyncConnection]
    # The generators of httpx wait for locks when the collector closes them. Held here, they are not collected.
    chunks: Iterator[bytes] | None = None

    def close(self) -> None:
        """Called by the closer thread."""
        self.pool.discard(self)


class PooledBody(httpx.SyncByteStream):
    """The body of a response, which holds the connection until it is closed or dropped."""

    _body: Any = None
    _call: _Lease | None = None
    _is_closing = False

    def __iter__(self) -> Iterator[bytes]:
        call = self._call
        if call is None:
            return iter(())
        chunks: Iterator[bytes] = iter(self._body)
        call.chunks = chunks
        return chunks

    def close(self) -> None:
        call = self._call
        if call is None:
            return
        # After an interrupt from here on, a second `close` discards the connection.
        was_closing, self._is_closing = self._is_closing, True
        try:
            self._body.close()
        except BaseException:
            call.pool.discard(call)
            raise
        if was_closing:
            call.pool.discard(call)
        else:
            call.pool.release(call)
        self._call = None
