"""The relay as an ASGI application."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from interactor_ext._engine.effects import Effects, run_async
from interactor_ext.relay._http import Refused, Request, Response
from interactor_ext.webhooks.asgi import body_of, read_body, response_start

if TYPE_CHECKING:
    from interactor_ext.relay._reader import Reader
    from interactor_ext.webhooks.asgi import Receive, Scope, Send


async def serve(
    scope: Scope, receive: Receive, send: Send, answer: Callable[[Request], Effects[Response | None]]
) -> None:
    response = await run_async(answer(_request(scope, receive)))
    if response is None:
        return
    if isinstance(response.body, bytes):
        await send(response_start(response.status, response.headers))
        await send({"type": "http.response.body", "body": response.body})
    else:
        await _stream(response, response.body, receive, send)
    if response.work:
        # A stopping server waits until its applications return.
        await asyncio.wait(response.work)


def _request(scope: Scope, receive: Receive) -> Request:
    # The first of several values wins: the first X-Forwarded-Host comes from the proxy next to the browser.
    sent = reversed(list(scope["headers"]))
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in sent}
    path: str = scope["path"]
    root: str = scope.get("root_path", "").rstrip("/")
    if root and path.startswith(f"{root}/"):
        path = path[len(root) :]
    return Request(
        method=scope["method"],
        scheme=scope.get("scheme", "http"),
        path=path,
        raw_path=scope.get("raw_path") or b"",
        query=dict(parse_qsl(scope.get("query_string", b"").decode("latin-1"))),
        headers=headers,
        scope=scope,
        read_body=partial(_read_body, receive),
    )


async def _read_body(receive: Receive, limit: int) -> bytes:
    try:
        body = await read_body(body_of(receive), limit)
    except TimeoutError:
        raise Refused(408) from None
    if len(body) > limit:
        raise Refused(413)
    return body


async def _stream(response: Response, blocks: Reader, receive: Receive, send: Send) -> None:
    """Send events until they end, the browser has left, or it stops reading. In the last case the response stays
    unfinished, and the server closes the connection.
    """
    tasks = {asyncio.create_task(_send_events(response, blocks, send)), asyncio.create_task(_until_disconnect(receive))}
    try:
        await asyncio.wait([*tasks, blocks.stalled], return_when=asyncio.FIRST_COMPLETED)
    finally:
        await blocks.aclose()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _send_events(response: Response, blocks: Reader, send: Send) -> None:
    with suppress(OSError):  # from servers that report a closed connection this way
        await send(response_start(response.status, response.headers))
        while (block := await blocks.next()) is not None:
            await send({"type": "http.response.body", "body": block, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


async def _until_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
