"""The private attributes of httpx, httpcore, h11 and anyio that this package depends on. No other module touches any.

httpx has no setting for the network backend of its pools, so a pool is given ours directly: it knows the socket of each
connection, and bounds each read and write by the deadline of the call. Our own transports keep one connection in each
transport of httpx, and use its pool only to make that connection. httpx's timeouts count from one read to the
next, so a server that sends a byte a second would hold a call for ever; an async call is simply cancelled, a sync one
sits in `recv`. Nor has httpx a word for bytes that follow the end of a response; those are looked up step by step.
tests/transports/test_httpx_internals.py fails when one of the attributes is gone or means something else.
"""

from __future__ import annotations

import functools
import math
import ssl
import time
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from typing import Any

import httpcore
import httpx

from interactor_ext._fork import safe_lock
from interactor_ext._responses._connection_error import interrupt_behind
from interactor_ext.transports import _proxied, _resolver

Late = Callable[[], httpx.TimeoutException]

network_deadline: ContextVar[float] = ContextVar("interactor_network_deadline", default=math.inf)
"""When each wait for the network ends: an instant of `time.monotonic()`. httpcore hands through numbers alone."""


NO_ANSWER: Late = functools.partial(httpx.ReadTimeout, "no complete response in time")
late: ContextVar[Late] = ContextVar("interactor_late", default=NO_ANSWER)
"""Makes the error of an async attempt whose time is over now: cancelled as a whole, it cannot say how far it is."""


def seconds_left(timeout: float | None, expired: type[Exception]) -> float | None:
    """The timeout of one wait for the network: `timeout`, or what is left until the deadline. Raises `expired`."""
    ends_at = network_deadline.get()
    if ends_at == math.inf:
        return timeout
    left = ends_at - time.monotonic()
    if left <= 0:
        raise expired("no time is left")
    return left if timeout is None else min(timeout, left)


def watch_network(transport: httpx.BaseTransport, proxy_source: str = "transport=") -> Network | None:
    """Have a transport use a `Network`. None if it has one already, or is not of httpx: a call over such a transport is
    checked against its deadline between two chunks of the body instead. `proxy_source` is where its proxy is set.
    """
    pool = getattr(transport, "_pool", None)
    if not isinstance(pool, httpcore.ConnectionPool) or isinstance(pool._network_backend, Network):
        return None
    # httpcore's own lock is written in Python, where an interrupt can leave it taken for ever; and it is not reentrant,
    # so the garbage collector can wait in a thread for what that very thread holds.
    pool._optional_thread_lock = safe_lock()  # type: ignore[assignment]
    pool._network_backend = network = Network(pool._network_backend, _proxy_of(pool, proxy_source))
    return network


def watch_async_network(transport: httpx.AsyncBaseTransport, proxy_source: str = "transport=") -> AsyncNetwork | None:
    """As `watch_network`."""
    pool = getattr(transport, "_pool", None)
    if not isinstance(pool, httpcore.AsyncConnectionPool) or isinstance(pool._network_backend, AsyncNetwork):
        return None
    pool._network_backend = network = AsyncNetwork(pool._network_backend, _proxy_of(pool, proxy_source))
    return network


def _proxy_of(pool: Any, source: str) -> str:
    """The name of a pool's proxy for errors, without its credentials; "" without one."""
    url: httpcore.URL | None = getattr(pool, "_proxy_url", None)
    return "" if url is None else f"the proxy {url.origin} ({source})"


class OnlyConnection:
    """The only connection of a transport of httpx, in place of its pool, which would spend 6 % of a call on finding it.
    It needs no queue, and no lock.
    """

    def __init__(self, transport: httpx.HTTPTransport, proxy_source: str) -> None:
        network = watch_network(transport, proxy_source)
        assert network is not None
        self.network: Network = network
        self._transport = transport
        self._pool = transport._pool
        self._connection: httpcore.ConnectionInterface | None = None

    def prepare(self, url: httpx.URL) -> None:
        """Have a connection that can serve a call: the one there is, or another."""
        connection = self._connection
        if connection is None or not connection.is_idle() or connection.has_expired():
            if connection is not None:
                connection.close()
            self._connection = self._pool.create_connection(_origin(url))
            self._transport._pool = self._connection  # type: ignore[assignment]

    def is_idle(self) -> bool:
        """Whether it can serve another call: its last response was read to the end, and it was not closed."""
        return self._connection is not None and self._connection.is_idle() and not self.network.closed


