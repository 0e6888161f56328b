"""A connection for the tasks of one event loop. It serves one request at a time."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from functools import partial
from typing import Any, cast

import httpx

from interactor_ext._engine.call import Call
from interactor_ext._engine.network import resolver
from interactor_ext._engine.network.http1 import Exchange
from interactor_ext._engine.network.pool import Origin
from interactor_ext._engine.network.routes import (
    STAGGER,
    Hop,
    Route,
    check_protocol,
    connecting,
    is_readable,
    seconds_for,
)

# With more unread bytes than this, reading from the socket pauses, and the server has to wait.
_MAX_UNREAD = 256 * 1024


class AsyncConnection(asyncio.Protocol):
    """`idle_since` is a time of the event loop's clock."""

    def __init__(self, route: Route) -> None:
        self.route: Route = route
        self.origin: Origin = route.origin
        self.idle_since: float = 0.0
        self.loop: asyncio.AbstractEventLoop = asyncio.get_running_loop()
        self.lost: asyncio.Future[None] = self.loop.create_future()
        self._transport: Any = None
        self._is_closed = False
        self._received: list[bytes] = []
        self._unread = 0
        self._has_ended = False
        self._error: BaseException | None = None
        self._may_write = True
        self._waiter: asyncio.Future[None] | None = None
        self._opening: asyncio.Timeout | None = None

    async def open(self, request: httpx.Request) -> None:
        """Connect. Raises httpx.ConnectError, ConnectTimeout or ProxyError."""
        route, hop, name = self.route, self.route.first, self.route.proxy_name
        late = Call.of(request).late = partial(httpx.ConnectTimeout, name)
        try:
            async with asyncio.timeout(seconds_for(request, "connect")) as self._opening:
                with connecting(name):
                    await self._take_over(await _connect_to_any(await _resolve(hop)), hop)
                    if (handshake := route.handshake()) is not None:
                        to_send = next(handshake)
                        with contextlib.suppress(StopIteration):
                            while True:
                                self._transport.write(to_send)
                                to_send = handshake.send(await self._read())
                if handshake is not None:
                    with connecting(name, has_reached_server=True):
                        await self._encrypt(route.server)
        except TimeoutError as error:
            if not self._is_closed:
                raise late() from error
        finally:
            self._opening = None
        if self._is_closed:
            raise httpx.ConnectError("the transport was closed in the meantime")

    async def send(self, request: httpx.Request) -> Exchange:
        """Send a request and return once the head of its response has arrived."""
        exchange = self.route.exchange(request)
        Call.of(request).late = None
        if (whole := exchange.at_once(request.stream)) is not None:
            self._transport.write(whole)
        else:
            await self._write(exchange, request)
        del whole  # its URL may have a token, and tracebacks can show local variables
        while exchange.head is None:
            exchange.receive(await self.receive(request))
        return exchange

    async def receive(self, request: httpx.Request) -> bytes:
        """Wait for bytes from the server. Returns b"" if it has closed the connection."""
        try:
            seconds = seconds_for(request, "read")
            if seconds is None or self._received:
                return await self._read()
            async with asyncio.timeout(seconds):
                return await self._read()
        except TimeoutError as error:
            raise httpx.ReadTimeout("nothing was received in time") from error
        except OSError as error:
            raise httpx.ReadError(str(error)) from error

    @property
    def is_quiet(self) -> bool:
        """Whether no unread bytes are left, and none to send."""
        return not (self._received or self._has_ended or self._is_closed or self._transport.get_write_buffer_size())

    @property
    def is_usable(self) -> bool:
        """Whether an idle connection can serve another request: the server has neither closed it nor sent anything."""
        return self.is_quiet and not is_readable(self.get_extra_info("socket"))

    def close(self) -> None:
        """Close it without telling the server. Calling it twice is harmless."""
        self._is_closed = True
        if self._opening is not None:
            with contextlib.suppress(RuntimeError):  # it has already timed out
                self._opening.reschedule(self.loop.time())
        elif self._transport is None:
            if not self.lost.done():
                self.lost.set_result(None)
        else:
            self._transport.abort()

    shut_down = close

    async def aclose(self) -> None:
        """For users of httpx's extension `network_stream`."""
        self.close()

    def get_extra_info(self, info: str) -> Any:
        """For users of httpx's extension `network_stream`."""
        name = {"client_addr": "sockname", "server_addr": "peername"}.get(info, info)
        return None if self._transport is None else self._transport.get_extra_info(name)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received.append(data)
        self._unread += len(data)
        if self._unread > _MAX_UNREAD:
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> None:
        self._has_ended = True
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        self._has_ended = True
        self._error = None if exc is None else _actual(exc)
        self._wake()
        if not self.lost.done():
            self.lost.set_result(None)

    def pause_writing(self) -> None:
        self._may_write = False

    def resume_writing(self) -> None:
        self._may_write = True
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def _wait(self) -> None:
        self._waiter = self.loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    async def _read(self) -> bytes:
        if not self._received and not self._has_ended:
            await self._wait()
        received = self._received
        if received:
            self._received = []
            if self._unread > _MAX_UNREAD and not self._has_ended:
                self._transport.resume_reading()
            self._unread = 0
            return received[0] if len(received) == 1 else b"".join(received)
        if self._is_closed:
            raise ConnectionAbortedError("the transport was closed in the meantime")
        if self._error is not None:
            raise self._error
        return b""

    async def _write(self, exchange: Exchange, request: httpx.Request) -> None:
        async for piece in exchange.pieces_async(request.stream):
            try:
                async with asyncio.timeout(seconds_for(request, "write")):
                    await asyncio.sleep(0)
                    while not (self._received or self._has_ended):
                        if not self._may_write:
                            await self._wait()
                        elif is_readable(self.get_extra_info("socket")):
                            # The loop reads first: if a write fails, asyncio drops what it hasn't read yet.
                            await asyncio.sleep(0)
                        else:
                            break
            except TimeoutError as error:
                raise httpx.WriteTimeout("the server reads too slowly") from error
            if self._received:
                exchange.receive(await self._read())
            if exchange.head is not None or self._has_ended:  # a server may send its response and close
                exchange.cut_off()
                return
            self._transport.write(piece)

    async def _take_over(self, sock: socket.socket, hop: Hop) -> None:
        host = None if hop.context is None else hop.host
        try:
            await self.loop.create_connection(lambda: self, sock=sock, ssl=hop.context, server_hostname=host)
        except BaseException:
            if self._transport is None:
                sock.close()
            else:
                # If this is cancelled now, uvloop closes the transport and never calls `connection_lost`.
                self.connection_lost(None)
            raise
        self._check_protocol()

    async def _encrypt(self, hop: Hop) -> None:
        if hop.context is None:
            return
        # asyncio no longer tells this protocol if the connection ends before TLS is set up.
        plain, self._transport = self._transport, None
        try:
            secured: Any = await self.loop.start_tls(plain, self, hop.context, server_hostname=hop.host)
            if secured.get_extra_info("ssl_object") is None:  # uvloop doesn't say that the connection has ended
                raise ConnectionResetError
        except BaseException as error:
            plain.abort()
            raise _actual(error) from None
        self._transport = secured
        self._check_protocol()

    def _check_protocol(self) -> None:
        if (secured := self.get_extra_info("ssl_object")) is not None:
            check_protocol(secured)


