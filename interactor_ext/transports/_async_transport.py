"""The asynchronous transport: for each event loop a pool of many httpx transports of one connection each.

httpx's own pool looks at every connection and every waiting request each time a call starts or ends, so a call among a
hundred costs several times what a call alone costs. Here a free connection is the last of a list, and a waiting call
the first of a queue.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx

from interactor_ext._fork import release_inherited
from interactor_ext.telemetry._connections import Connections
from interactor_ext.transports._httpx_internals import has_idle_connection, watch_async_network
from interactor_ext.transports._per_loop import PerLoop
from interactor_ext.transports._proxies_and_tls import Certificate, Origin, Proxy, Verify, connector, origin_of


class AsyncTransport(httpx.AsyncBaseTransport):
    """Connections of one client, a set for each event loop: for several loops at once, one after another, and after a
    fork.

    `max_connections` bounds the ordinary calls in flight in one loop; more of them wait, first come, first served, for
    no longer than their `timeout`. `max_streams` bounds the open streams, apart. A connection that was not used for
    `keepalive_expiry` seconds is closed. `verify`, `cert` and `proxy` mean what they mean in httpx; without `proxy` the
    environment's apply, unless `trust_env=False`.
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

        def make() -> ConnectionSet:
            return ConnectionSet(
                connect, max_connections=max_connections, max_streams=max_streams, keepalive_expiry=keepalive_expiry
            )

        self._sets = PerLoop(make, ConnectionSet.aclose, after_fork=ConnectionSet.release_inherited)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return await self._sets.get().send(request)

    def connections(self) -> Connections:
        """How many there are, in all event loops."""
        return Connections.sum(connections.connections() for connections in self._sets.values())

    async def aclose(self) -> None:
        await self._sets.aclose()


class Connection:
    """A transport of httpx that has at most one socket. `origin` is the only one that it serves; `idle_since` is on the
    clock of its event loop.
    """

    __slots__ = ("_network", "idle_since", "origin", "transport")

    def __init__(self, origin: Origin, transport: httpx.AsyncHTTPTransport) -> None:
        self.origin = origin
        self.transport = transport
        self.idle_since = 0.0
        self._network = watch_async_network(transport)

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