class AsyncOnlyConnection:
    """`OnlyConnection` for an asynchronous transport of httpx."""

    def __init__(self, transport: httpx.AsyncHTTPTransport, proxy_source: str) -> None:
        network = watch_async_network(transport, proxy_source)
        assert network is not None
        self.network: AsyncNetwork = network
        self._transport = transport
        self._pool = transport._pool
        self._connection: httpcore.AsyncConnectionInterface | None = None

    async def prepare(self, url: httpx.URL) -> None:
        connection = self._connection
        if connection is None or not connection.is_idle() or connection.has_expired():
            if connection is not None:
                await connection.aclose()
            self._connection = self._pool.create_connection(_origin(url))
            self._transport._pool = self._connection  # type: ignore[assignment]

    def is_idle(self) -> bool:
        return self._connection is not None and self._connection.is_idle() and not self.network.closed


def _origin(url: httpx.URL) -> httpcore.Origin:
    if url.scheme not in ("http", "https"):
        raise httpx.UnsupportedProtocol("Use a URL that begins with http:// or https://.")
    return httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=b"/").origin


class Network(httpcore.NetworkBackend):
    """Remembers the socket that was opened last. Once closed, it opens none, which httpcore would not know of."""

    def __init__(self, inner: httpcore.NetworkBackend, proxy: str = "") -> None:
        self._inner = inner
        self._proxy = proxy
        self.opened_last: _Stream | None = None
        self.closed = False

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        try:
            return self._opened(self._connect_to_any(host, port, timeout, local_address, socket_options), timeout)
        except (httpcore.TimeoutException, httpcore.NetworkError) as error:
            if self._proxy:
                raise _proxied.not_connected(error, self._proxy) from error
            raise

    def _connect_to_any(self, host: str, port: int, timeout: float | None, *options: Any) -> httpcore.NetworkStream:
        # A timeout of the socket module is for one address, and a name may have several: the time is shared out.
        seconds = seconds_left(timeout, httpcore.ConnectTimeout)
        ends_at = None if seconds is None else time.monotonic() + seconds
        addresses = _resolver.resolve(host, port, seconds)
        while True:
            address = addresses.pop(0)
            share = None if ends_at is None else max(0.001, (ends_at - time.monotonic()) / (len(addresses) + 1))
            try:
                return self._inner.connect_tcp(address, port, share, *options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                if not addresses or interrupt_behind(error) is not None:
                    raise

    def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None
    ) -> httpcore.NetworkStream:
        return self._opened(self._inner.connect_unix_socket(path, timeout, socket_options), timeout)

    def sleep(self, seconds: float) -> None:
        self._inner.sleep(seconds)

    def _opened(self, stream: httpcore.NetworkStream, timeout: float | None) -> _Stream:
        if self._proxy:
            stream = _proxied.Handshake(stream, self._proxy, timeout)
        opened = self.opened_last = _Stream(stream)
        if self.closed:  # asked after `opened_last` is set, where a thread that closes meanwhile finds it
            opened.close()
            raise httpcore.ConnectError("the transport was closed in the meantime")
        return opened


_PIECE = 64 * 1024


