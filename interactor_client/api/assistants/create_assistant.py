"""Create an assistant."""

from __future__ import annotations

from typing import Any

import httpx

from interactor_client.advised import require_client
from interactor_client.client import Client
from interactor_client.errors import DecodeError
from interactor_client.types import UNSET, Operation, Response, Unset
from interactor_client.wire import decode, header_value, to_json

from ...models.assistant_response import AssistantResponse
from ...models.create_assistant_request import CreateAssistantRequest
from ...models.error_response import ErrorResponse

OPERATION = Operation(
    id="create_assistant",
    tag="assistants",
    method="POST",
    path="/assistants",
    server="core",
    idempotency_key=True,
    stream=False,
)


def _get_kwargs(
    *, body: CreateAssistantRequest, idempotency_key: str | Unset = UNSET, x_namespace: str | Unset = UNSET
) -> dict[str, Any]:
    _headers: dict[str, str | bytes] = {}
    if idempotency_key is not UNSET and idempotency_key is not None:
        _headers["Idempotency-Key"] = header_value("Idempotency-Key", idempotency_key)
    if x_namespace is not UNSET and x_namespace is not None:
        _headers["X-Namespace"] = header_value("X-Namespace", x_namespace)
    return {
        "method": "POST",
        "url": "/assistants",
        "headers": _headers,
        "json": to_json(body),
        "extensions": {"operation": OPERATION},
    }


def _parse_success(response: httpx.Response) -> AssistantResponse:
    return decode(response, "AssistantResponse", AssistantResponse.from_dict)


def _parse_response(response: httpx.Response) -> AssistantResponse | ErrorResponse | None:
    """What is documented for the status; None where nothing is, or where the body does not fit it."""
    try:
        if response.is_success:
            return _parse_success(response)
        return decode(response, "ErrorResponse", ErrorResponse.from_dict)
    except DecodeError:
        return None


def _detail(response: httpx.Response) -> Response[AssistantResponse | ErrorResponse]:
    return Response(response.status_code, response.content, response.headers, _parse_response(response))


def sync(
    *,
    client: Client,
    body: CreateAssistantRequest,
    idempotency_key: str | Unset = UNSET,
    x_namespace: str | Unset = UNSET,
) -> AssistantResponse:
    """Create an assistant.

    Args:
        idempotency_key: A key of your choice, such as a UUID, that makes it safe to repeat the request. For
            24 hours the same key with the same body, in the same client and namespace, returns the first
            response again; with another body it gets 409.
        x_namespace: The tenant to act for. Defaults to the default namespace of your client.

    Raises:
        ApiError: The server responded with an error; a client that overrides `read` may raise others.
        DecodeError: The answer does not fit what is documented.
    """
    require_client(client)
    return client.read(
        client.get_httpx_client().request(
            **_get_kwargs(body=body, idempotency_key=idempotency_key, x_namespace=x_namespace)
        ),
        _parse_success,
    )


def sync_detailed(
    *,
    client: Client,
    body: CreateAssistantRequest,
    idempotency_key: str | Unset = UNSET,
    x_namespace: str | Unset = UNSET,
) -> Response[AssistantResponse | ErrorResponse]:
    """Like `sync`, but returns any response: no status and no body is an error."""
    require_client(client)
    return _detail(
        client.get_httpx_client().request(
            **_get_kwargs(body=body, idempotency_key=idempotency_key, x_namespace=x_namespace)
        )
    )


async def asyncio(
    *,
    client: Client,
    body: CreateAssistantRequest,
    idempotency_key: str | Unset = UNSET,
    x_namespace: str | Unset = UNSET,
) -> AssistantResponse:
    """Create an assistant.

    Args:
        idempotency_key: A key of your choice, such as a UUID, that makes it safe to repeat the request. For
            24 hours the same key with the same body, in the same client and namespace, returns the first
            response again; with another body it gets 409.
        x_namespace: The tenant to act for. Defaults to the default namespace of your client.

    Raises:
        ApiError: The server responded with an error; a client that overrides `read` may raise others.
        DecodeError: The answer does not fit what is documented.
    """
    require_client(client)
    return client.read(
        await client.get_async_httpx_client().request(
            **_get_kwargs(body=body, idempotency_key=idempotency_key, x_namespace=x_namespace)
        ),
        _parse_success,
    )


async def asyncio_detailed(
    *,
    client: Client,
    body: CreateAssistantRequest,
    idempotency_key: str | Unset = UNSET,
    x_namespace: str | Unset = UNSET,
) -> Response[AssistantResponse | ErrorResponse]:
    """Like `asyncio`, but returns any response: no status and no body is an error."""
    require_client(client)
    return _detail(
        await client.get_async_httpx_client().request(
            **_get_kwargs(body=body, idempotency_key=idempotency_key, x_namespace=x_namespace)
        )
    )
