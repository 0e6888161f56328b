"""Change some fields of a tool.

Omitted fields stay unchanged; `parameters` is replaced as a whole.
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
from ...models.tool_response import ToolResponse
from ...models.update_tool_request import UpdateToolRequest

OPERATION = Operation(
    id="update_tool",
    tag="tools",
    method="PATCH",
    path="/tools/{tool_id}",
    server="core",
    idempotency_key=False,
    stream=False,
)


def _get_kwargs(tool_id: str, *, body: UpdateToolRequest, x_namespace: str | Unset = UNSET) -> dict[str, Any]:
    _headers: dict[str, str | bytes] = {}
    if x_namespace is not UNSET and x_namespace is not None:
        _headers["X-Namespace"] = header_value("X-Namespace", x_namespace)
    return {
        "method": "PATCH",
        "url": f"/tools/{path_segment('tool_id', tool_id)}",
        "headers": _headers,
        "json": to_json(body),
        "extensions": {"operation": OPERATION},
    }


def _parse_success(response: httpx.Response) -> ToolResponse:
    return decode(response, "ToolResponse", ToolResponse.from_dict)


def _parse_response(response: httpx.Response) -> ToolResponse | ErrorResponse | None:
    """What is documented for the status; None where nothing is, or where the body does not fit it."""
    try:
        if response.is_success:
            return _parse_success(response)
        return decode(response, "ErrorResponse", ErrorResponse.from_dict)
    except DecodeError:
        return None


def _detail(response: httpx.Response) -> Response[ToolResponse | ErrorResponse]:
    return Response(response.status_code, response.content, response.headers, _parse_response(response))


def sync(tool_id: str, *, client: Client, body: UpdateToolRequest, x_namespace: str | Unset = UNSET) -> ToolResponse:
    """Change some fields of a tool.

    Omitted fields stay unchanged; `parameters` is replaced as a whole.

    Args:
        tool_id: Id of the tool, such as `tool_5Rw3`.
        x_namespace: The tenant to act for. Defaults to the default namespace of your client.

    Raises:
        ApiError: The server responded with an error; a client that overrides `read` may raise others.
        DecodeError: The answer does not fit what is documented.
        ValueError: An id that cannot be part of a path; nothing was sent.
    """
    require_client(client)
    return client.read(
        client.get_httpx_client().request(**_get_kwargs(tool_id, body=body, x_namespace=x_namespace)), _parse_success
    )


def sync_detailed(
    tool_id: str, *, client: Client, body: UpdateToolRequest, x_namespace: str | Unset = UNSET
) -> Response[ToolResponse | ErrorResponse]:
    """Like `sync`, but returns any response: no status and no body is an error."""
    require_client(client)
    return _detail(client.get_httpx_client().request(**_get_kwargs(tool_id, body=body, x_namespace=x_namespace)))


async def asyncio(
    tool_id: str, *, client: Client, body: UpdateToolRequest, x_namespace: str | Unset = UNSET
) -> ToolResponse:
    """Change some fields of a tool.

    Omitted fields stay unchanged; `parameters` is replaced as a whole.

    Args:
        tool_id: Id of the tool, such as `tool_5Rw3`.
        x_namespace: The tenant to act for. Defaults to the default namespace of your client.

    Raises:
        ApiError: The server responded with an error; a client that overrides `read` may raise others.
        DecodeError: The answer does not fit what is documented.
        ValueError: An id that cannot be part of a path; nothing was sent.
    """
    require_client(client)
    return client.read(
        await client.get_async_httpx_client().request(**_get_kwargs(tool_id, body=body, x_namespace=x_namespace)),
        _parse_success,
    )


async def asyncio_detailed(
    tool_id: str, *, client: Client, body: UpdateToolRequest, x_namespace: str | Unset = UNSET
) -> Response[ToolResponse | ErrorResponse]:
    """Like `asyncio`, but returns any response: no status and no body is an error."""
    require_client(client)
    return _detail(
        await client.get_async_httpx_client().request(**_get_kwargs(tool_id, body=body, x_namespace=x_namespace))
    )
