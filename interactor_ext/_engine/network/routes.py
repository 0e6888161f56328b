"""How to reach an origin: the proxy, the TLS contexts, and how long each step may take."""

from __future__ import annotations

import contextlib
import math
import select
import ssl
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import httpx

from interactor_ext._engine.call import Call
from interactor_ext._engine.errors import ConfigurationError
from interactor_ext._engine.network import proxied
from interactor_ext._engine.network.http1 import Exchange
from interactor_ext._engine.network.pool import Origin, origin_of
from interactor_ext._engine.network.proxies_and_tls import Certificate, Proxy, Verify, chosen_proxy, tls_context
from interactor_ext._engine.network.short_way import ShortExchange

STAGGER = 0.25
"""Seconds until the next address of a host is tried concurrently (RFC 8305, section 5)."""
_PORTS = {"http": 80, "https": 443}
_MAX_HOST = 255
_MAX_PORT = 65535

guard: Callable[[Origin, object], Origin] | None = None
"""Returns the origin to connect to instead, or raises an InteractorError if a test mustn't reach this one. The second
argument is the transport that is about to get the request, or None if it is the SDK's own and about to send. Only
`interactor_ext.testing` sets it.
"""


class Hop(NamedTuple):
    """One end of a connection."""

    host: str
    port: int
    context: ssl.SSLContext | None
    """None without TLS."""


class Route(NamedTuple):
    origin: Origin
    server: Hop
    proxy: httpx.Proxy | None = None
    proxy_hop: Hop | None = None
    proxy_name: str = ""
    """For error messages."""

    @property
    def first(self) -> Hop:
        """The hop to connect to."""
        return self.proxy_hop or self.server

    def handshake(self) -> proxied.Handshake | None:
        """The handshake with the proxy before the request, if any."""
        if self.proxy is None or self._is_forwarded:
            return None
        return proxied.handshake(self.proxy, self.server.host.encode("ascii"), self.server.port)

    def exchange(self, request: httpx.Request) -> Exchange:
        url, headers = request.url, request.headers.raw
        target = url.raw_path
        if self.proxy is not None and self._is_forwarded:
            target = b"%b://%b%b" % (url.raw_scheme, url.netloc, target)
            headers = [*headers, *proxied.headers_for(self.proxy)]
        return ShortExchange(request.method.encode(), target, headers)

    def response(self, exchange: Exchange, body: Any, connection: Any) -> httpx.Response:
        """Make the response from the head of the exchange. Raises httpx.ProxyError if the proxy refused the request."""
        head = exchange.head
        assert head is not None
        if head.status == 407 and self._is_forwarded:
            raise httpx.ProxyError(f"{self.proxy_name} can't be used: it responded with status 407")
        extensions = {"http_version": head.version, "reason_phrase": head.reason, "network_stream": connection}
        return httpx.Response(head.status, headers=head.headers, stream=body, extensions=extensions)

    @property
    def _is_forwarded(self) -> bool:
        """Whether an HTTP proxy gets the request itself and forwards it."""
        return self.server.context is None and self.proxy is not None and not proxied.is_socks(self.proxy)


class Routes:
    """Finds the route to each origin."""

    def __init__(self, *, verify: Verify, cert: Certificate | None, proxy: Proxy | None, trust_env: bool) -> None:
        self.context: ssl.SSLContext = tls_context(verify, cert, trust_env=trust_env)
        self._proxy = None if proxy is None else proxied.checked_proxy(proxy)
        self._trust_env = trust_env

    def proxy_to(self, origin: Origin) -> tuple[httpx.Proxy | None, str]:
        """The proxy for an origin, and the name of the setting."""
        return chosen_proxy(self._proxy, origin, trust_env=self._trust_env)

    def to(self, origin: Origin) -> Route:
        scheme, host, port = origin
        if scheme not in _PORTS:
            raise httpx.UnsupportedProtocol("Use a URL that begins with http:// or https://.")
        _check_host(host, port)
        server = Hop(host, port or _PORTS[scheme], self.context if scheme == "https" else None)
        proxy, source = self.proxy_to(origin)
        if proxy is None:
            return Route(origin, server)
        is_https = proxy.url.scheme == "https"
        default = 1080 if proxied.is_socks(proxy) else _PORTS[proxy.url.scheme]
        context = (proxy.ssl_context or self.context) if is_https else None
        hop = Hop(proxy.url.raw_host.decode("ascii"), proxy.url.port or default, context)
        return Route(origin, server, proxy, hop, proxied.proxy_name(proxy, source))


