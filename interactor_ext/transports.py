"""The transports that the clients use by default, with httpx's own settings for proxies, authorities and client
certificates.

    ctx = ssl.create_default_context(cafile="internal-ca.pem")
    client = InteractorClient(transport=Transport(verify=ctx, cert=("client.pem", "client.key")))
    client = AsyncInteractorClient(transport=AsyncTransport(verify=ctx, proxy="http://proxy.internal:3128"))

Any other `httpx.BaseTransport` or `httpx.AsyncBaseTransport` may be passed as well. What these add to httpx's: the
environment's proxies, forks, several event loops (`httpx.AsyncHTTPTransport` lives in one), and a bound that streams
cannot use up.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import weakref
from typing import Any

import httpx

from interactor_ext._errors import ConfigurationError
from interactor_ext._fork import after_fork_in_child
from interactor_ext._network.closing import TRANSPORT_CLOSED
from interactor_ext._network.deadline import bound_reads
from interactor_ext._network.loops import PerLoop
from interactor_ext._network.over_aiohttp import AiohttpTransport
from interactor_ext._network.pool import ConnectionSet
from interactor_ext._network.proxies import Origin, checked_proxy, environment_proxy, origin_of
from interactor_ext._network.tls import Certificate, Verify, tls_context
from interactor_ext._telemetry.events import Connections

__all__ = ["AiohttpTransport", "AsyncTransport", "Transport"]

Proxy = httpx.Proxy | httpx.URL | str


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
        context = tls_context(verify, cert, trust_env=trust_env)
        given = None if proxy is None else checked_proxy(proxy)
        one = httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=keepalive_expiry)

        def connect(origin: Origin) -> httpx.AsyncBaseTransport:
            chosen = environment_proxy(origin) if given is None and trust_env else given
            return httpx.AsyncHTTPTransport(verify=context, limits=one, proxy=chosen)

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


class Transport(httpx.BaseTransport):
    """httpx's pool, as it is measured to need no replacement for threads, with the environment's proxies and safe after
    a fork.

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
        context = tls_context(verify, cert, trust_env=trust_env)
        limits = httpx.Limits(
            max_connections=max_connections, max_keepalive_connections=100, keepalive_expiry=keepalive_expiry
        )

        def connect(chosen: httpx.Proxy | str | None) -> httpx.HTTPTransport:
            transport = httpx.HTTPTransport(verify=context, limits=limits, proxy=chosen)
            bound_reads(transport, on_open=self._opened)
            return transport

        self._connect = connect
        self._proxy = None if proxy is None else checked_proxy(proxy)
        self._trust_env = trust_env
        self._closed = False
        self._start_afresh()
        after_fork_in_child(self._release_inherited)

    def _start_afresh(self) -> None:
        self._lock = threading.Lock()
        self._by_proxy: dict[httpx.Proxy | str | None, httpx.HTTPTransport] = {}
        self._by_origin: dict[Origin, httpx.HTTPTransport] = {}
        self._streams: weakref.WeakSet[Any] = weakref.WeakSet()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if self._closed:
            raise ConfigurationError(TRANSPORT_CLOSED)
        origin = origin_of(request.url)
        transport = self._by_origin.get(origin) or self._choose(origin)
        return transport.handle_request(request)

    def connections(self) -> Connections:
        """How many there are."""
        with self._lock:
            transports = list(self._by_proxy.values())
        return Connections.sum(_connections_of(transport) for transport in transports)

    def close(self) -> None:
        """Close all connections; a thread that waits for one of them gets an error, and so does every later request."""
        with self._lock:
            self._closed = True
            transports = list(self._by_proxy.values())
            streams = list(self._streams)
        for stream in streams:
            with contextlib.suppress(OSError):  # it is closed already
                stream.get_extra_info("socket").shutdown(socket.SHUT_RDWR)
        for transport in transports:
            transport.close()

    def _opened(self, stream: Any) -> None:
        with self._lock:
            self._streams.add(stream)
            is_late = self._closed
        if is_late:
            stream.close()

    def _choose(self, origin: Origin) -> httpx.HTTPTransport:
        chosen = environment_proxy(origin) if self._proxy is None and self._trust_env else self._proxy
        with self._lock:
            transport = self._by_proxy.get(chosen)
            if transport is None:
                transport = self._by_proxy[chosen] = self._connect(chosen)
            self._by_origin[origin] = transport
        return transport

    def _release_inherited(self) -> None:
        # Closing a socket here says nothing to its peer: the parent still holds it.
        for stream in self._streams:
            stream.close()
        self._start_afresh()


def _connections_of(transport: httpx.HTTPTransport) -> Connections:
    pool: Any = transport._pool
    connections = pool.connections
    idle = sum(connection.is_idle() for connection in connections)
    # httpcore keeps who waits to itself.
    waiting = sum(request.is_queued() for request in list(getattr(pool, "_requests", ())))
    return Connections(len(connections), idle, waiting)