class ConnectionSet:
    """Calls and streams are bounded apart: streams last for minutes, and a bound in common would let them starve the
    calls.
    """

    def __init__(
        self,
        connect: Callable[[Origin], httpx.AsyncHTTPTransport],
        *,
        max_connections: int,
        max_streams: int,
        keepalive_expiry: float,
    ) -> None:
        self._connect = connect
        self._max_connections = max_connections
        self._keepalive_expiry = keepalive_expiry
        self._calls = asyncio.Semaphore(max_connections)
        self._streams = asyncio.Semaphore(max_streams)
        self._used: set[Connection] = set()
        self._idle: dict[Origin, list[Connection]] = {}  # the last used is the last, so that the others grow old
        self._idle_count = 0
        self._waiting = 0
        self._reaper: asyncio.TimerHandle | None = None
        self._closing: dict[asyncio.Task[None], Connection] = {}
        self._cut_off: list[Connection] = []
        self._closed = False

    async def send(self, request: httpx.Request) -> httpx.Response:
        is_stream = getattr(request.extensions.get("operation"), "stream", False)
        turn = self._streams if is_stream else self._calls
        if turn.locked():
            self._waiting += 1
            try:
                await _wait_for_turn(turn, request)
            finally:
                self._waiting -= 1
        else:
            await turn.acquire()  # at once
        try:
            connection = self._take(origin_of(request.url))
        except BaseException:
            turn.release()
            raise
        try:
            response = await connection.transport.handle_async_request(request)
        except BaseException:
            # Cancelled at an unlucky instant, a pool of httpx may hold a connection that it will never use nor drop.
            self.discard(connection)
            turn.release()
            raise
        response.stream = _Body(response.stream, self, connection, turn)
        return response

    def _take(self, origin: Origin) -> Connection:
        if self._closed:
            raise httpx.ConnectError("the transport was closed while this call waited for its turn")
        idle = self._idle.get(origin)
        if idle:
            connection = idle.pop()
            self._idle_count -= 1
        else:
            if self._idle_count and self._idle_count + len(self._used) >= self._max_connections:
                self._close_soon(self._pop_oldest())
            connection = Connection(origin, self._connect(origin))
        self._used.add(connection)
        return connection

    def release(self, connection: Connection) -> None:
        """Its response was closed: it serves another call, if the response was read to the end."""
        self._used.discard(connection)
        if self._closed or not has_idle_connection(connection.transport):
            self._close_soon(connection)
            return
        loop = asyncio.get_running_loop()
        connection.idle_since = loop.time()
        self._idle.setdefault(connection.origin, []).append(connection)
        self._idle_count += 1
        if self._reaper is None:
            self._reaper = loop.call_later(self._keepalive_expiry, self._reap)

    def discard(self, connection: Connection) -> None:
        self._used.discard(connection)
        self._close_soon(connection)

    def _reap(self) -> None:
        loop = asyncio.get_running_loop()
        self._reaper = None
        while self._idle_count:
            oldest = min(
                (idle[0] for idle in self._idle.values() if idle), key=lambda connection: connection.idle_since
            )
            expires = oldest.idle_since + self._keepalive_expiry
            if expires > loop.time():
                self._reaper = loop.call_at(expires, self._reap)
                return
            self._close_soon(self._pop_oldest())

    def _pop_oldest(self) -> Connection:
        idle = min((idle for idle in self._idle.values() if idle), key=lambda idle: idle[0].idle_since)
        self._idle_count -= 1
        return idle.pop(0)

    def connections(self) -> Connections:
        return Connections(len(self._used) + self._idle_count, self._idle_count, self._waiting)

    def _close_soon(self, connection: Connection) -> None:
        task = asyncio.get_running_loop().create_task(connection.aclose())
        self._closing[task] = connection
        task.add_done_callback(self._end_closing)

    def _end_closing(self, task: asyncio.Task[None]) -> None:
        connection = self._closing.pop(task)
        if task.cancelled():  # a loop that ends cancels every task, even one that has not begun
            self._cut_off.append(connection)

    async def aclose(self) -> None:
        """May be called again, for what was cut off."""
        self._closed = True
        if self._reaper is not None:
            self._reaper.cancel()
            self._reaper = None  # it holds the loop, which is to be forgotten
        for connection in [*self._connections(), *self._cut_off]:
            self._close_soon(connection)
        self._cut_off.clear()
        self._idle.clear()
        self._idle_count = 0
        if self._closing:
            await asyncio.wait(self._closing)

    def release_inherited(self) -> None:
        release_inherited([connection.descriptor() for connection in self._connections()])

    def _connections(self) -> Iterator[Connection]:
        yield from self._used
        for idle in self._idle.values():
            yield from idle


async def _wait_for_turn(turn: asyncio.Semaphore, request: httpx.Request) -> None:
    try:
        async with asyncio.timeout(request.extensions.get("timeout", {}).get("pool")):
            await turn.acquire()
    except TimeoutError as error:
        raise httpx.PoolTimeout("every connection is in use", request=request) from error


class _Body(httpx.AsyncByteStream):
    """The body of a response, which holds the connection until it is closed."""

    def __init__(self, body: Any, connections: ConnectionSet, connection: Connection, turn: asyncio.Semaphore) -> None:
        self._body = body
        self._connections = connections
        self._connection: Connection | None = connection
        self._turn = turn

    def __aiter__(self) -> AsyncIterator[bytes]:
        return aiter(self._body)

    async def aclose(self) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        try:
            await self._body.aclose()
        except BaseException:
            self._connections.discard(connection)
            raise
        else:
            self._connections.release(connection)
        finally:
            self._turn.release()
