"""The synchronous transport: pooled connections that outlast interrupts and forks."""

from __future__ import annotations

import httpx

from interactor_ext._fork import after_fork_in_child
from interactor_ext.telemetry._events import Connections
from interactor_ext.transports._proxies import Origin, checked_proxy, environment_proxy
from interactor_ext.transports._sync_pool import SyncConnectionSet
from interactor_ext.transports._tls import Certificate, Verify, tls_context

Proxy = httpx.Proxy | httpx.URL | str


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