class _Stream(httpcore.NetworkStream):
    def __init__(self, inner: httpcore.NetworkStream) -> None:
        self._inner = inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, seconds_left(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        # A peer that reads slowly makes one write of much data into many: each piece gets the time that is left.
        for start in range(0, len(buffer), _PIECE):
            left = seconds_left(timeout, httpcore.WriteTimeout)
            try:
                self._inner.write(buffer[start : start + _PIECE], left)
            except httpcore.WriteError as error:  # after which httpcore reads: there may be an answer
                if (interrupt := interrupt_behind(error)) is not None:
                    raise interrupt from interrupt.__cause__
                raise

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        # The same object, so that `opened_last` is the stream that is read, encrypted or not.
        left = seconds_left(timeout, httpcore.ConnectTimeout)
        self._inner = self._inner.start_tls(ssl_context, server_hostname, left)
        return self

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class AsyncNetwork(httpcore.AsyncNetworkBackend):
    """`Network` for an asynchronous pool. Says in `late` how far a call is, which is cancelled as a whole."""

    def __init__(self, inner: httpcore.AsyncNetworkBackend, proxy: str) -> None:
        self._inner = inner
        self._proxy = proxy
        self._no_connection: Late = functools.partial(httpx.ConnectTimeout, proxy)
        self.opened_last: _AsyncStream | None = None
        self.closed = False

    async def connect_tcp(self, *arguments: Any, **options: Any) -> httpcore.AsyncNetworkStream:
        late.set(self._no_connection)
        try:
            inner = await self._inner.connect_tcp(*arguments, **options)
        except (httpcore.TimeoutException, httpcore.NetworkError) as error:
            if self._proxy:
                raise _proxied.not_connected(error, self._proxy) from error
            raise
        stream = _AsyncStream(inner)
        if self._proxy:
            inner = _proxied.AsyncHandshake(inner, self._proxy, options.get("timeout"))
            stream = _AsyncStream(inner, _proxied.begins_request)
        if self.closed:
            await stream.aclose()
            raise httpcore.ConnectError("the transport was closed in the meantime")
        self.opened_last = stream
        return stream


class _AsyncStream(httpcore.AsyncNetworkStream):
    """Hands on coroutines, which costs less than to await them: `Any`, for type checkers differ in what they are."""

    def __init__(
        self, inner: httpcore.AsyncNetworkStream, begins_request: Callable[[bytes], bool] | None = None
    ) -> None:
        self._inner = inner
        self._begins_request = begins_request

    def read(self, max_bytes: int, timeout: float | None = None) -> Any:
        return self._inner.read(max_bytes, timeout)

    def write(self, buffer: bytes, timeout: float | None = None) -> Any:
        if self._begins_request is None or self._begins_request(buffer):
            late.set(NO_ANSWER)
        return self._inner.write(buffer, timeout)

    def aclose(self) -> Any:
        return self._inner.aclose()

    async def start_tls(self, *arguments: Any, **options: Any) -> httpcore.AsyncNetworkStream:
        self._inner = await self._inner.start_tls(*arguments, **options)
        return self

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


def discard_if_desynchronised(response: httpx.Response, stream: object) -> Any:
    """Before the stream of a response is closed: let its connection serve no other call, if bytes follow the response.
    They would be taken for the response to the next call, which may be another tenant's.

    httpcore asks the kernel for such bytes before a connection is used again; those that it has read already, together
    with the response, lie in h11, or in anyio below it, where it does not look.

    Returns the network stream, if there is one and the caller has to close it.
    """
    parser = parser_of(stream)
    network = response.extensions.get("network_stream")
    has_excess_body = response.status_code in (204, 304) and _announces_body(response)
    if parser is None:
        # Over HTTP/2 others share it, and there each byte says which answer it belongs to.
        is_http_1 = response.extensions.get("http_version") in (b"HTTP/1.1", b"HTTP/1.0")
        return network if has_excess_body and is_http_1 else None
    if has_excess_body or parser.trailing_data != (b"", False) or was_read_ahead(network):
        # h11's way to say that nothing more can be sent on it; httpcore closes such a connection, in its own time.
        parser.send_failed()
    return None


def discard_after(response: httpx.Response) -> None:
    """Let the connection of a response serve no other call: after a stream of events, which lasts for minutes."""
    parser = parser_of(response.stream)
    if parser is not None:
        parser.send_failed()


# From the stream of a response to the parser of its connection: ours, httpx's, and httpcore's names for each step.
_STEPS = ("_body", "_httpcore_stream", "_stream", "_connection", "_h11_state")


def parser_of(stream: Any) -> Any:
    """The `h11.Connection` behind the stream of a response; None where the transport is made of something else."""
    for step in _STEPS:
        stream = getattr(stream, step, stream)
    return stream if hasattr(stream, "trailing_data") else None


def _announces_body(response: httpx.Response) -> bool:
    """Whether the headers of a response that has no body announce one, which is on its way then."""
    headers = response.headers
    return "transfer-encoding" in headers or headers.get("content-length", "0").strip() != "0"


def was_read_ahead(network: Any) -> bool:
    """Whether bytes were taken from the socket that httpcore has not read yet: by OpenSSL, or by asyncio for anyio."""
    if network is None:
        return False
    while (below := getattr(network, "_inner", None)) is not None:
        network = below
    inner = getattr(network, "_stream", None)
    # anyio's own attribute costs ten times as much. The SSLSocket of a sync stream, whose `read` would wait, is no
    # SSLObject.
    secured = network.get_extra_info("ssl_object") if inner is None else getattr(inner, "_ssl_object", None)
    if isinstance(secured, ssl.SSLObject):
        try:
            secured.read(1)
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError:
            return True
        else:
            return True
    return inner is not None and bool(unread_chunks(inner))


def unread_chunks(stream: Any) -> Any:
    """The chunks that asyncio has read for a stream of anyio, in advance. None for a stream of another kind."""
    below_tls = getattr(stream, "transport_stream", stream)
    return getattr(getattr(below_tls, "_protocol", None), "read_queue", None)
