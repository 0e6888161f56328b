"""Proxies: checks of their URLs, and the handshakes with them. Loaded where one is used."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpcore
import httpx

from interactor_ext._errors import ConfigurationError

# How what is said to a proxy begins, in HTTP and in SOCKS 5. No request begins so.
_TO_PROXY = (b"CONNECT ", b"\x05", b"\x01")


def proxy_name(proxy: httpx.Proxy, source: str) -> str:
    """The name of a proxy for errors, without its credentials."""
    return f"the proxy {proxy.url.scheme}://{proxy.url.netloc.decode('ascii')} ({source})"


def checked_proxy(proxy: httpx.Proxy | httpx.URL | str, source: str = "proxy") -> httpx.Proxy:
    """The proxy, if it can be one. `source` says where it was given.

    Raises:
        ConfigurationError: it cannot. The message quotes nothing of it, since any part may belong to a password.
    """
    try:
        checked = proxy if isinstance(proxy, httpx.Proxy) else httpx.Proxy(proxy)
        problem = _problem(checked.url)
    except (httpx.InvalidURL, ValueError, TypeError):
        checked, problem = None, "it isn't a URL with the scheme http, https, socks5 or socks5h"
    if checked is None or problem is not None:
        raise ConfigurationError(
            f"{source} can't be used: {problem}. Write it as http://host:port or "
            "http://user:password@host:port, with special characters in the user name and password "
            "percent-encoded (# as %23, / as %2F, @ as %40)."
        )
    return checked


def _problem(url: httpx.URL) -> str | None:
    if not url.host:
        return "it has no host"
    if url.port is not None and not 0 < url.port < 65536:
        return "ports range from 1 to 65535"
    if "@" in f"{url.raw_path!r}{url.fragment}":
        return "its user name or password contains a character that would end it"
    return None


def begins_request(buffer: bytes) -> bool:
    return bool(buffer) and not buffer.startswith(_TO_PROXY)


def not_connected(error: Exception, proxy: str) -> Exception:
    """The error to raise for one that came before a request was sent."""
    if isinstance(error, httpcore.TimeoutException):
        return httpcore.ConnectTimeout(proxy)
    return httpcore.ProxyError(f"{proxy} can't be used: {error}")


class _State:
    """Of a stream to a proxy: whether a request was begun. Before that, each step ends in time."""

    _inner: Any

    def __init__(self, inner: Any, proxy: str, timeout: float | None) -> None:
        self._inner = inner
        self._proxy = proxy
        self._timeout = timeout
        self._is_over = False

    def _bounded(self, timeout: float | None) -> float | None:
        """Until the request begins, that of connecting: httpcore gives none where it speaks SOCKS."""
        return timeout if self._is_over else self._timeout

    def _note(self, buffer: bytes) -> None:
        self._is_over = self._is_over or begins_request(buffer)

    def _checked(self, data: bytes) -> bytes:
        if not data and not self._is_over:
            raise httpcore.ReadError("it closed the connection")
        return data

    @contextmanager
    def _step(self) -> Iterator[None]:
        try:
            yield
        except (httpcore.TimeoutException, httpcore.NetworkError) as error:
            if self._is_over:
                raise
            raise not_connected(error, self._proxy) from error

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class Handshake(_State, httpcore.NetworkStream):
    """A stream to a proxy."""

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        with self._step():
            return self._checked(self._inner.read(max_bytes, self._bounded(timeout)))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._note(buffer)
        with self._step():
            self._inner.write(buffer, self._bounded(timeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(self, *arguments: Any, **options: Any) -> httpcore.NetworkStream:
        self._inner = self._inner.start_tls(*arguments, **options)
        return self


class AsyncHandshake(_State, httpcore.AsyncNetworkStream):
    """As `Handshake`."""

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        with self._step():
            return self._checked(await self._inner.read(max_bytes, self._bounded(timeout)))

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._note(buffer)
        with self._step():
            await self._inner.write(buffer, self._bounded(timeout))

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def start_tls(self, *arguments: Any, **options: Any) -> httpcore.AsyncNetworkStream:
        self._inner = await self._inner.start_tls(*arguments, **options)
        return self
