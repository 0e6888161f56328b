"""The asynchronous transport: pooled connections, a set for each event loop."""

from __future__ import annotations

import httpx

from interactor_ext.telemetry._events import Connections
from interactor_ext.transports._async_pool import ConnectionSet
from interactor_ext.transports._per_loop import PerLoop
from interactor_ext.transports._proxies import Origin, checked_proxy, environment_proxy
from interactor_ext.transports._tls import Certificate, Verify, tls_context

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
