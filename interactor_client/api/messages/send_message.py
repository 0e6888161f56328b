"""Send a message into a room.

Without `stream` the call waits for the assistant and returns the assistant's message, which can take many
seconds. With `stream` true it returns the sent message at once, and the reply comes through `rooms.stream`:
open that stream first, or you miss its beginning. When the reply calls tools, its `tool_calls` wait for
`tools.submit_result`.
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
from ...models.message_response import MessageResponse
from ...models.send_message_request import SendMessageRequest

OPERATION = Operation(
    id="send_message",
    tag="messages",
    method="POST",
    path="/rooms/{room_id}/messages",
    server="core",
    idempotency_key=True,
    stream=False,
)


def _get_kwargs(
    room_id: str, *, body: SendMessageRequest, idempotency_key: str | Unset = UNSET, x_namespace: str | Unset = UNSET
) -> dict[str, Any]:
    _headers: dict[str, str | bytes] = {}
    if idempotency_key is not UNSET and idempotency_key is not None:
        _headers["Idempotency-Key"] = header_value("Idempotency-Key", idempotency_key)
    if x_namespace is not UNSET and x_namespace is not None:
        _headers["X-Namespace"] = header_value("X-Namespace", x_namespace)
    return {
        "method": "POST",
        "url": f"/rooms/{path_segment('room_id', room_id)}/messages",
        "headers": _headers,
        "json": to_json(body),
        "extensions": {"operation": OPERATION},
    }


def _parse_success(response: httpx.Response) -> MessageResponse:
    return decode(response, "MessageResponse", MessageResponse.from_dict)


def _parse_response(response: httpx.Response) -> MessageResponse | ErrorResponse | None:
    """What is documented for the status; None where nothing is, or where the body does not fit it."""
    try:
        if response.is_success:
            return _parse_success(response)
        return decode(response, "ErrorResponse", ErrorResponse.from_dict)
    except DecodeError:
        return None


def _detail(response: httpx.Response) -> Response[MessageResponse | ErrorResponse]:
    return Response(response.status_code, response.content, response.headers, _parse_response(response))


def sync(
    room_id: str,
    *,
    client: Client,
    body: SendMessageRequest,
    idempotency_key: str | Unset = UNSET,
    x_namespace: str | Unset = UNSET,
) -> MessageResponse:
    """Send a message into a room.

    Without `stream` the call waits for the assistant and returns the assistant's message, which can take many
    seconds. With `stream` true it returns the sent message at once, and the reply comes through `rooms.stream`:
    open that stream first, or you miss its beginning. When the reply calls tools, its `tool_calls` wait for
    `tools.submit_result`.

    Args:
        room_id: Id of the room, such as `room_4Kd9`.
        idempotency_key: A key of your choice, such as a UUID, that makes it safe to repeat the request. For
            24 hours the same key with the same body, in the same client and namespace, returns the first
            response again; with another body it gets 409.
        x_namespace: The tenant to act for. Defaults to the default namespace of your client.

    Raises:
        ApiError: The server responded with an error; a client that overrides `read` may raise others.
        DecodeError: The answer does not fit what is documented.
        ValueError: An id that cannot be part of a path; nothing was sent.
    """
    require_client(client)
    return client.read(
        client.get_httpx_client().request(
            **_get_kwargs(room_id, body=body, idempotency_key=idempotency_key, x_namespace=x_namespace)
        ),
        _parse_success,
    )


def sync_detailed(
    room_id: str,
    *,
    client: Client,
    body: SendMessageRequest,
    idempotency_key: str | Unset = UNSET,
    x_namespace: str | Unset = UNSET,
) -> Response[MessageResponse | ErrorResponse]:
    """Like `sync`, but returns any response: no status and no body is an error."""
    require_client(client)
    return _detail(
        client.get_httpx_client().request(
            **_get_kwargs(room_id, body=body, idempotency_key=idempotency_key, x_namespace=x_namespace)
        )
    )


async def asyncio(
    room_id: str,
    *,
    client: Client,
    body: SendMessageRequest,
    idempotency_key: str | Unset = UNSET,
    x_namespace: str | Unset = UNSET,
) -> MessageResponse:
    """Send a message into a room.

    Without `stream` the call waits for the assistant and returns the assistant's message, which can take many
    seconds. With `stream` true it returns the sent message at once, and the reply comes through `rooms.stream`:
    open that stream first, or you miss its beginning. When the reply calls tools, its `tool_calls` wait for
    `tools.submit_result`.

    Args:
        room_id: Id of the room, such as `room_4Kd9`.
        idempotency_key: A key of your choice, such as a UUID, that makes it safe to repeat the request. For
            24 hours the same key with the same body, in the same client and namespace, returns the first
            response again; with another body it gets 409.
        x_namespace: The tenant to act for. Defaults to the default namespace of your client.

    Raises:
        ApiError: The server responded with an error; a client that overrides `read` may raise others.
        DecodeError: The answer does not fit what is documented.
        ValueError: An id that cannot be part of a path; nothing was sent.
    """
    require_client(client)
    return client.read(
        await client.get_async_httpx_client().request(
            **_get_kwargs(room_id, body=body, idempotency_key=idempotency_key, x_namespace=x_namespace)
        ),
        _parse_success,
    )


async def asyncio_detailed(
    room_id: str,
    *,
    client: Client,
    body: SendMessageRequest,
    idempotency_key: str | Unset = UNSET,
    x_namespace: str | Unset = UNSET,
) -> Response[MessageResponse | ErrorResponse]:
    """Like `asyncio`, but returns any response: no status and no body is an error."""
    require_client(client)
    return _detail(
        await client.get_async_httpx_client().request(
            **_get_kwargs(room_id, body=body, idempotency_key=idempotency_key, x_namespace=x_namespace)
        )
    )
