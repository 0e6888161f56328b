"""List the messages of a room.

History is kept for 90 days unless the assistant is configured otherwise.
"""

from __future__ import annotations

from typing import Any

import httpx

from interactor_client.advised import require_client
from interactor_client.client import Client
from interactor_client.errors import DecodeError
from interactor_client.types import UNSET, Operation, Response, Unset
from interactor_client.wire import decode, header_value, path_segment, query_text

from ...models.error_response import ErrorResponse
from ...models.message_list_response import MessageListResponse
from ...models.sort_order import KnownSortOrder

OPERATION = Operation(
    id="list_messages",
    tag="messages",
    method="GET",
    path="/rooms/{room_id}/messages",
    server="core",
    idempotency_key=False,
    stream=False,
)


def _get_kwargs(
    room_id: str,
    *,
    order: KnownSortOrder | Unset = UNSET,
    page: int | Unset = UNSET,
    per_page: int | Unset = UNSET,
    namespace: str | Unset = UNSET,
    x_namespace: str | Unset = UNSET,
) -> dict[str, Any]:
    _params: dict[str, Any] = {
        "order": query_text("order", order),
        "page": page,
        "per_page": per_page,
        "namespace": query_text("namespace", namespace),
    }
    _headers: dict[str, str | bytes] = {}
    if x_namespace is not UNSET and x_namespace is not None:
        _headers["X-Namespace"] = header_value("X-Namespace", x_namespace)
    return {
        "method": "GET",
        "url": f"/rooms/{path_segment('room_id', room_id)}/messages",
        "params": {name: value for name, value in _params.items() if value is not UNSET and value is not None},
        "headers": _headers,
        "extensions": {"operation": OPERATION},
    }


def _parse_success(response: httpx.Response) -> MessageListResponse:
    return decode(response, "MessageListResponse", MessageListResponse.from_dict)


def _parse_response(response: httpx.Response) -> MessageListResponse | ErrorResponse | None:
    """What is documented for the status; None where nothing is, or where the body does not fit it."""
    try:
        if response.is_success:
            return _parse_success(response)
        return decode(response, "ErrorResponse", ErrorResponse.from_dict)
    except DecodeError:
        return None


def _detail(response: httpx.Response) -> Response[MessageListResponse | ErrorResponse]:
    return Response(response.status_code, response.content, response.headers, _parse_response(response))


def sync(
    room_id: str,
    *,
    client: Client,
    order: KnownSortOrder | Unset = UNSET,
    page: int | Unset = UNSET,
    per_page: int | Unset = UNSET,
    namespace: str | Unset = UNSET,
    x_namespace: str | Unset = UNSET,
) -> MessageListResponse:
    """List the messages of a room.

    History is kept for 90 days unless the assistant is configured otherwise.

    Args:
        room_id: Id of the room, such as `room_4Kd9`.
        order: Oldest first (`asc`, the default) or newest first (`desc`).
        page: Number of the page, counted from 1. Defaults to 1.
        per_page: How many messages a page has at most, 1 to 100. Defaults to 50.
        namespace: The same as the header `X-Namespace`, for tools that cannot set headers. If they differ,
            the response is 400.
        x_namespace: The tenant to act for. Defaults to the default namespace of your client.

    Raises:
        ApiError: The server responded with an error; a client that overrides `read` may raise others.
        DecodeError: The answer does not fit what is documented.
        ValueError: An id that cannot be part of a path; nothing was sent.
    """
    require_client(client)
    return client.read(
        client.get_httpx_client().request(
            **_get_kwargs(
                room_id, order=order, page=page, per_page=per_page, namespace=namespace, x_namespace=x_namespace
            )
        ),
        _parse_success,
    )


def sync_detailed(
    room_id: str,
    *,
    client: Client,
    order: KnownSortOrder | Unset = UNSET,
    page: int | Unset = UNSET,
    per_page: int | Unset = UNSET,
    namespace: str | Unset = UNSET,
    x_namespace: str | Unset = UNSET,
) -> Response[MessageListResponse | ErrorResponse]:
    """Like `sync`, but returns any response: no status and no body is an error."""
    require_client(client)
    return _detail(
        client.get_httpx_client().request(
            **_get_kwargs(
                room_id, order=order, page=page, per_page=per_page, namespace=namespace, x_namespace=x_namespace
            )
        )
    )


async def asyncio(
    room_id: str,
    *,
    client: Client,
    order: KnownSortOrder | Unset = UNSET,
    page: int | Unset = UNSET,
    per_page: int | Unset = UNSET,
    namespace: str | Unset = UNSET,
    x_namespace: str | Unset = UNSET,
) -> MessageListResponse:
    """List the messages of a room.

    History is kept for 90 days unless the assistant is configured otherwise.

    Args:
        room_id: Id of the room, such as `room_4Kd9`.
        order: Oldest first (`asc`, the default) or newest first (`desc`).
        page: Number of the page, counted from 1. Defaults to 1.
        per_page: How many messages a page has at most, 1 to 100. Defaults to 50.
        namespace: The same as the header `X-Namespace`, for tools that cannot set headers. If they differ,
            the response is 400.
        x_namespace: The tenant to act for. Defaults to the default namespace of your client.

    Raises:
        ApiError: The server responded with an error; a client that overrides `read` may raise others.
        DecodeError: The answer does not fit what is documented.
        ValueError: An id that cannot be part of a path; nothing was sent.
    """
    require_client(client)
    return client.read(
        await client.get_async_httpx_client().request(
            **_get_kwargs(
                room_id, order=order, page=page, per_page=per_page, namespace=namespace, x_namespace=x_namespace
            )
        ),
        _parse_success,
    )


async def asyncio_detailed(
    room_id: str,
    *,
    client: Client,
    order: KnownSortOrder | Unset = UNSET,
    page: int | Unset = UNSET,
    per_page: int | Unset = UNSET,
    namespace: str | Unset = UNSET,
    x_namespace: str | Unset = UNSET,
) -> Response[MessageListResponse | ErrorResponse]:
    """Like `asyncio`, but returns any response: no status and no body is an error."""
    require_client(client)
    return _detail(
        await client.get_async_httpx_client().request(
            **_get_kwargs(
                room_id, order=order, page=page, per_page=per_page, namespace=namespace, x_namespace=x_namespace
            )
        )
    )
