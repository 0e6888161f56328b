"""List the webhooks of a namespace.

Without their secrets.
"""

from __future__ import annotations

from typing import Any

import httpx

from interactor_client.advised import require_client
from interactor_client.client import Client
from interactor_client.errors import DecodeError
from interactor_client.types import UNSET, Operation, Response, Unset
from interactor_client.wire import decode, header_value, query_text

from ...models.error_response import ErrorResponse
from ...models.webhook_list_response import WebhookListResponse

OPERATION = Operation(
    id="list_webhooks",
    tag="webhooks",
    method="GET",
    path="/webhooks",
    server="core",
    idempotency_key=False,
    stream=False,
)


def _get_kwargs(
    *,
    page: int | Unset = UNSET,
    per_page: int | Unset = UNSET,
    namespace: str | Unset = UNSET,
    x_namespace: str | Unset = UNSET,
) -> dict[str, Any]:
    _params: dict[str, Any] = {"page": page, "per_page": per_page, "namespace": query_text("namespace", namespace)}
    _headers: dict[str, str | bytes] = {}
    if x_namespace is not UNSET and x_namespace is not None:
        _headers["X-Namespace"] = header_value("X-Namespace", x_namespace)
    return {
        "method": "GET",
        "url": "/webhooks",
        "params": {name: value for name, value in _params.items() if value is not UNSET and value is not None},
        "headers": _headers,
        "extensions": {"operation": OPERATION},
    }


def _parse_success(response: httpx.Response) -> WebhookListResponse:
    return decode(response, "WebhookListResponse", WebhookListResponse.from_dict)


def _parse_response(response: httpx.Response) -> WebhookListResponse | ErrorResponse | None:
    """What is documented for the status; None where nothing is, or where the body does not fit it."""
    try:
        if response.is_success:
            return _parse_success(response)
        return decode(response, "ErrorResponse", ErrorResponse.from_dict)
    except DecodeError:
        return None


def _detail(response: httpx.Response) -> Response[WebhookListResponse | ErrorResponse]:
    return Response(response.status_code, response.content, response.headers, _parse_response(response))


def sync(
    *,
    client: Client,
    page: int | Unset = UNSET,
    per_page: int | Unset = UNSET,
    namespace: str | Unset = UNSET,
    x_namespace: str | Unset = UNSET,
) -> WebhookListResponse:
    """List the webhooks of a namespace.

    Without their secrets.

    Args:
        page: Number of the page, counted from 1. Defaults to 1.
        per_page: How many items a page has at most, 1 to 100. Defaults to 20.
        namespace: The same as the header `X-Namespace`, for tools that cannot set headers. If they differ,
            the response is 400.
        x_namespace: The tenant to act for. Defaults to the default namespace of your client.

    Raises:
        ApiError: The server responded with an error; a client that overrides `read` may raise others.
        DecodeError: The answer does not fit what is documented.
    """
    require_client(client)
    return client.read(
        client.get_httpx_client().request(
            **_get_kwargs(page=page, per_page=per_page, namespace=namespace, x_namespace=x_namespace)
        ),
        _parse_success,
    )


def sync_detailed(
    *,
    client: Client,
    page: int | Unset = UNSET,
    per_page: int | Unset = UNSET,
    namespace: str | Unset = UNSET,
    x_namespace: str | Unset = UNSET,
) -> Response[WebhookListResponse | ErrorResponse]:
    """Like `sync`, but returns any response: no status and no body is an error."""
    require_client(client)
    return _detail(
        client.get_httpx_client().request(
            **_get_kwargs(page=page, per_page=per_page, namespace=namespace, x_namespace=x_namespace)
        )
    )


async def asyncio(
    *,
    client: Client,
    page: int | Unset = UNSET,
    per_page: int | Unset = UNSET,
    namespace: str | Unset = UNSET,
    x_namespace: str | Unset = UNSET,
) -> WebhookListResponse:
    """List the webhooks of a namespace.

    Without their secrets.

    Args:
        page: Number of the page, counted from 1. Defaults to 1.
        per_page: How many items a page has at most, 1 to 100. Defaults to 20.
        namespace: The same as the header `X-Namespace`, for tools that cannot set headers. If they differ,
            the response is 400.
        x_namespace: The tenant to act for. Defaults to the default namespace of your client.

    Raises:
        ApiError: The server responded with an error; a client that overrides `read` may raise others.
        DecodeError: The answer does not fit what is documented.
    """
    require_client(client)
    return client.read(
        await client.get_async_httpx_client().request(
            **_get_kwargs(page=page, per_page=per_page, namespace=namespace, x_namespace=x_namespace)
        ),
        _parse_success,
    )


async def asyncio_detailed(
    *,
    client: Client,
    page: int | Unset = UNSET,
    per_page: int | Unset = UNSET,
    namespace: str | Unset = UNSET,
    x_namespace: str | Unset = UNSET,
) -> Response[WebhookListResponse | ErrorResponse]:
    """Like `asyncio`, but returns any response: no status and no body is an error."""
    require_client(client)
    return _detail(
        await client.get_async_httpx_client().request(
            **_get_kwargs(page=page, per_page=per_page, namespace=namespace, x_namespace=x_namespace)
        )
    )
