"""WebhookRouter as an ASGI application."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
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
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1000})
        else:
            answer = await self.answer(scope, receive)
            if answer is not None:
                headers = [(name.lower().encode(), value.encode()) for name, value in answer.headers.items()]
                await send({"type": "http.response.start", "status": answer.status, "headers": headers})
                await send({"type": "http.response.body", "body": answer.body})

    async def answer(self, scope: Scope, receive: Receive) -> WebhookAnswer | None:
        """Read and handle one delivery; None if the caller is gone."""
        if scope["method"] != "POST":
            return answers.wrong_method()
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            body += message.get("body", b"")
            if len(body) > self._router.max_body:
                return self._router.refuse_unread(answers.too_large(self._router.max_body))
            if not message.get("more_body", False):
                return await self._router.ahandle(bytes(body), scope["headers"])


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
