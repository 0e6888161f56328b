"""WebhookRouter as an APIRouter of FastAPI, with its OpenAPI description. Imported by `WebhookRouter.fastapi` alone."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import TypeAdapter
from starlette.requests import ClientDisconnect

from interactor_client.models import WebhookEvent
from interactor_ext.webhooks._headers import EVENT, SIGNATURE, TIMESTAMP
from interactor_ext.webhooks.asgi import ASGIReceiver, ClientGone

_ANSWERS = {
    200: "Handled, a duplicate, stored for later, or an event without a handler. It isn't retried.",
    400: "The body isn't an event, or the event is so old that it may be a replay.",
    401: "Not genuine: the signature or the timestamp is wrong or missing.",
    413: "The body is too large.",
    500: "A handler failed, or the event doesn't fit its class. Retry.",
    503: "The event is being handled, or can't be recorded. Retry.",
}
_HEADERS = {
    SIGNATURE: (True, "`sha256=` and the hexadecimal HMAC-SHA256 of the raw body."),
    TIMESTAMP: (True, "When the delivery was sent, in Unix seconds."),
    EVENT: (False, "The event's type. The body's `event` takes precedence."),
}


def api_router(receiver: ASGIReceiver) -> APIRouter:
    routes = APIRouter()

    @routes.post(
        "",
        summary="Receive an event from Interactor.",
        response_description=_ANSWERS[200],
        responses={status: _response(status, text) for status, text in _ANSWERS.items()},
        openapi_extra={
            "parameters": [
                {"name": name, "in": "header", "required": required, "description": text, "schema": {"type": "string"}}
                for name, (required, text) in _HEADERS.items()
            ],
            "requestBody": {"required": True, "content": {"application/json": {"schema": _schema_of_events()}}},
        },
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


def _response(status: int, description: str) -> dict[str, Any]:
    said: dict[str, Any] = {"type": "string"}
    member = "status" if status == 200 else "error"
    if member == "error":
        said = {"type": "object", "required": ["code", "message"], "properties": {"code": said, "message": said}}
    schema = {"type": "object", "required": [member], "properties": {member: said}}
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _schema_of_events() -> Any:
    """Without references: the body is declared outside of FastAPI's parameters, so it collects no components of it."""
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
