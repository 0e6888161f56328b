"""WebhookRouter as an ASGI application."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, MutableMapping
from contextlib import aclosing
from typing import Any

from interactor_ext._engine.lazy import asyncio
from interactor_ext._engine.logs import webhooks_logger as logger
from interactor_ext.webhooks import answers
from interactor_ext.webhooks.answers import DeliveryHandler, WebhookAnswer

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

# The platform waits 30 s for a response, and the store may need some of them.
_BODY_SECONDS = 10.0


class ASGIReceiver:
    """ASGI application of a router, for servers and frameworks on asyncio (not trio). Stops reading a body at the
    router's `max_body`.
    """

    def __init__(self, router: DeliveryHandler) -> None:
        self._router = router

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            answer = await self.answer(scope, body_of(receive))
            if answer is not None:
                await send(response_start(answer.status, answer.headers))
                await send({"type": "http.response.body", "body": answer.body})
        else:
            await answer_other(scope, receive, send)

    async def answer(self, scope: Scope, chunks: AsyncGenerator[bytes]) -> WebhookAnswer | None:
        """Read and handle one delivery; None if the caller has disconnected."""
        if scope["method"] != "POST":
            return answers.not_posted(self._router, scope["method"], scope.get("path", ""))
        try:
            body = await read_body(chunks, self._router.max_body)
        except ClientGone:
            return None
        except TimeoutError:
            logger.error(
                "The body of a webhook delivery didn't arrive within %g s. A middleware that reads it must "
                "pass it on, because the signature covers the raw bytes.",
                _BODY_SECONDS,
            )
            return self._router.refuse_unread(answers.body_incomplete())
        return await self._router.ahandle(body, scope["headers"])


class ClientGone(Exception):
    """The connection ended before the body did."""


async def body_of(receive: Receive) -> AsyncGenerator[bytes]:
    """Yield the chunks of a request's body."""
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        yield message.get("body", b"")
        more = message.get("more_body", False)


async def read_body(chunks: AsyncGenerator[bytes], limit: int) -> bytes:
    """Return the body. Of a body longer than `limit`, return only a beginning that is longer than `limit`.

    Raises ClientGone, and TimeoutError after ten seconds.
    """
    body = bytearray()
    async with aclosing(chunks), asyncio.timeout(_BODY_SECONDS):
        async for chunk in chunks:
            body += chunk
            if len(body) > limit:
                break
    return bytes(body)


def response_start(status: int, headers: Mapping[str, str]) -> dict[str, Any]:
    raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
    return {"type": "http.response.start", "status": status, "headers": raw}


async def answer_other(
    scope: Scope, receive: Receive, send: Send, shut_down: Callable[[], Awaitable[None]] | None = None
) -> None:
    """Handle the server's lifespan events, and close WebSockets."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1000})
        return
    kind = ""
    while kind != "lifespan.shutdown":
        kind = (await receive())["type"]
        if kind == "lifespan.shutdown" and shut_down is not None:
            await shut_down()
        await send({"type": f"{kind}.complete"})
