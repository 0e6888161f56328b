"""One connection of a pool: a transport of httpx that has at most one socket."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterable
from typing import Any

import httpcore
import httpx

from interactor_ext.transports._deadline import bound_reads
from interactor_ext.transports._proxies import Origin


class SyncConnection:
    """Closed by its socket alone: httpx's own way takes locks, and one that was interrupted may hold them for ever."""

    __slots__ = ("_network", "idle_since", "origin", "transport")

    def __init__(self, origin: Origin, transport: httpx.HTTPTransport) -> None:
        self.origin = origin
        self.transport = transport
        self.idle_since = 0.0
        self._network = bound_reads(transport)

    def is_idle(self) -> bool:
        """Whether it can serve another call: the last response was read to the end, and nobody closed it."""
        connections = self.transport._pool.connections
        return len(connections) == 1 and connections[0].is_idle() and not (self._network and self._network.closed)

    def close(self) -> None:
        """Neither waits nor takes a lock. Twice does no harm."""
        if self._network is not None:
            self._network.closed = True
            if self._network.opened_last is not None:
                self._network.opened_last.close()

    def shut_down(self) -> None:
        """Wake the thread that reads or writes, with an error. Its own business is to close."""
        if self._network is not None:
            self._network.closed = True
            if self._network.opened_last is not None:
                with contextlib.suppress(OSError):  # it is closed already
                    self._network.opened_last.get_extra_info("socket").shutdown(socket.SHUT_RDWR)


class Connection:
    """`origin` is the only one that it serves; `idle_since` is on the clock of its event loop."""

    __slots__ = ("_network", "idle_since", "origin", "transport")

    def __init__(self, origin: Origin, transport: httpx.AsyncBaseTransport) -> None:
        self.origin = origin
        self.transport = transport
        self.idle_since = 0.0
        self._network = _watch(transport)

    def descriptor(self) -> int:
        stream = None if self._network is None else self._network.opened_last
        sock = None if stream is None else stream.get_extra_info("socket")
        return -1 if sock is None else int(sock.fileno())

    async def aclose(self) -> None:
        if self._network is not None:
            self._network.closed = True
        await self.transport.aclose()
        # A call that is cancelled amid a TLS handshake leaves its socket open, and httpcore knows nothing of it.
        if self._network is not None and self._network.opened_last is not None:
            await self._network.opened_last.aclose()


def _watch(transport: httpx.AsyncBaseTransport) -> _Network | None:
    """httpx offers no setting for the network backend that httpcore takes, so its pool is told directly."""
    pool: Any = getattr(transport, "_pool", None)
    backend = getattr(pool, "_network_backend", None)
    if not isinstance(backend, httpcore.AsyncNetworkBackend):
        return None
    pool._network_backend = network = _Network(backend)
    return network


class _Network(httpcore.AsyncNetworkBackend):
    """Remembers the socket that was opened last. After the end it lets none open, which httpcore would not know of."""

    def __init__(self, inner: httpcore.AsyncNetworkBackend) -> None:
        self._inner = inner
        self.opened_last: httpcore.AsyncNetworkStream | None = None
        self.closed = False

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        stream = await self._inner.connect_tcp(host, port, timeout, local_address, socket_options)
        if self.closed:
            await stream.aclose()
            raise httpcore.ConnectError("the transport was closed meanwhile")
        self.opened_last = stream
        return stream
