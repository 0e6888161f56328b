"""WebhookRouter as an APIRouter of FastAPI, with its OpenAPI description. Imported by `WebhookRouter.fastapi` alone."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from fastapi import APIRouter, Request, Response
from starlette.requests import ClientDisconnect

from interactor_ext.webhooks.asgi import ASGIReceiver, ClientGone

_ANSWERS = {
    200: "Handled, a duplicate, stored for later, or an event without a handler. It isn't retried.",
    400: "The body isn't an event, or the event is so old that it may be a replay.",
    401: "Not genuine: the signature or the timestamp is wrong or missing.",
    413: "The body is too large.",
    500: "A handler failed, or the event doesn't fit its class. Retry.",
    503: "The event is being handled, or can't be recorded. Retry.",
}


def api_router(receiver: ASGIReceiver) -> APIRouter:
    routes = APIRouter()

    @routes.post(
        "",
        summary="Receive an event from Interactor.",
        response_description=_ANSWERS[200],
        responses={status: {"description": text} for status, text in _ANSWERS.items()},
    )
    async def interactor_webhook(request: Request) -> Response:
        # Not of `receive`: a dependency, or Sentry's SDK, may have read the body, and this request keeps it.
        answer = await receiver.answer(request.scope, _body_of(request))
        return Response() if answer is None else Response(answer.body, answer.status, answer.headers)

    return routes


async def _body_of(request: Request) -> AsyncGenerator[bytes]:
    try:
        async for chunk in request.stream():
            yield chunk
    except ClientDisconnect:
        raise ClientGone from None
