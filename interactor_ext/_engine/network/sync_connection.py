"""A connection for threads. It serves one request at a time."""

from __future__ import annotations

import contextlib
import math
import os
import selectors
import socket
import ssl
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import httpx

from interactor_ext._engine.network import resolver
from interactor_ext._engine.network.http1 import PIECE, Exchange
from interactor_ext._engine.network.pool import Origin
from interactor_ext._engine.network.routes import (
    STAGGER,
    Hop,
    Route,
    check_protocol,
    connecting,
    is_injected,
    is_readable,
    seconds_for,
)
from interactor_ext._engine.responses.connection_error import handler_behind

if TYPE_CHECKING:
    from interactor_ext._engine.network.proxied import Handshake

T = TypeVar("T")

_CLOSED = "the transport was closed in the meantime"
# How often a thread that looks up a name or connects checks whether its connection was closed: nothing wakes it.
_CHECK_SECONDS = 0.1
RECORD = 1 << 14
"""Bytes in the largest record of TLS (RFC 8446, section 5.1)."""


class SyncConnection:
    """Any thread may close it at any time. Closing neither waits nor takes a lock."""

    __slots__ = ("_closed", "_is_tls", "_socket", "idle_since", "origin", "route")

    def __init__(self, route: Route) -> None:
        self.route: Route = route
        self.origin: Origin = route.origin
        self.idle_since: float = 0.0
        self._socket: Any = None
        self._is_tls = False
        self._closed = False

    def open(self, request: httpx.Request) -> None:
        """Connect. Raises httpx.ConnectError, ConnectTimeout or ProxyError."""
        route, name = self.route, self.route.proxy_name
        try:
            with connecting(name):
                seconds = seconds_for(request, "connect")
                ends_at = math.inf if seconds is None else time.monotonic() + seconds
                self._connect(ends_at)
                self._secure(route.first, ends_at)
                if (handshake := route.handshake()) is not None:
                    self._greet(handshake, ends_at)
            with connecting(name, has_reached_server=True):
                if handshake is not None:
                    self._secure(route.server, ends_at)
                self._left(ends_at)
        except (httpx.ConnectError, httpx.ProxyError):
            if self._closed:  # the cause of this error
                raise httpx.ConnectError(_CLOSED) from None
            raise

    def send(self, request: httpx.Request) -> Exchange:
        """Send a request and return once the head of its response has arrived."""
        exchange = self.route.exchange(request)
        whole = exchange.at_once(request.stream)
        self._write(exchange, request, exchange.pieces(request.stream) if whole is None else (whole,))
        del whole  # its URL may have a token, and tracebacks can show local variables
        while exchange.head is None:
            exchange.receive(self.receive(request))
        return exchange

    def receive(self, request: httpx.Request) -> bytes:
        """Wait for bytes from the server. Returns b"" if it has closed the connection."""
        try:
            self._socket.settimeout(seconds_for(request, "read"))
            data: bytes = self._socket.recv(PIECE)
        except OSError as error:
            if is_injected(error):
                raise
            raise (httpx.ReadTimeout if isinstance(error, TimeoutError) else httpx.ReadError)(str(error)) from error
        if not data and self._closed:
            raise httpx.ReadError(_CLOSED)
        return data

    def get_extra_info(self, info: str) -> Any:
        """For users of httpx's extension `network_stream`."""
        sock = self._socket
        match info:
            case "client_addr":
                return sock.getsockname()
            case "server_addr":
                return sock.getpeername()
            case "ssl_object":
                return sock.ssl_object if self._is_tls else None
        return sock if info == "socket" else None

    @property
    def is_quiet(self) -> bool:
        """Whether no unread bytes are left. TLS reads ahead."""
        return not (self._closed or (self._is_tls and self._socket.pending()))

    @property
    def is_usable(self) -> bool:
        """Whether an idle connection can serve another request: the server has neither closed it nor sent anything."""
        return self.is_quiet and not is_readable(self._socket)

    def close(self) -> None:
        """Calling it twice is harmless."""
        self._closed = True
        if self._socket is not None:
            self._socket.close()

    def shut_down(self) -> None:
        """Raise an error in the thread that connects, reads or writes. That thread closes the connection."""
        self._closed = True
        if self._socket is not None:
            with contextlib.suppress(OSError):  # already closed
                self._socket.shutdown(socket.SHUT_RDWR)

    def _write(self, exchange: Exchange, request: httpx.Request, pieces: Iterable[bytes]) -> None:
        for number, data in enumerate(pieces):
            try:
                while data:
                    seconds = seconds_for(request, "write")
                    if number and self._is_answered(exchange, seconds):
                        exchange.cut_off()
                        return
                    self._socket.settimeout(seconds)
                    data = data[self._socket.send(data) :]
            except TimeoutError as error:
                if is_injected(error):
                    raise
                raise httpx.WriteTimeout(str(error)) from error
            except OSError as error:
                if is_injected(error) or handler_behind(error) is not None:
                    raise
                exchange.cut_off()  # a server may send its response and close
                return

    def _is_answered(self, exchange: Exchange, seconds: float | None) -> bool:
        """Whether the response has come before the whole request was sent. Waits until it has, or more can be sent."""
        if is_readable(self._socket, seconds):
            self._socket.settimeout(0)
            with contextlib.suppress(BlockingIOError):  # some TLS records carry no data
                exchange.receive(self._socket.recv(PIECE))
        return exchange.head is not None

    def _left(self, ends_at: float) -> float | None:
        # Called before each wait, when `close` in another thread can already find the socket.
        if self._closed:
            raise httpx.ConnectError(_CLOSED)
        left = ends_at - time.monotonic()
        if left <= 0:
            raise TimeoutError("no time is left")
        return None if left == math.inf else left

    def _slice(self, ends_at: float) -> float:
        return min(self._left(ends_at) or math.inf, _CHECK_SECONDS)

    def _connect(self, ends_at: float) -> None:
        hop = self.route.first
        addresses = resolver.resolve(hop.host, hop.port, partial(self._slice, ends_at))
        self._connect_to_any(addresses, ends_at)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def _connect_to_any(self, addresses: list[resolver.Address], ends_at: float) -> None:
        """Keep the first connection that succeeds. The next address is tried when one fails or is slow (RFC 8305)."""
        error: OSError | None = None
        with selectors.DefaultSelector() as selector:
            try:
                for address in (*addresses, None):
                    next_at = math.inf
                    if address is not None:
                        try:
                            _begin_to_connect(address, selector)
                        except OSError as failed:  # this machine may lack a route, for example for IPv6
                            if is_injected(failed):
                                raise
                            error = failed
                            continue
                        next_at = time.monotonic() + STAGGER
                    has_failed = False
                    while selector.get_map() and not (has_failed and address is not None):
                        seconds = min(self._slice(ends_at), next_at - time.monotonic())
                        if seconds <= 0:
                            break
                        for key, _ in selector.select(seconds):
                            sock: Any = key.fileobj
                            code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                            # An interrupt in any line leaves each socket to somebody who closes it.
                            if code == 0:
                                self._socket = sock
                                selector.unregister(sock)
                                return
                            sock.close()
                            selector.unregister(sock)
                            error, has_failed = OSError(code, os.strerror(code)), True
            finally:
                for key in list(selector.get_map().values()):
                    key.fileobj.close()  # type: ignore[union-attr]
        assert error is not None
        raise error

    def _greet(self, handshake: Handshake, ends_at: float) -> None:
        """Carry out the handshake with the proxy."""
        sock, to_send = self._socket, next(handshake)
        with contextlib.suppress(StopIteration):
            while True:
                sock.settimeout(self._left(ends_at))
                if to_send:
                    sock.sendall(to_send)
                to_send = handshake.send(sock.recv(PIECE))

    def _secure(self, hop: Hop, ends_at: float) -> None:
        if hop.context is None:
            return
        self._socket = secured = Tls(self._socket, hop.context, hop.host)
        self._is_tls = True
        secured.settimeout(self._left(ends_at))
        secured.do_handshake()
        check_protocol(secured.ssl_object)


