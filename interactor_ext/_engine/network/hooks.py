"""Lets libraries that replace methods of httpx or httpcore see the calls of the SDK's transports: VCR.py, pytest-httpx,
OpenTelemetry's instrumentation, respx.

Every call checks for them, because a cassette or a mock may begin and end at any time. A method counts as original if
it is a plain function defined in the same file as another method of its class. Comparing it with the method at import
isn't enough: the SDK may be imported within a cassette.
"""

from __future__ import annotations

import sys
from types import FunctionType
from typing import Any

import httpx

from interactor_ext._engine.network.pool import origin_of
from interactor_ext._engine.network.routes import Routes


def hooked(kind: Any, method: str, senders: tuple[str, ...]) -> str:
    """Returns which library has a replaced method: "httpx", "httpcore" or "". `kind` is one of httpx's transports, and
    `senders` are the httpcore classes that it uses.
    """
    httpcore = sys.modules.get("httpcore")
    if httpcore is not None:
        for name in senders:
            sender = getattr(httpcore, name, None)  # another thread may be about to import it
            if sender is not None and _is_replaced(getattr(sender, method), sender.__init__):
                return "httpcore"
    return "httpx" if _is_replaced(getattr(kind, method), kind.__init__) else ""


def _is_replaced(method: Any, neighbour: Any) -> bool:
    return type(method) is not FunctionType or method.__code__.co_filename != neighbour.__code__.co_filename


class HttpcorePool:
    """The pool that httpx's own `handle_request` finds behind a hook. It sends with one of the SDK's transports."""

    def __init__(self, transport: Any) -> None:
        self._transport = transport

    def handle_request(self, request: Any) -> Any:
        return _to_httpcore(self._transport._send(_from_httpcore(request)))

    async def handle_async_request(self, request: Any) -> Any:
        return _to_httpcore(await self._transport._send(_from_httpcore(request)))


def _from_httpcore(request: Any) -> httpx.Request:
    url = bytes(request.url).decode("ascii")
    return httpx.Request(
        request.method.decode("ascii"),
        url,
        headers=request.headers,
        stream=request.stream,
        extensions=request.extensions,
    )


def _to_httpcore(response: httpx.Response) -> Any:
    import httpcore

    return httpcore.Response(
        response.status_code, headers=response.headers.raw, content=response.stream, extensions=response.extensions
    )


def plain_transport(routes: Routes, url: httpx.URL, kind: Any) -> Any:
    """An httpx transport for a single call while httpcore is replaced. It keeps no idle connection."""
    proxy, _ = routes.proxy_to(origin_of(url))
    limits = httpx.Limits(max_keepalive_connections=0)
    return kind(verify=routes.context, proxy=proxy, trust_env=False, limits=limits)
