"""See how far a connection has come.

Poll no faster than every second or two, or subscribe to the `credential.connected` event instead.
"""

from __future__ import annotations

from typing import Any

import httpx

from interactor_client.advised import require_client
from interactor_client.client import Client
from interactor_client.errors import DecodeError
from interactor_client.types import UNSET, Operation, Response, Unset
from interactor_client.wire import decode, header_value, path_segment

from ...models.error_response import ErrorResponse
from ...models.o_auth_flow_response import OAuthFlowResponse

OPERATION = Operation(
    id="get_oauth_status",
    tag="credentials",
    method="GET",
    path="/oauth/status/{flow_id}",
    server="core",
    idempotency_key=False,
    stream=False,
)


def _get_kwargs(flow_id: str, *, x_namespace: str | Unset = UNSET) -> dict[str, Any]:
    _headers: dict[str, str | bytes] = {}
    if x_namespace is not UNSET and x_namespace is not None:
        _headers["X-Namespace"] = header_value("X-Namespace", x_namespace)
    return {
        "method": "GET",
        "url": f"/oauth/status/{path_segment('flow_id', flow_id)}",
        "headers": _headers,
        "extensions": {"operation": OPERATION},
    }


def _parse_success(response: httpx.Response) -> OAuthFlowResponse:
    return decode(response, "OAuthFlowResponse", OAuthFlowResponse.from_dict)


def _parse_response(response: httpx.Response) -> OAuthFlowResponse | ErrorResponse | None:
    """What is documented for the status; None where nothing is, or where the body does not fit it."""
    try:
        if response.is_success:
            return _parse_success(response)
        return decode(response, "ErrorResponse", ErrorResponse.from_dict)
    except DecodeError:
        return None


def _detail(response: httpx.Response) -> Response[OAuthFlowResponse | ErrorResponse]:
    return Response(response.status_code, response.content, response.headers, _parse_response(response))


def sync(flow_id: str, *, client: Client, x_namespace: str | Unset = UNSET) -> OAuthFlowResponse:
    """See how far a connection has come.

    Poll no faster than every second or two, or subscribe to the `credential.connected` event instead.

    Args:
        flow_id: Id of the flow, from the response of `credentials.initiate_oauth`, such as `flow_2Vb6`.
        x_namespace: The tenant to act for. Defaults to the default namespace of your client.

    Raises:
        ApiError: The server responded with an error; a client that overrides `read` may raise others.
        DecodeError: The answer does not fit what is documented.
        ValueError: An id that cannot be part of a path; nothing was sent.
    """
    require_client(client)
    return client.read(
        client.get_httpx_client().request(**_get_kwargs(flow_id, x_namespace=x_namespace)), _parse_success
    )


def sync_detailed(
    flow_id: str, *, client: Client, x_namespace: str | Unset = UNSET
) -> Response[OAuthFlowResponse | ErrorResponse]:
    """Like `sync`, but returns any response: no status and no body is an error."""
    require_client(client)
    return _detail(client.get_httpx_client().request(**_get_kwargs(flow_id, x_namespace=x_namespace)))


async def asyncio(flow_id: str, *, client: Client, x_namespace: str | Unset = UNSET) -> OAuthFlowResponse:
    """See how far a connection has come.

    Poll no faster than every second or two, or subscribe to the `credential.connected` event instead.

    Args:
        flow_id: Id of the flow, from the response of `credentials.initiate_oauth`, such as `flow_2Vb6`.
        x_namespace: The tenant to act for. Defaults to the default namespace of your client.

    Raises:
        ApiError: The server responded with an error; a client that overrides `read` may raise others.
        DecodeError: The answer does not fit what is documented.
        ValueError: An id that cannot be part of a path; nothing was sent.
    """
    require_client(client)
    return client.read(
        await client.get_async_httpx_client().request(**_get_kwargs(flow_id, x_namespace=x_namespace)), _parse_success
    )


async def asyncio_detailed(
    flow_id: str, *, client: Client, x_namespace: str | Unset = UNSET
) -> Response[OAuthFlowResponse | ErrorResponse]:
    """Like `asyncio`, but returns any response: no status and no body is an error."""
    require_client(client)
    return _detail(await client.get_async_httpx_client().request(**_get_kwargs(flow_id, x_namespace=x_namespace)))
