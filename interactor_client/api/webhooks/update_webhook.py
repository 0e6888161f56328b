"""Change some fields of a webhook, or pause it.

Omitted fields stay unchanged; `events` is replaced as a whole. While `active` is false nothing is
delivered.
"""

from __future__ import annotations

from typing import Any

import httpx

from interactor_client.advised import require_client
from interactor_client.client import Client
from interactor_client.errors import DecodeError
from interactor_client.types import UNSET, Operation, Response, Unset
from interactor_client.wire import decode, header_value, path_segment, to_json

from ...models.error_response import ErrorResponse
from ...models.update_webhook_request import UpdateWebhookRequest
from ...models.webhook_response import WebhookResponse

OPERATION = Operation(
    id="update_webhook",
    tag="webhooks",
    method="PATCH",
    path="/webhooks/{webhook_id}",
    server="core",
    idempotency_key=False,
    stream=False,
)


def _get_kwargs(webhook_id: str, *, body: UpdateWebhookRequest, x_namespace: str | Unset = UNSET) -> dict[str, Any]:
    _headers: dict[str, str | bytes] = {}
    if x_namespace is not UNSET and x_namespace is not None:
        _headers["X-Namespace"] = header_value("X-Namespace", x_namespace)
    return {
        "method": "PATCH",
        "url": f"/webhooks/{path_segment('webhook_id', webhook_id)}",
        "headers": _headers,
        "json": to_json(body),
        "extensions": {"operation": OPERATION},
    }


def _parse_success(response: httpx.Response) -> WebhookResponse:
    return decode(response, "WebhookResponse", WebhookResponse.from_dict)


def _parse_response(response: httpx.Response) -> WebhookResponse | ErrorResponse | None:
    """What is documented for the status; None where nothing is, or where the body does not fit it."""
    try:
        if response.is_success:
            return _parse_success(response)
        return decode(response, "ErrorResponse", ErrorResponse.from_dict)
    except DecodeError:
        return None


def _detail(response: httpx.Response) -> Response[WebhookResponse | ErrorResponse]:
    return Response(response.status_code, response.content, response.headers, _parse_response(response))


def sync(
    webhook_id: str, *, client: Client, body: UpdateWebhookRequest, x_namespace: str | Unset = UNSET
) -> WebhookResponse:
    """Change some fields of a webhook, or pause it.

    Omitted fields stay unchanged; `events` is replaced as a whole. While `active` is false nothing is
    delivered.

    Args:
        webhook_id: Id of the webhook, such as `wh_0Js4`.
        x_namespace: The tenant to act for. Defaults to the default namespace of your client.

    Raises:
        ApiError: The server responded with an error; a client that overrides `read` may raise others.
        DecodeError: The answer does not fit what is documented.
        ValueError: An id that cannot be part of a path; nothing was sent.
    """
    require_client(client)
    return client.read(
        client.get_httpx_client().request(**_get_kwargs(webhook_id, body=body, x_namespace=x_namespace)), _parse_success
    )


def sync_detailed(
    webhook_id: str, *, client: Client, body: UpdateWebhookRequest, x_namespace: str | Unset = UNSET
) -> Response[WebhookResponse | ErrorResponse]:
    """Like `sync`, but returns any response: no status and no body is an error."""
    require_client(client)
    return _detail(client.get_httpx_client().request(**_get_kwargs(webhook_id, body=body, x_namespace=x_namespace)))


async def asyncio(
    webhook_id: str, *, client: Client, body: UpdateWebhookRequest, x_namespace: str | Unset = UNSET
) -> WebhookResponse:
    """Change some fields of a webhook, or pause it.

    Omitted fields stay unchanged; `events` is replaced as a whole. While `active` is false nothing is
    delivered.

    Args:
        webhook_id: Id of the webhook, such as `wh_0Js4`.
        x_namespace: The tenant to act for. Defaults to the default namespace of your client.

    Raises:
        ApiError: The server responded with an error; a client that overrides `read` may raise others.
        DecodeError: The answer does not fit what is documented.
        ValueError: An id that cannot be part of a path; nothing was sent.
    """
    require_client(client)
    return client.read(
        await client.get_async_httpx_client().request(**_get_kwargs(webhook_id, body=body, x_namespace=x_namespace)),
        _parse_success,
    )


async def asyncio_detailed(
    webhook_id: str, *, client: Client, body: UpdateWebhookRequest, x_namespace: str | Unset = UNSET
) -> Response[WebhookResponse | ErrorResponse]:
    """Like `asyncio`, but returns any response: no status and no body is an error."""
    require_client(client)
    return _detail(
        await client.get_async_httpx_client().request(**_get_kwargs(webhook_id, body=body, x_namespace=x_namespace))
    )