def _begin_to_connect(address: resolver.Address, selector: selectors.BaseSelector) -> None:
    sock = socket.socket(address.family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            sock.connect(address.sockaddr)
        selector.register(sock, selectors.EVENT_WRITE)
    except BaseException:
        sock.close()
        raise


class Tls:
    """TLS over a socket, or over TLS.

    `SSLContext.wrap_socket` hands the descriptor to a new object. If an interrupt comes in between, both objects close
    it, the second one perhaps after another thread has opened a socket with the same number.
    """

    def __init__(self, sock: Any, context: ssl.SSLContext, host: str) -> None:
        self._socket = sock
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.ssl_object = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)
        self.shutdown, self.fileno, self.close = sock.shutdown, sock.fileno, sock.close
        self.getsockname, self.getpeername = sock.getsockname, sock.getpeername
        self._ends_at: float | None = None

    def settimeout(self, seconds: float | None) -> None:
        self._ends_at = time.monotonic() + seconds if seconds else None
        self._socket.settimeout(seconds)

    def do_handshake(self) -> None:
        self._run(self.ssl_object.do_handshake)

    def recv(self, size: int) -> bytes:
        try:
            if not (self.ssl_object.pending() or self._incoming.pending):
                self._receive()
            return self._run(partial(self.ssl_object.read, size))
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            return b""

    def send(self, data: bytes) -> int:
        """Sends what a socket that can be written to takes without waiting, so that a response is not missed."""
        return self._run(partial(self.ssl_object.write, data[:RECORD]))

    def sendall(self, data: bytes) -> None:
        self._run(partial(self.ssl_object.write, data))

    def pending(self) -> int:
        below = self._socket.pending() if isinstance(self._socket, Tls) else 0
        return self.ssl_object.pending() or self._incoming.pending or below

    def _run(self, step: Callable[[], T]) -> T:
        while True:
            try:
                result = step()
            except ssl.SSLWantReadError:
                self._flush()
            else:
                self._flush()
                return result
            if self._ends_at is not None:  # a peer that sends single bytes doesn't extend the time
                self._socket.settimeout(max(0.001, self._ends_at - time.monotonic()))
            self._receive()

    def _receive(self) -> None:
        if data := self._socket.recv(PIECE):
            self._incoming.write(data)
        else:
            self._incoming.write_eof()

    def _flush(self) -> None:
        if to_send := self._outgoing.read():
            self._socket.sendall(to_send)
