"""Checks of proxy URLs, and the handshakes with proxies. Loaded only if one is used. Knows no socket."""

from __future__ import annotations

import base64
import ipaddress
from collections.abc import Generator

import httpx

from interactor_ext._engine.errors import ConfigurationError
from interactor_ext._engine.network.http1 import Exchange

Handshake = Generator[bytes, bytes, None]
"""Yields the bytes to send, and expects those received, in pieces of any size; b"" means the end of the connection.
Raises httpx.ProxyError.
"""
# These can't be the server's, because it has no request yet.
_UNASKED = "it sent bytes before the server got a request"
# RFC 1928, section 6.
_SOCKS_ERRORS = (
    "",
    "general failure",
    "connection not allowed by its rules",
    "network unreachable",
    "host unreachable",
    "connection refused",
    "time to live expired",
    "command not supported",
    "address type not supported",
)


def proxy_name(proxy: httpx.Proxy, source: str) -> str:
    """The proxy's name in error messages, without its credentials."""
    return f"the proxy {proxy.url.scheme}://{proxy.url.netloc.decode('ascii')} ({source})"


def checked_proxy(proxy: httpx.Proxy | httpx.URL | str, source: str = "proxy") -> httpx.Proxy:
    """Returns the proxy if it is valid. `source` is where it was set.

    Raises:
        ConfigurationError: it isn't. The message doesn't quote it, since any part may belong to a password.
    """
    try:
        checked = proxy if isinstance(proxy, httpx.Proxy) else httpx.Proxy(proxy)
        problem = _problem(checked)
    except (httpx.InvalidURL, ValueError, TypeError):
        checked, problem = None, "it isn't a URL with the scheme http, https, socks5 or socks5h"
    if checked is None or problem is not None:
        raise ConfigurationError(
            f"{source} can't be used: {problem}. Write it as http://host:port or "
            "http://user:password@host:port, with special characters in the user name and password "
            "percent-encoded (# as %23, / as %2F, @ as %40)."
        )
    return checked


def _problem(proxy: httpx.Proxy) -> str | None:
    url = proxy.url
    if not url.host:
        return "it has no host"
    if url.port is not None and not 0 < url.port < 65536:
        return "ports range from 1 to 65535"
    if "@" in f"{url.raw_path!r}{url.fragment}":
        return "its user name or password contains a character that would end it"
    if proxy.raw_auth is not None and is_socks(proxy) and max(map(len, proxy.raw_auth)) > 255:
        return "SOCKS allows at most 255 bytes for the user name and for the password"
    return None


def is_socks(proxy: httpx.Proxy) -> bool:
    return proxy.url.scheme.startswith("socks")


def headers_for(proxy: httpx.Proxy) -> list[tuple[bytes, bytes]]:
    """The headers for a proxy, including its credentials."""
    if proxy.raw_auth is None:
        return proxy.headers.raw
    credentials = base64.b64encode(b":".join(proxy.raw_auth))
    return [*proxy.headers.raw, (b"Proxy-Authorization", b"Basic " + credentials)]


def handshake(proxy: httpx.Proxy, host: bytes, port: int) -> Handshake:
    """Asks a proxy to connect to a host."""
    return _socks5(proxy, host, port) if is_socks(proxy) else _connect(proxy, host, port)


def _connect(proxy: httpx.Proxy, host: bytes, port: int) -> Handshake:
    """RFC 9110, section 9.3.6. An IPv6 address is written in brackets."""
    target = b"%b:%d" % (b"[%b]" % host if b":" in host else host, port)
    exchange = Exchange(b"CONNECT", target, [(b"Host", target), *headers_for(proxy)])
    data = yield exchange.whole(b"")
    while True:
        exchange.receive(data)
        if exchange.head is not None:
            break
        data = yield b""
    if not 200 <= exchange.head.status < 300:
        raise httpx.ProxyError(f"it responded with status {exchange.head.status}")
    if exchange.is_followed:
        raise httpx.ProxyError(_UNASKED)


def _socks5(proxy: httpx.Proxy, host: bytes, port: int) -> Handshake:
    """RFC 1928, with a user name and password as in RFC 1929. The proxy resolves names."""
    reader = _Reader()
    auth = proxy.raw_auth
    methods = b"\x00" if auth is None else b"\x00\x02"
    version, method = yield from reader.exact(2, b"\x05%c%b" % (len(methods), methods))
    if version != 5:
        raise httpx.ProxyError("it doesn't speak SOCKS 5")
    if method == 2 and auth is not None:
        user, password = auth
        _, status = yield from reader.exact(2, b"\x01%c%b%c%b" % (len(user), user, len(password), password))
        if status != 0:
            raise httpx.ProxyError("it rejected the user name or password")
    elif method != 0:
        raise httpx.ProxyError("it requires " + ("a user name and password" if auth is None else "another login"))
    _, reply, _, kind = yield from reader.exact(4, b"\x05\x01\x00" + _address(host) + port.to_bytes(2, "big"))
    if reply != 0:
        known = 0 < reply < len(_SOCKS_ERRORS)
        raise httpx.ProxyError(f"it can't connect: {_SOCKS_ERRORS[reply] if known else f'error {reply}'}")
    (length,) = (yield from reader.exact(1)) if kind == 3 else (4 if kind == 1 else 16,)
    yield from reader.exact(length + 2)  # the address from which it connected
    if reader.received:
        raise httpx.ProxyError(_UNASKED)


def _address(host: bytes) -> bytes:
    try:
        address = ipaddress.ip_address(host.decode("ascii"))
    except ValueError:
        return b"\x03%c%b" % (len(host), host)
    return (b"\x01" if address.version == 4 else b"\x04") + address.packed


class _Reader:
    def __init__(self) -> None:
        self.received = b""

    def exact(self, size: int, to_send: bytes = b"") -> Generator[bytes, bytes, bytes]:
        while len(self.received) < size:
            data = yield to_send
            if not data:
                raise httpx.ProxyError("it closed the connection")
            self.received += data
            to_send = b""
        taken, self.received = self.received[:size], self.received[size:]
        return taken