def guarded_origin(url: httpx.URL, transport: object = None) -> Origin:
    """Called for each request: an idle connection may be left from an earlier test that allowed its host."""
    origin = origin_of(url)
    return origin if guard is None else guard(origin, transport)


def _check_host(host: str, port: int | None) -> None:
    """Checked even if a proxy looks up the name: TLS and SOCKS can't carry every text."""
    try:
        is_possible = len(host.encode("idna")) <= _MAX_HOST and (port is None or port <= _MAX_PORT)
    except UnicodeError:
        is_possible = False
    if not is_possible:
        raise httpx.UnsupportedProtocol("Host names have parts of 1 to 63 characters, and ports range up to 65535.")


def seconds_for(request: httpx.Request, wait: str) -> float | None:
    """How long the next wait for the network may last: httpx's timeout (`connect`, `read`, `write` or `pool`), or the
    time until the attempt's deadline if that is shorter. Called before each wait. Raises TimeoutError.
    """
    timeout: float | None = request.extensions.get("timeout", {}).get(wait)
    call: Call = request.extensions["call"]
    ends_at = call.wait_ends_at
    if ends_at == math.inf:
        return timeout
    left = ends_at - time.monotonic()
    if left <= 0:
        raise TimeoutError("no time is left")
    return left if timeout is None else min(timeout, left)


@contextlib.contextmanager
def connecting(proxy: str, *, has_reached_server: bool = False) -> Iterator[None]:
    """Turns network errors into httpx's. `proxy` is the name of the proxy, if there is one."""
    try:
        yield
    except TimeoutError as error:
        if is_injected(error):
            raise
        raise httpx.ConnectTimeout(proxy) from error
    except (OSError, httpx.ProxyError, httpx.RemoteProtocolError) as error:
        if is_injected(error):
            raise
        reason = str(error) or "the connection was closed"  # asyncio raises such an error during a TLS handshake
        if proxy and not has_reached_server:
            raise httpx.ProxyError(f"{proxy} can't be used: {reason}") from error
        raise httpx.ConnectError(reason) from error


def is_injected(error: BaseException) -> bool:
    """Whether another thread raised this OSError here with `PyThreadState_SetAsyncExc`, as the time limits of RQ and
    stopit do. Such an error has no arguments. Network errors have some, except for asyncio's ConnectionResetError.
    """
    return isinstance(error, OSError) and not error.args and not isinstance(error, ConnectionError)


def check_protocol(secured: ssl.SSLObject) -> None:
    """Raises ConfigurationError if the caller's context has negotiated HTTP/2."""
    protocol = secured.selected_alpn_protocol()
    if protocol not in (None, "http/1.1"):
        raise ConfigurationError(
            f"The server chose {protocol!r}, which the TLS context of verify= offers, but this transport speaks "
            'HTTP/1.1. Call `set_alpn_protocols(["http/1.1"])` on the context, or pass httpx.HTTPTransport(http2=True).'
        )


def is_readable(sock: Any, wait_to_write: float | None = 0) -> bool:
    """Whether the server has sent anything or closed the connection.

    Waits at most this many seconds until it has, or until bytes can be sent to it. Then raises TimeoutError.
    """
    writers = [] if wait_to_write == 0 else [sock]
    if hasattr(select, "poll"):  # not on Windows, nor if eventlet has patched Python
        poll = select.poll()
        poll.register(sock, select.POLLIN | (select.POLLOUT if writers else 0))
        events = poll.poll(wait_to_write and wait_to_write * 1000)
        is_ready, found = bool(events), any(event & ~select.POLLOUT for _, event in events)
    else:
        readable, writable, _ = select.select([sock], writers, [], wait_to_write)
        is_ready, found = bool(readable or writable), bool(readable)
    if writers and not is_ready:
        raise TimeoutError("timed out")
    return found
