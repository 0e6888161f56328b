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

import httpx

from interactor_ext._fork import after_fork_in_child
from interactor_ext.telemetry._events import Connections
from interactor_ext.transports._aiohttp import AiohttpTransport
from interactor_ext.transports._async_pool import ConnectionSet
from interactor_ext.transports._per_loop import PerLoop
from interactor_ext.transports._proxies import Origin, checked_proxy, environment_proxy
from interactor_ext.transports._sync_pool import SyncConnectionSet
from interactor_ext.transports._tls import Certificate, Verify, tls_context

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
    """Connections for threads, safe after a fork, and after interrupts: an exception that a signal handler raises in
    the midst of a call (Ctrl-C, an alarm, a task queue's time limit) costs that call its connection, and nothing else.

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
        given = None if proxy is None else checked_proxy(proxy)
        one = httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=keepalive_expiry)

        def connect(origin: Origin) -> httpx.HTTPTransport:
            chosen = environment_proxy(origin) if given is None and trust_env else given
            return httpx.HTTPTransport(verify=context, limits=one, proxy=chosen)

        self._set = SyncConnectionSet(connect, max_connections=max_connections, keepalive_expiry=keepalive_expiry)
        after_fork_in_child(self._set.release_inherited)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return self._set.send(request)

    def connections(self) -> Connections:
        """How many there are."""
        return self._set.connections()

    def close(self) -> None:
        """Close all connections; a thread that waits for one of them gets an error, and so does every later request."""
        self._set.close()
