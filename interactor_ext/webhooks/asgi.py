"""WebhookRouter as an ASGI application."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from interactor_ext.webhooks import answers
from interactor_ext.webhooks.answers import DeliveryHandler, WebhookAnswer

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class ASGIReceiver:
    """ASGI application of a router, for servers and frameworks on asyncio (not trio). Stops reading a body at the
    router's `max_body`.
    """

    def __init__(self, router: DeliveryHandler) -> None:
        self._router = router

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            answer = await self.answer(scope, receive)
            if answer is not None:
                await send(response_start(answer.status, answer.headers))
                await send({"type": "http.response.body", "body": answer.body})
        else:
            await answer_other(scope, receive, send)

    async def answer(self, scope: Scope, receive: Receive) -> WebhookAnswer | None:
        """Read and handle one delivery; None if the caller is gone."""
        if scope["method"] != "POST":
            return answers.wrong_method()
        body = await read_body(receive, self._router.max_body)
        if body is None:
            return None
        if len(body) > self._router.max_body:
            return self._router.refuse_unread(answers.too_large(self._router.max_body))
        return await self._router.ahandle(body, scope["headers"])


async def read_body(receive: Receive, limit: int) -> bytes | None:
    """The body, or of one that is longer than `limit` the beginning, longer still; None if the caller is gone."""
    body = bytearray()
    more = True
    while more and len(body) <= limit:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return bytes(body)


def response_start(status: int, headers: Mapping[str, str]) -> dict[str, Any]:
    raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
    return {"type": "http.response.start", "status": status, "headers": raw}


async def answer_other(
    scope: Scope, receive: Receive, send: Send, shut_down: Callable[[], Awaitable[None]] | None = None
) -> None:
    """Take part in the lifespan of the server, and close WebSockets."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1000})
        return
    kind = ""
    while kind != "lifespan.shutdown":
        kind = (await receive())["type"]
        if kind == "lifespan.shutdown" and shut_down is not None:
            await shut_down()
        await send({"type": f"{kind}.complete"})
