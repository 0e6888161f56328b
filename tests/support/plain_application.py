"""A small application for ASGI and WSGI servers, which imports nothing and so starts at once.

It responds with a digest of the body, to DELETE with 204; at `/stream` with three events, at `/events` with one and
then silence. `x-connection` is the client's port: one for each connection.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Any

EVENT = b"data: {}\n\n"


def _head(method: str, path: str, body: bytes, port: object) -> tuple[int, dict[str, str], bytes]:
    """The status, the headers and the start of the body, or all of it."""
    headers = {"x-connection": str(port), "content-type": "text/event-stream"}
    if method == "DELETE":
        return 204, headers, b""
    if path in ("/stream", "/events"):
        return 200, headers, EVENT
    digest = hashlib.sha256(body).hexdigest().encode()
    return 200, {**headers, "content-length": str(len(digest))}, b"" if method == "HEAD" else digest


async def asgi(
    scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], send: Callable[[dict[str, Any]], Awaitable[None]]
) -> None:
    assert scope["type"] == "http"
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message["body"], message.get("more_body", False)
    status, headers, start = _head(scope["method"], scope["path"], body, scope["client"][1])
    fields = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": fields})
    if scope["path"] == "/stream":
        for _ in range(2):
            await send({"type": "http.response.body", "body": EVENT, "more_body": True})
    if scope["path"] == "/events":
        await send({"type": "http.response.body", "body": EVENT, "more_body": True})
        while (await receive())["type"] != "http.disconnect":
            pass
        return
    await send({"type": "http.response.body", "body": start})


def wsgi(environ: dict[str, Any], start_response: Callable[[str, list[tuple[str, str]]], object]) -> Iterable[bytes]:
    body = environ["wsgi.input"].read()
    path = environ["PATH_INFO"]
    status, headers, start = _head(environ["REQUEST_METHOD"], path, body, environ["REMOTE_PORT"])
    start_response(f"{status} Whatever", list(headers.items()))
    if path == "/events":
        return _until_nobody_listens()
    return [EVENT] * 3 if path == "/stream" else [start] * bool(start)


def _until_nobody_listens() -> Iterator[bytes]:
    yield EVENT
    while True:
        time.sleep(0.02)
        yield b":\n\n"
