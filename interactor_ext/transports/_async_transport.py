"""The asynchronous transport: for each event loop a pool of many httpx transports of one connection each.

httpx's own pool looks at every connection and every waiting request each time a call starts or ends, so a call among a
hundred costs several times what a call alone costs. Here an idle connection is the last of a deque, and a waiting call
the first of a queue.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpcore
import httpx

from interactor_ext._call import Call
from interactor_ext._fork import release_inherited
from interactor_ext.transports._httpx_internals import AsyncOnlyConnection, late
from interactor_ext.transports._idle_connections import Connections, IdleConnections, Origin, origin_of
from interactor_ext.transports._per_loop import PerLoop
from interactor_ext.transports._proxies_and_tls import Certificate, Proxy, Verify, connector

_NO_CONNECTION_FREE = functools.partial(httpx.PoolTimeout, "all connections are in use")


class AsyncTransport(httpx.AsyncBaseTransport):
    """A connection pool for each event loop: works in several loops at once, one after another, and after a fork.

    `max_connections` limits the ordinary calls in flight in one loop; further calls wait, first come, first served, up
    to their `timeout`. `max_streams` limits the open streams separately. A connection that was idle for
    `keepalive_expiry` seconds is closed when another call ends. `verify`, `cert` and `proxy` are the same as in httpx;
    without `proxy` the environment's proxies apply, unless `trust_env=False`.
    """

    def __init__(
        self,
        *,
        verify: Verify = True,
        cert: Certificate | None = None,
        proxy: Proxy | None = None,
        trust_env: bool = True,
        max_connections: int = 200,
        max_streams: int = 1000,
        keepalive_expiry: float = 15.0,
    ) -> None:
        connect = connector(
            httpx.AsyncHTTPTransport,
            verify=verify,
            cert=cert,
            proxy=proxy,
            trust_env=trust_env,
            keepalive_expiry=keepalive_expiry,
        )
        make = functools.partial(ConnectionPool, connect, max_connections, max_streams, keepalive_expiry)
        self._pools = PerLoop(make, ConnectionPool.aclose, after_fork=ConnectionPool.release_inherited)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Called by httpx: send a request."""
        return await self._pools.get().send(request)

    def connections(self) -> Connections:
        """The numbers of connections, in all event loops."""
        return Connections.sum(connections.connections() for connections in self._pools.values())

    async def aclose(self) -> None:
        """Close the connections."""
        await self._pools.aclose()


class Connection:
    """A transport of httpx with at most one socket, for one origin. `idle_since` is on the clock of its event loop."""

    __slots__ = ("_network", "idle_since", "only", "origin", "transport")

    def __init__(self, origin: Origin, transport: httpx.AsyncHTTPTransport, proxy_source: str) -> None:
        self.origin = origin
        self.transport = transport
        self.idle_since = 0.0
        self.only = AsyncOnlyConnection(transport, proxy_source)
        self._network = self.only.network

    def descriptor(self) -> int:
        stream = self._network.opened_last
        sock = None if stream is None else stream.get_extra_info("socket")
        return -1 if sock is None else int(sock.fileno())

    async def aclose(self) -> None:
        self._network.closed = True
        await self.transport.aclose()
        # A call that is cancelled amid a TLS handshake leaves its socket open, and httpcore knows nothing of it.
        if self._network.opened_last is not None:
            await self._network.opened_last.aclose()


