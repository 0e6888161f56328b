"""aiohttp under the asynchronous client, by way of httpx-aiohttp. Extra `[aiohttp]`."""

from __future__ import annotations

import base64
import weakref
from collections.abc import Callable
from typing import Any

import httpx

from interactor_ext._errors import ConfigurationError
from interactor_ext.transports._per_loop import PerLoop
from interactor_ext.transports._proxies_and_tls import (
    Certificate,
    Origin,
    Proxy,
    Verify,
    checked_proxy,
    environment_proxy,
    origin_of,
    tls_context,
)

Connect = Callable[[httpx.Proxy | None], httpx.AsyncBaseTransport]


class AiohttpTransport(httpx.AsyncBaseTransport):
    """A session of aiohttp for each event loop. Settings as in `AsyncTransport`; `max_connections` bounds calls and
    streams together.

    aiohttp rejects a response with bytes after its end: where a server sends a 204 with a body, which it must not, the
    call fails with an APIConnectionError although the server carried it out. The other transports accept it.

    Raises:
        ConfigurationError: httpx-aiohttp is not installed.
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
        try:
            import aiohttp
            import httpx_aiohttp
        except ImportError as error:
            raise ConfigurationError(
                "AiohttpTransport needs an extra: pip install 'interactor-sdk[aiohttp]'"
            ) from error
        context = tls_context(verify, cert, trust_env=trust_env)

        def connect(chosen: httpx.Proxy | None) -> httpx.AsyncBaseTransport:
            connector = Connector(ssl=context, limit=max_connections, keepalive_timeout=keepalive_expiry)
            # A jar would carry one tenant's session into another's request.
            session = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
            # aiohttp would send a GET or a DELETE again by itself, which retries and telemetry would not count.
            session._retry_connection = False
            transport: httpx.AsyncBaseTransport = httpx_aiohttp.AiohttpTransport(
                verify=context, client=session, proxy=chosen
            )
            return transport

        class Connector(aiohttp.TCPConnector):
            """Drops an idle connection on which bytes arrived: aiohttp would take them for the response to the next
            call, which may be another tenant's.
            """

            async def connect(self, *arguments: Any, **options: Any) -> Any:
                while True:
                    connection = await super().connect(*arguments, **options)
                    protocol = connection.protocol
                    if protocol is None or protocol not in used or not protocol.should_close:
                        if protocol is not None:
                            used.add(protocol)
                        return connection
                    connection.close()

        used: weakref.WeakSet[Any] = weakref.WeakSet()
        self._error: type[Exception] = aiohttp.ClientError
        self._quoting: type[Exception] = aiohttp.ClientResponseError
        self._not_connected: type[Exception] = aiohttp.ClientConnectorError
        self._no_proxy: type[Exception] = aiohttp.ClientProxyConnectionError
        given = _as_proxy(proxy)
        self._sessions = PerLoop(lambda: _Sessions(connect, given, trust_env=trust_env), _Sessions.aclose)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        try:
            response = await self._sessions.get().choose(origin_of(request.url)).handle_async_request(request)
        except Exception as error:
            if (corrected := self._corrected(error)) is not None:
                cause = self._of_aiohttp(error)
                # It quotes the whole URL, and carries the headers with the token.
                raise corrected from (None if isinstance(cause, self._quoting) else cause)
            raise
        return response

    async def aclose(self) -> None:
        await self._sessions.aclose()

    def _corrected(self, error: Exception) -> httpx.TransportError | None:
        """The error to raise instead, where that of httpx-aiohttp is wrong: it raises ConnectTimeout for each lost or
        refused connection, lets some errors of aiohttp through, and quotes them.
        """
        cause = self._of_aiohttp(error)
        if isinstance(cause, self._no_proxy):
            return httpx.ProxyError(str(cause))
        if isinstance(cause, self._not_connected):
            return httpx.ConnectError(str(cause))
        if isinstance(cause, self._quoting):
            if isinstance(error, httpx.ProxyError):
                return httpx.ProxyError(f"the proxy answers with status {getattr(cause, 'status', 0)}")
            return httpx.RemoteProtocolError("the answer breaks the rules of HTTP")
        if isinstance(error, httpx.ConnectTimeout):
            if isinstance(cause, TimeoutError):
                return httpx.ConnectTimeout("no connection in time")
            return httpx.ReadError(str(error))
        if isinstance(error, self._error):
            return httpx.RemoteProtocolError(str(error))
        return None

    def _of_aiohttp(self, error: Exception) -> BaseException:
        return error if isinstance(error, self._error) else error.__cause__ or error


class _Sessions:
    """The sessions of one event loop, one for each proxy."""

    def __init__(self, connect: Connect, proxy: httpx.Proxy | None, *, trust_env: bool) -> None:
        self._connect = connect
        self._proxy = proxy
        self._trust_env = trust_env
        self._by_proxy: dict[str | None, httpx.AsyncBaseTransport] = {}
        self._by_origin: dict[Origin, httpx.AsyncBaseTransport] = {}

    def choose(self, origin: Origin) -> httpx.AsyncBaseTransport:
        transport = self._by_origin.get(origin)
        if transport is None:
            proxy, name = self._proxy, None
            if proxy is None and self._trust_env:
                name = environment_proxy(origin)
                proxy = _as_proxy(name)
            if name not in self._by_proxy:
                self._by_proxy[name] = self._connect(proxy)
            transport = self._by_origin[origin] = self._by_proxy[name]
        return transport

    async def aclose(self) -> None:
        for transport in self._by_proxy.values():
            await transport.aclose()


def _as_proxy(proxy: Proxy | None) -> httpx.Proxy | None:
    """With its credentials as a header: httpx-aiohttp gives aiohttp an object for them that aiohttp is about to
    drop.
    """
    if proxy is None:
        return None
    proxy = checked_proxy(proxy)
    if proxy.raw_auth is None:
        return proxy
    credentials = base64.b64encode(b":".join(proxy.raw_auth)).decode()
    headers = {**proxy.headers, "Proxy-Authorization": f"Basic {credentials}"}
    return httpx.Proxy(proxy.url, headers=headers)
