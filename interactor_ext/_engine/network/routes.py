"""The way to an origin: through which proxy, with which TLS contexts; and how long each step of it may take."""

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
"""Seconds until the next address of a host is tried beside the one before (RFC 8305, section 5)."""
_PORTS = {"http": 80, "https": 443}
_LONGEST_HOST = 255
_HIGHEST_PORT = 65535

guard: Callable[[Origin, object], Origin] | None = None
"""Returns where to connect to for requests to an origin, or raises an InteractorError if a test mustn't reach it. The
second argument is the transport before it gets the request, or None if it is ours and about to send. Only
`interactor_ext.testing` sets it.
"""


class Hop(NamedTuple):
    """One end of a connection."""

    host: str
    port: int
    context: ssl.SSLContext | None
    """For TLS with it."""


class Route(NamedTuple):
    origin: Origin
    server: Hop
    proxy: httpx.Proxy | None = None
    proxy_hop: Hop | None = None
    proxy_name: str = ""
    """For errors."""

    @property
    def first(self) -> Hop:
        """What to connect to."""
        return self.proxy_hop or self.server

    def handshake(self) -> proxied.Handshake | None:
        """What is said to the proxy before the request, if anything."""
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
        """The response whose head has arrived. Raises httpx.ProxyError if the proxy refused to forward the request."""
        head = exchange.head
        assert head is not None
        if head.status == 407 and self._is_forwarded:
            raise httpx.ProxyError(f"{self.proxy_name} can't be used: it responded with status 407")
        extensions = {"http_version": head.version, "reason_phrase": head.reason, "network_stream": connection}
        return httpx.Response(head.status, headers=head.headers, stream=body, extensions=extensions)

    @property
    def _is_forwarded(self) -> bool:
        """Whether the request itself is for an HTTP proxy, which forwards it."""
        return self.server.context is None and self.proxy is not None and not proxied.is_socks(self.proxy)


class Routes:
    """Where connections go."""

    def __init__(self, *, verify: Verify, cert: Certificate | None, proxy: Proxy | None, trust_env: bool) -> None:
        self.context: ssl.SSLContext = tls_context(verify, cert, trust_env=trust_env)
        self._proxy = None if proxy is None else proxied.checked_proxy(proxy)
        self._trust_env = trust_env

    def proxy_to(self, origin: Origin) -> tuple[httpx.Proxy | None, str]:
        """The proxy for an origin, and where it is set."""
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
    """Asked for each request: one that was allowed in an earlier test may have left its connection."""
    origin = origin_of(url)
    return origin if guard is None else guard(origin, transport)


def _check_host(host: str, port: int | None) -> None:
    """Also where a proxy looks up the name: TLS and SOCKS can't carry every text."""
    try:
        is_possible = len(host.encode("idna")) <= _LONGEST_HOST and (port is None or port <= _HIGHEST_PORT)
    except UnicodeError:
        is_possible = False
    if not is_possible:
        raise httpx.UnsupportedProtocol("Host names have parts of 1 to 63 characters, and ports range up to 65535.")


def seconds_for(request: httpx.Request, wait: str) -> float | None:
    """How long the next wait for the network may last, asked anew each time: the timeout that httpx sets (`connect`,
    `read`, `write` or `pool`), or what is left until the deadline of the attempt. Raises TimeoutError.
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
    """Turns errors of the network into those of httpx. `proxy` is the name of the proxy on the way, if any."""
    try:
        yield
    except TimeoutError as error:
        if is_injected(error):
            raise
        raise httpx.ConnectTimeout(proxy) from error
    except (OSError, httpx.ProxyError, httpx.RemoteProtocolError) as error:
        if is_injected(error):
            raise
        reason = str(error) or "the connection was closed"  # so asyncio, in a handshake of TLS
        if proxy and not has_reached_server:
            raise httpx.ProxyError(f"{proxy} can't be used: {reason}") from error
        raise httpx.ConnectError(reason) from error


def is_injected(error: BaseException) -> bool:
    """Whether an OSError isn't the network's: another thread raised it here with `PyThreadState_SetAsyncExc`, as the
    time limits of RQ and stopit do, which makes it without arguments. Those of the network have some, but for asyncio's
    ConnectionResetError.
    """
    return isinstance(error, OSError) and not error.args and not isinstance(error, ConnectionError)


def check_protocol(secured: ssl.SSLObject) -> None:
    """A context that the caller made may offer HTTP/2."""
    protocol = secured.selected_alpn_protocol()
    if protocol not in (None, "http/1.1"):
        raise ConfigurationError(
            f"The server chose {protocol!r}, which the TLS context of verify= offers, but this transport speaks "
            'HTTP/1.1. Call `set_alpn_protocols(["http/1.1"])` on the context, or pass httpx.HTTPTransport(http2=True).'
        )


def is_readable(sock: Any) -> bool:
    """Whether the server has sent anything, or closed the connection."""
    if hasattr(select, "poll"):  # not in Windows, nor where eventlet has patched Python
        poll = select.poll()
        poll.register(sock, select.POLLIN)
        return bool(poll.poll(0))
    return bool(select.select([sock], [], [], 0)[0])
