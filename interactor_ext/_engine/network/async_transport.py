"""The asynchronous transport: a pool of connections for each event loop."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator
from typing import Any, Self

import httpx

from interactor_ext._engine.call import Call
from interactor_ext._engine.fork import release_inherited
from interactor_ext._engine.network import hooks
from interactor_ext._engine.network.async_connection import AsyncConnection
from interactor_ext._engine.network.http1 import Exchange
from interactor_ext._engine.network.per_loop import PerLoop
from interactor_ext._engine.network.pool import ConnectionCounts, Pool, Use, checked_limits
from interactor_ext._engine.network.proxies_and_tls import Certificate, Proxy, Verify
from interactor_ext._engine.network.routes import Routes, guarded_origin, seconds_for
from interactor_ext._engine.waiting import TaskWaiter

_NO_CONNECTION_FREE = functools.partial(httpx.PoolTimeout, "all connections are in use")


class AsyncTransport(httpx.AsyncHTTPTransport):
    """A connection pool for each event loop: works in several loops at once, one after another, and after a fork.

    `max_connections` limits the ordinary calls in flight in one loop; further calls wait, in order, for
    at most their `timeout`. `max_streams` limits the open streams separately. A connection that was idle for
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
        # httpx's own __init__ isn't called, because it would create a pool. `hooks` explains why this is a subclass.
        self._routes = Routes(verify=verify, cert=cert, proxy=proxy, trust_env=trust_env)
        limits = checked_limits(max_connections, max_streams, keepalive_expiry)
        make = functools.partial(ConnectionPool, self._routes, *limits)
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

    def connections(self) -> ConnectionCounts:
        """The numbers of connections in all event loops."""
        return ConnectionCounts.sum(pool.connections() for pool in self._pools.values())

    async def aclose(self) -> None:
        """Close the connections."""
        await self._pools.aclose()


class ConnectionPool(Pool[AsyncConnection]):
    """The connections of one event loop."""

    def __init__(self, routes: Routes, max_connections: int, max_streams: int, keepalive_expiry: float) -> None:
        super().__init__(max_connections, max_streams, keepalive_expiry)
        self._routes = routes

    async def send(self, request: httpx.Request) -> httpx.Response:
        call = Call.of(request)
        use: Use[AsyncConnection] = Use(self.streams if call.is_stream else self.calls)
        try:
            if not use.places.take(use):
                await self._wait_for_place(use, request)
            origin = guarded_origin(request.url)
            connection = self.take(use, origin)
            if connection is None:
                connection = use.connection = AsyncConnection(self._routes.to(origin))
                await connection.open(request)
            exchange = await connection.send(request)
            return connection.route.response(exchange, _PooledBody(self, use, exchange, request), connection)
        except BaseException as error:
            is_late = isinstance(error, asyncio.CancelledError) and call.timer is not None and call.timer.expired()
            self.fail(use, httpx.ReadTimeout("") if is_late else error)
            raise

    async def _wait_for_place(self, use: Use[AsyncConnection], request: httpx.Request) -> None:
        waiter = TaskWaiter()
        use.places.wait(use, waiter)
        Call.of(request).late = _NO_CONNECTION_FREE
        try:
            async with asyncio.timeout(seconds_for(request, "pool")):
                while not use.places.take(use):
                    await waiter.wait(None)
                    if self.is_closed:
                        raise httpx.ConnectError("the transport was closed while this call waited for a connection")
        except TimeoutError as error:
            raise _NO_CONNECTION_FREE() from error

    async def aclose(self) -> None:
        """May be called again if it was cancelled."""
        connections = self.all()
        self.close()
        if connections:
            await asyncio.wait([connection.lost for connection in connections])

    def release_inherited(self) -> None:
        self.is_closed = True
        sockets = [connection.get_extra_info("socket") for connection in self.all()]
        release_inherited([sock.fileno() for sock in sockets if sock is not None])
        self.forget_parent()


class _PooledBody(httpx.AsyncByteStream):
    """The body of a response. It keeps the connection until it is closed or dropped."""

    def __init__(
        self, pool: ConnectionPool, use: Use[AsyncConnection], exchange: Exchange, request: httpx.Request
    ) -> None:
        self._pool = pool
        self._use: Use[AsyncConnection] | None = use
        self._exchange = exchange
        self._request = request

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        exchange = self._exchange
        while not (data := exchange.take()):
            use = self._use
            if exchange.is_complete or use is None or use.connection is None:
                raise StopAsyncIteration
            exchange.receive(await use.connection.receive(self._request))
        return data

    async def aclose(self) -> None:
        use, self._use = self._use, None
        if use is not None:
            now = asyncio.get_running_loop().time()
            self._pool.release(use, now, can_reuse=self._exchange.can_reuse)

    def __del__(self) -> None:
        # The garbage collector may run in any thread, and after the loop has ended.
        use = self._use
        if use is not None and use.connection is not None and not self._pool.is_closed:
            with contextlib.suppress(RuntimeError):
                use.connection.loop.call_soon_threadsafe(self._pool.discard, use)
