"""Reads requests and writes responses: bounded bodies, strict JSON, headers, event streams."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Collection, Sequence
from typing import Any

from starlette.requests import HTTPConnection
from starlette.types import Receive, Scope, Send

from interactor_ext.sandbox.http.connections import cut_short
from interactor_ext.sandbox.platform.faults import Fault
from interactor_ext.sandbox.platform.idempotency import ApiResponse
from interactor_ext.sandbox.platform.streams import Subscription
from interactor_ext.sandbox.problems import ConnectionCut, Problem, invalid
from interactor_ext.sandbox.storage.strict_json import compact, parse_json
from interactor_ext.webhooks.asgi import body_of

MAX_BODY = 8 * 1024 * 1024
JSON_TYPE = re.compile(rb"application/(?:[\w.+-]+\+)?json\s*(?:;|$)", re.IGNORECASE)

RawHeaders = list[tuple[bytes, bytes]]


def response_of(problem: Problem, request_id: str) -> tuple[ApiResponse, RawHeaders]:
    """Return the response of a problem, and its headers."""
    body = problem.envelope(request_id) if problem.body is None else problem.body
    headers = {"content-type": "text/html; charset=utf-8"} if isinstance(body, str) else {}
    headers |= problem.headers
    raw = [(name.lower().encode(), value.encode("latin-1", "replace")) for name, value in headers.items()]
    return ApiResponse(problem.status, (body if isinstance(body, str) else compact(body)).encode()), raw


def content_headers(response: ApiResponse | Subscription, given: Collection[bytes]) -> RawHeaders:
    """Return the headers that describe the content, except the given ones."""
    if isinstance(response, Subscription):
        return [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache")]
    is_described = response.content is None or b"content-type" in given
    content_type = [] if is_described else [(b"content-type", b"application/json")]
    # RFC 9110 section 8.6: a 204 has no Content-Length.
    length = [(b"content-length", b"%d" % len(response.content or b""))] if response.status != 204 else []
    return content_type + length


async def read_body(receive: Receive) -> bytes:
    """Read the whole body. Raises Problem 413 only after reading an oversized one, so the client gets the response."""
    body = bytearray()
    async for chunk in body_of(receive):
        if len(body) <= MAX_BODY:
            body += chunk
    if len(body) > MAX_BODY:
        raise Problem(413, f"The body is larger than {MAX_BODY // 1024 // 1024} MiB.")
    return bytes(body)


def parse_body(content: bytes, content_type: bytes) -> Any:
    """Parse a JSON body. Raises Problem: 415 for another media type, 422 for invalid or unacceptable JSON."""
    if not JSON_TYPE.match(content_type):
        raise Problem(415, "The body must be JSON, with Content-Type: application/json.")
    try:
        return parse_json(content.decode())
    except ValueError as error:
        raise invalid(("", f"the body isn't valid JSON: {error}")) from None


def parse_headers(raw: RawHeaders) -> dict[str, str]:
    """Decode headers as UTF-8. Raises Problem 422 if one that affects data isn't UTF-8, or is repeated."""
    headers: dict[str, str] = {}
    for name, value in raw:
        key = name.decode("latin-1")
        if key in headers and key in {"authorization", "x-namespace", "idempotency-key"}:
            raise invalid((key, "was sent more than once"))
        try:
            headers[key] = value.decode()
        except UnicodeDecodeError:
            if key in {"x-namespace", "idempotency-key", "last-event-id"}:
                raise invalid((key, "must be UTF-8")) from None
    return headers


def origin_of(scope: Scope) -> str:
    """Return scheme and host as the client addressed this server."""
    return str(HTTPConnection(scope).base_url).removesuffix("/")


async def send_response(send: Send, response: ApiResponse, headers: RawHeaders, *, is_cut: bool) -> None:
    """Send a complete response. With `is_cut`, raise ConnectionCut in the middle of it."""
    content = response.content or b""
    sent = content[: len(content) // 2] if is_cut else content
    is_short = len(sent) < len(content)
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": sent, "more_body": is_short})
    if is_short:
        raise ConnectionCut(reset=False)


async def send_stream(
    receive: Receive,
    send: Send,
    subscription: Subscription,
    chunks: AsyncIterator[bytes],
    headers: Sequence[tuple[bytes, bytes]],
    fault: Fault | None,
) -> None:
    """Send events until the stream ends or the client disconnects, which closes the subscription at once.

    Raises ConnectionCut if a `fault` ends it.
    """

    async def watch() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        subscription.close()

    if fault is not None and fault.kind == "dropped_stream":
        chunks = cut_short(chunks, events=fault.after_events, size=fault.after_bytes)
    if fault is not None and fault.kind == "stream_error":
        chunks = end_with_error(chunks, fault)
    watcher = asyncio.create_task(watch())
    try:
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        async for chunk in chunks:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    finally:
        watcher.cancel()


async def end_with_error(chunks: AsyncIterator[bytes], fault: Fault) -> AsyncIterator[bytes]:
    """Pass on the first `after_events` events of a stream, then end it with an `error` event."""
    try:
        async for chunk in cut_short(chunks, events=fault.after_events, size=None):
            yield chunk
    except ConnectionCut:
        error = {"code": fault.code or "API_ERROR", "message": fault.message}
        yield f"data: {compact({'type': 'error', 'error': error})}\n\n".encode()