def _actual(error: BaseException) -> BaseException:
    """Return the error that Python before 3.11.8 and 3.12.2 replaces in TLS within TLS: python/cpython#113214."""
    return error.__context__ if isinstance(error, TypeError) and isinstance(error.__context__, OSError) else error


async def _resolve(hop: Hop) -> list[resolver.Address]:
    found = resolver.resolve_in_thread(hop.host, hop.port)
    return found if isinstance(found, list) else await asyncio.wrap_future(found)


async def _connect_to_any(addresses: list[resolver.Address]) -> socket.socket:
    """Return the first connection that succeeds. The next address is tried when one fails or is slow (RFC 8305)."""
    connected: list[socket.socket] = []
    if len(addresses) == 1:
        await _connect(addresses[0], connected)
        return connected[0]
    tasks: set[asyncio.Task[None]] = set()
    error: BaseException | None = None
    winner: socket.socket | None = None
    try:
        for address in (*addresses, None):
            if address is not None:
                tasks.add(asyncio.create_task(_connect(address, connected)))
            has_failed = False
            while tasks and not connected and not (has_failed and address is not None):
                seconds = None if address is None else STAGGER
                done, tasks = await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    error, has_failed = task.exception(), True
                if not done:
                    break
            if connected:
                winner = connected[0]
                return winner
    finally:
        for task in tasks:
            task.cancel()
        for sock in connected:
            if sock is not winner:
                sock.close()
    raise cast("OSError", error)


async def _connect(address: resolver.Address, connected: list[socket.socket]) -> None:
    sock = socket.socket(address.family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, address.sockaddr)
        connected.append(sock)
    except BaseException:
        sock.close()
        raise
