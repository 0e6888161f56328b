"""aiohttp under the asynchronous client, by way of httpx-aiohttp. Extra `[aiohttp]`."""

from __future__ import annotations

import base64
import ssl
import weakref
from collections.abc import Callable
from functools import cache, partial
from typing import Any, NamedTuple

import httpx

from interactor_ext._errors import ConfigurationError
NO_ANSWER=None;late=None
from interactor_ext.transports._idle_connections import Origin, origin_of
from interactor_ext.transports._per_loop import PerLoop
from interactor_ext.transports._proxied import checked_proxy, proxy_name
from interactor_ext.transports._proxies_and_tls import (
    Certificate,
    Proxy,
    Verify,
    chosen_proxy,
    tls_context,
)


class AiohttpTransport(httpx.AsyncBaseTransport):
    """An aiohttp session for each event loop. Settings are the same as in `AsyncTransport`; `max_connections` limits
    calls and streams together.

    aiohttp rejects a response with bytes after its end: if a server sends a 204 with a body, which it must not, the
    call fails with an APIConnectionError although the server carried it out. The other transports accept it.

    Raises:
        ConfigurationError: httpx-aiohttp isn't installed.
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
            import httpx_aiohttp  # noqa: F401
        except ImportError as error:
            raise ConfigurationError(
                "AiohttpTransport needs an extra: pip install 'interactor-sdk[aiohttp]'"
            ) from error
        context = tls_context(verify, cert, trust_env=trust_env)
        connect = partial(_connector_class(), ssl=context, limit=max_connections, keepalive_timeout=keepalive_expiry)
        given = None if proxy is None else checked_proxy(proxy)
        proxy_to = partial(chosen_proxy, given, trust_env=trust_env)
        self._aiohttp = aiohttp
        self._sessions = PerLoop(partial(_open_session, connect, context, proxy_to), _Session.aclose)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Called by httpx: send a request."""
        transport, proxy = self._sessions.get().transport_to(origin_of(request.url))
        late.set(partial(httpx.ConnectTimeout, proxy))
        try:
            return await transport.handle_async_request(request)
        except Exception as error:
            cause = error if isinstance(error, self._aiohttp.ClientError) else error.__cause__ or error
            corrected = self._corrected(error, cause, proxy)
            if corrected is None:
                raise
            # A ClientResponseError quotes the whole URL, and carries the headers with the token.
            raise corrected from (None if isinstance(cause, self._aiohttp.ClientResponseError) else cause)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._sessions.aclose()

    def _corrected(self, error: Exception, cause: BaseException, proxy: str) -> httpx.TransportError | None:
        """The error to raise instead, where that of httpx-aiohttp is wrong: it raises ConnectTimeout for each lost or
        refused connection, lets some errors of aiohttp through, and quotes them.
        """
        is_connected = late.get() is NO_ANSWER
        dead = self._aiohttp.ClientProxyConnectionError, self._aiohttp.ClientConnectorDNSError
        hung_up = isinstance(cause, self._aiohttp.ServerDisconnectedError) and not is_connected
        if proxy and (hung_up or isinstance(cause, dead)):  # with a proxy, aiohttp looks up no other host
            return httpx.ProxyError(f"{proxy} can't be used: {cause}")
        if isinstance(cause, self._aiohttp.ClientConnectorError):
            return httpx.ConnectError(str(cause))
        if isinstance(cause, self._aiohttp.ClientResponseError):
            if isinstance(error, httpx.ProxyError):
                return httpx.ProxyError(f"the proxy responded with status {cause.status}")
            return httpx.RemoteProtocolError("the response violates HTTP")
        if isinstance(error, httpx.ConnectTimeout):
            if isinstance(cause, TimeoutError):
                return httpx.ConnectTimeout(proxy)
            return (httpx.ReadError if is_connected else httpx.ConnectError)(str(error))
        if isinstance(error, self._aiohttp.ClientError):
            return httpx.RemoteProtocolError(str(error))
        return None


class _Session(NamedTuple):
    """The session of one event loop, and the transports that send over it, by origin: each may have another proxy,
    whose name for errors comes with it.
    """

    session: Any
    transport_to: Callable[[Origin], tuple[httpx.AsyncBaseTransport, str]]

    async def aclose(self) -> None:
        await self.session.close()


def _open_session(
    connect: Callable[[], Any], context: ssl.SSLContext, proxy_to: Callable[[Origin], tuple[httpx.Proxy | None, str]]
) -> _Session:
    import aiohttp
    import httpx_aiohttp

    # A jar would carry one tenant's session into another's request.
    session = aiohttp.ClientSession(connector=connect(), cookie_jar=aiohttp.DummyCookieJar())
    # aiohttp would send a GET or a DELETE again by itself, which retries and telemetry would not count.
    session._retry_connection = False

    @cache
    def transport_to(origin: Origin) -> tuple[httpx.AsyncBaseTransport, str]:
        proxy, source = proxy_to(origin)
        transport: httpx.AsyncBaseTransport = httpx_aiohttp.AiohttpTransport(
            verify=context, client=session, proxy=None if proxy is None else _with_header(proxy)
        )
        return transport, "" if proxy is None else proxy_name(proxy, source)

    return _Session(session, transport_to)


@cache
def _connector_class() -> Any:
    import aiohttp

    used: weakref.WeakSet[Any] = weakref.WeakSet()

    class Connector(aiohttp.TCPConnector):
        """Drops an idle connection on which bytes arrived: aiohttp would take them for the response to the next call,
        which may be another tenant's.
        """

        async def connect(self, *arguments: Any, **options: Any) -> Any:
            while True:
                connection = await super().connect(*arguments, **options)
                protocol = connection.protocol
                if protocol is None or protocol not in used or not protocol.should_close:
                    if protocol is not None:
                        used.add(protocol)
                    late.set(NO_ANSWER)
                    return connection
                connection.close()

    return Connector


def _with_header(proxy: httpx.Proxy) -> httpx.Proxy:
    """With its credentials as a header: httpx-aiohttp gives aiohttp an object for them that aiohttp is about to
    drop.
    """
    if proxy.raw_auth is None:
        return proxy
    credentials = base64.b64encode(b":".join(proxy.raw_auth)).decode()
    headers = {**proxy.headers, "Proxy-Authorization": f"Basic {credentials}"}
    return httpx.Proxy(proxy.url, headers=headers)
