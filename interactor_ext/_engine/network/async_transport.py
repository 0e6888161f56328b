"""The asynchronous transport: a pool of connections for each event loop.

httpx's own pool looks at every connection and every waiting request each time a call starts or ends, so a call among a
hundred costs several times what a call alone costs. Here an idle connection is the last of a deque, and a waiting call
the first of a queue.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator, Iterable
from typing import Any, Self

import httpx

from interactor_ext._engine.call import Call
from interactor_ext._engine.fork import release_inherited
from interactor_ext._engine.network import guarded_origin, hooks
from interactor_ext._engine.network.async_connection import AsyncConnection
from interactor_ext._engine.network.http1 import Exchange
from interactor_ext._engine.network.idle_connections import Connections, IdleConnections, Origin
from interactor_ext._engine.network.per_loop import PerLoop
from interactor_ext._engine.network.proxies_and_tls import Certificate, Proxy, Verify
from interactor_ext._engine.network.routes import Routes, seconds_for

_NO_CONNECTION_FREE = functools.partial(httpx.PoolTimeout, "all connections are in use")


class AsyncTransport(httpx.AsyncHTTPTransport):
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
        # httpx's own __init__ would make a pool. What it is a subclass for is said in `hooks`.
        self._routes = Routes(verify=verify, cert=cert, proxy=proxy, trust_env=trust_env)
        make = functools.partial(ConnectionPool, self._routes, max_connections, max_streams, keepalive_expiry)
        self._pools = PerLoop(make, ConnectionPool.aclose, after_fork=ConnectionPool.release_inherited)

    @property
    def _pool(self) -> Any:  # type: ignore[override]
        return hooks.HttpcorePool(self)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Called by httpx: send a request."""
        kind = httpx.AsyncHTTPTransport
        match hooks.hooked(kind, "handle_async_request", ("AsyncConnectionPool", "AsyncHTTPConnection")):
            case "httpcore":
                plain: httpx.AsyncHTTPTransport = hooks.plain_transport(self._routes, request.url, kind)
                return await plain.handle_async_request(request)
            case "httpx":
                return await super().handle_async_request(request)
        return await self._send(request)

    async def _send(self, request: httpx.Request) -> httpx.Response:
        return await self._pools.get().send(request)

    def connections(self) -> Connections:
        """The numbers of connections, in all event loops."""
        return Connections.sum(connections.connections() for connections in self._pools.values())

    async def aclose(self) -> None:
        """Close the connections."""
        await self._pools.aclose()


class ConnectionPool:
    """The connections of one event loop. Calls and streams are bounded apart: streams last for minutes, and a common
    bound would let them starve the calls.
    """

    def __init__(self, routes: Routes, max_connections: int, max_streams: int, keepalive_expiry: float) -> None:
        self._routes = routes
        self._max_connections = max_connections
        self._keepalive_expiry = keepalive_expiry
        self._call_slots = asyncio.Semaphore(max_connections)
        self._stream_slots = asyncio.Semaphore(max_streams)
        self._used: set[AsyncConnection] = set()
        self._idle: IdleConnections[AsyncConnection] = IdleConnections()
        self._waiting = 0
        self.is_closed = False

    async def send(self, request: httpx.Request) -> httpx.Response:
        is_stream = Call.of(request).is_stream
        slots = self._stream_slots if is_stream else self._call_slots
        await self._acquire(slots, request)
        connection = None
        try:
            connection, is_new = self._take(guarded_origin(request.url))
            if is_new:
                await connection.open(request)
            exchange = await connection.send(request)
            body = _PooledBody(self, connection, exchange, request, slots)
            return connection.route.response(exchange, body, connection)
        except BaseException:
            if connection is None:
                slots.release()
            else:
                self.end(connection, slots)
                # The server, or something on the way to it, has forgotten it, and those that were idle for longer too.
                self._abort(self._idle.take_all(connection.origin, connection.idle_since))
            raise

    async def _acquire(self, slots: asyncio.Semaphore, request: httpx.Request) -> None:
        if not slots.locked():
            await slots.acquire()  # at once
            return
        self._waiting += 1
        Call.of(request).late = _NO_CONNECTION_FREE
        try:
            async with asyncio.timeout(seconds_for(request, "pool")):
                await slots.acquire()
        except TimeoutError as error:
            raise _NO_CONNECTION_FREE() from error
        finally:
            self._waiting -= 1

    def _take(self, origin: Origin) -> tuple[AsyncConnection, bool]:
        """A connection, and whether it is new."""
        if self.is_closed:
            raise httpx.ConnectError("the transport was closed while this call waited for a connection")
        while (connection := self._idle.take(origin)) is not None:
            if connection.is_usable:
                self._used.add(connection)
                return connection, False
            connection.abort()
        if len(self._idle) + len(self._used) >= self._max_connections and (oldest := self._idle.take_oldest()):
            oldest.abort()
        connection = AsyncConnection(self._routes.to(origin))
        self._used.add(connection)
        return connection, True

    def end(self, connection: AsyncConnection, slots: asyncio.Semaphore, exchange: Exchange | None = None) -> None:
        """After a response: keep the connection for another call, if the response was read to the end."""
        slots.release()
        self._used.discard(connection)
        if self.is_closed or exchange is None or not exchange.can_reuse or not connection.is_quiet:
            connection.abort()
            return
        now = asyncio.get_running_loop().time()
        self._idle.put(connection, now)
        while expired := self._idle.take_oldest(now - self._keepalive_expiry):
            expired.abort()

    def connections(self) -> Connections:
        return Connections(len(self._used) + len(self._idle), len(self._idle), self._waiting)

    def _abort(self, connections: Iterable[AsyncConnection]) -> None:
        for connection in connections:
            connection.abort()

    async def aclose(self) -> None:
        """May be called again, if it was cancelled."""
        self.is_closed = True
        for _ in range(self._waiting):
            self._call_slots.release()
            self._stream_slots.release()
        connections = [*self._used, *self._idle.take_all()]
        self._abort(connections)
        if connections:
            await asyncio.wait([connection.lost for connection in connections])

    def release_inherited(self) -> None:
        self.is_closed = True
        sockets = [each.get_extra_info("socket") for each in [*self._used, *self._idle.take_all()]]
        release_inherited([sock.fileno() for sock in sockets if sock is not None])


class _PooledBody(httpx.AsyncByteStream):
    """The body of a response, which holds the connection until it is closed or dropped."""

    def __init__(
        self,
        pool: ConnectionPool,
        connection: AsyncConnection,
        exchange: Exchange,
        request: httpx.Request,
        slots: asyncio.Semaphore,
    ) -> None:
        self._pool = pool
        self._connection: AsyncConnection | None = connection
        self._exchange = exchange
        self._request = request
        self._slots = slots

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        exchange = self._exchange
        while not (data := exchange.take()):
            if exchange.is_complete or self._connection is None:
                raise StopAsyncIteration
            exchange.receive(await self._connection.receive(self._request))
        return data

    async def aclose(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            # Streams last for minutes.
            self._pool.end(connection, self._slots, None if Call.of(self._request).is_stream else self._exchange)

    def __del__(self) -> None:
        # Garbage may be collected in any thread, and after the loop has ended.
        if self._connection is not None and not self._pool.is_closed:
            with contextlib.suppress(RuntimeError):
                self._connection.loop.call_soon_threadsafe(self._pool.end, self._connection, self._slots)
