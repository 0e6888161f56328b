"""WebhookRouter as a FastAPI APIRouter, with an OpenAPI description. Only `WebhookRouter.fastapi` imports it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import TypeAdapter
from starlette.requests import ClientDisconnect

from interactor_client.models import WebhookEvent
from interactor_ext.webhooks.asgi import ASGIReceiver, ClientGone


def api_router(receiver: ASGIReceiver) -> APIRouter:
    routes = APIRouter()

    @routes.post(
        "",
        summary="Receive an event from Interactor.",
        response_description="Handled, a duplicate, stored for later, or an event without a handler. It isn't retried.",
        openapi_extra={
            "requestBody": {"required": True, "content": {"application/json": {"schema": _schema_of_events()}}}
        },
    )
    async def interactor_webhook(request: Request) -> Response:
        # Not from `receive`: a dependency or Sentry's SDK may have read the body, and this request keeps it.
        answer = await receiver.answer(request.scope, _body_of(request))
        return Response() if answer is None else Response(answer.body, answer.status, answer.headers)

    routes.get("/healthz", name="interactor_webhook_health", include_in_schema=False)(interactor_webhook)
    return routes


async def _body_of(request: Request) -> AsyncGenerator[bytes]:
    try:
        async for chunk in request.stream():
            yield chunk
    except ClientDisconnect:
        raise ClientGone from None


def _schema_of_events() -> Any:
    """Return the schema of all events without references: FastAPI collects no components for a body that it doesn't
    parse.
    """
    schema = TypeAdapter(WebhookEvent).json_schema()
    definitions = schema.pop("$defs")

    def resolved(value: Any) -> Any:
        if isinstance(value, list):
            return [resolved(each) for each in value]
        if not isinstance(value, dict):
            return value
        reference = value.get("$ref")
        if isinstance(reference, str):
            value = definitions[reference.removeprefix("#/$defs/")] | {k: v for k, v in value.items() if k != "$ref"}
        return {name: resolved(each) for name, each in value.items()}

    return resolved(schema)