class ConnectionPool:
    """The connections of one event loop. Calls and streams are bounded apart: streams last for minutes, and a common
    bound would let them starve the calls.
    """

    def __init__(
        self,
        connect: Callable[[Origin], tuple[httpx.AsyncHTTPTransport, str]],
        max_connections: int,
        max_streams: int,
        keepalive_expiry: float,
    ) -> None:
        self._connect = connect
        self._max_connections = max_connections
        self._keepalive_expiry = keepalive_expiry
        self._call_slots = asyncio.Semaphore(max_connections)
        self._stream_slots = asyncio.Semaphore(max_streams)
        self._used: set[Connection] = set()
        self._idle: IdleConnections[Connection] = IdleConnections()
        self._waiting = 0
        self._closing: dict[asyncio.Task[None], Connection] = {}
        self._closed = False

    async def send(self, request: httpx.Request) -> httpx.Response:
        slots = self._stream_slots if Call.of(request).is_stream else self._call_slots
        await self._acquire(slots, request)
        try:
            connection = self._take(origin_of(request.url))
        except BaseException:
            slots.release()
            raise
        try:
            await connection.only.prepare(request.url)
            response = await connection.transport.handle_async_request(request)
        except BaseException as error:
            # Cancelled at an unlucky instant, httpx may hold a connection that it will never use nor drop.
            self.discard(connection)
            slots.release()
            if isinstance(error, httpcore.ConnectionNotAvailable):  # `aclose` came before the request
                raise httpx.ConnectError("the transport was closed in the meantime") from error
            raise
        response.stream = _PooledBody(response.stream, self, connection, slots)
        return response

    async def _acquire(self, slots: asyncio.Semaphore, request: httpx.Request) -> None:
        if not slots.locked():
            await slots.acquire()  # at once
            return
        self._waiting += 1
        late.set(_NO_CONNECTION_FREE)
        try:
            async with asyncio.timeout(request.extensions.get("timeout", {}).get("pool")):
                await slots.acquire()
        except TimeoutError as error:
            raise _NO_CONNECTION_FREE() from error
        finally:
            self._waiting -= 1

    def _take(self, origin: Origin) -> Connection:
        if self._closed:
            raise httpx.ConnectError("the transport was closed while this call waited for a connection")
        connection = self._idle.take(origin)
        if connection is None:
            if len(self._idle) + len(self._used) >= self._max_connections and (oldest := self._idle.take_oldest()):
                self._close_soon(oldest)
            connection = Connection(origin, *self._connect(origin))
        self._used.add(connection)
        return connection

    def release(self, connection: Connection) -> None:
        """After its response was closed: keep the connection for another call, if the response was read to the end."""
        self._used.discard(connection)
        if self._closed or not connection.only.is_idle():
            self._close_soon(connection)
            return
        now = asyncio.get_running_loop().time()
        self._idle.put(connection, now)
        while expired := self._idle.take_oldest(now - self._keepalive_expiry):
            self._close_soon(expired)

    def discard(self, connection: Connection) -> None:
        self._used.discard(connection)
        self._close_soon(connection)

    def connections(self) -> Connections:
        return Connections(len(self._used) + len(self._idle), len(self._idle), self._waiting)

    def _close_soon(self, connection: Connection) -> None:
        task = asyncio.get_running_loop().create_task(connection.aclose())
        self._closing[task] = connection
        task.add_done_callback(self._end_closing)

    def _end_closing(self, task: asyncio.Task[None]) -> None:
        connection = self._closing.pop(task)
        if task.cancelled():  # a loop that ends cancels every task, even one that has not begun
            self._used.add(connection)

    async def aclose(self) -> None:
        """May be called again, for connections whose closing was cancelled."""
        self._closed = True
        for connection in [*self._used, *self._idle.take_all()]:
            self._close_soon(connection)
        if self._closing:
            await asyncio.wait(self._closing)

    def release_inherited(self) -> None:
        release_inherited([connection.descriptor() for connection in [*self._used, *self._idle.take_all()]])


class _PooledBody(httpx.AsyncByteStream):
    """The body of a response, which holds the connection until it is closed."""

    def __init__(self, body: Any, pool: ConnectionPool, connection: Connection, slots: asyncio.Semaphore) -> None:
        self._body = body
        self._pool = pool
        self._connection: Connection | None = connection
        self._slots = slots

    def __aiter__(self) -> AsyncIterator[bytes]:
        return aiter(self._body)

    async def aclose(self) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        try:
            await self._body.aclose()
        except BaseException:
            self._pool.discard(connection)
            raise
        else:
            self._pool.release(connection)
        finally:
            self._slots.release()
