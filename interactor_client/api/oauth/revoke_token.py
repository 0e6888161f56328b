"""Revoke an access token before it expires.

Calls with the token then get 401. Revoking a token that is unknown, expired or already revoked also
succeeds, as RFC 7009 requires.
"""

from __future__ import annotations

from typing import Any

import httpx

from interactor_client.advised import require_client
from interactor_client.client import Client
from interactor_client.errors import DecodeError
from interactor_client.types import Operation, Response
from interactor_client.wire import decode, to_json

from ...models.error_response import ErrorResponse
from ...models.revoke_token_request import RevokeTokenRequest

OPERATION = Operation(
    id="revoke_token",
    tag="oauth",
    method="POST",
    path="/oauth/revoke",
    server="account",
    idempotency_key=False,
    stream=False,
)


def _get_kwargs(*, body: RevokeTokenRequest) -> dict[str, Any]:
    return {"method": "POST", "url": "/oauth/revoke", "json": to_json(body), "extensions": {"operation": OPERATION}}


def _parse_success(response: httpx.Response) -> None:
    return None


def _parse_response(response: httpx.Response) -> ErrorResponse | None:
    """What is documented for the status; None where nothing is, or where the body does not fit it."""
    try:
        if response.is_success:
            return None
        return decode(response, "ErrorResponse", ErrorResponse.from_dict)
    except DecodeError:
        return None


def _detail(response: httpx.Response) -> Response[ErrorResponse]:
    return Response(response.status_code, response.content, response.headers, _parse_response(response))


def sync(*, client: Client, body: RevokeTokenRequest) -> None:
    """Revoke an access token before it expires.

    Calls with the token then get 401. Revoking a token that is unknown, expired or already revoked also
    succeeds, as RFC 7009 requires.

    Raises:
        ApiError: The server responded with an error; a client that overrides `read` may raise others.
        DecodeError: The answer does not fit what is documented.
    """
    require_client(client)
    return client.read(client.get_httpx_client().request(**_get_kwargs(body=body)), _parse_success)


def sync_detailed(*, client: Client, body: RevokeTokenRequest) -> Response[ErrorResponse]:
    """Like `sync`, but returns any response: no status and no body is an error."""
    require_client(client)
    return _detail(client.get_httpx_client().request(**_get_kwargs(body=body)))


async def asyncio(*, client: Client, body: RevokeTokenRequest) -> None:
    """Revoke an access token before it expires.

    Calls with the token then get 401. Revoking a token that is unknown, expired or already revoked also
    succeeds, as RFC 7009 requires.

    Raises:
        ApiError: The server responded with an error; a client that overrides `read` may raise others.
        DecodeError: The answer does not fit what is documented.
    """
    require_client(client)
    return client.read(await client.get_async_httpx_client().request(**_get_kwargs(body=body)), _parse_success)


async def asyncio_detailed(*, client: Client, body: RevokeTokenRequest) -> Response[ErrorResponse]:
    """Like `asyncio`, but returns any response: no status and no body is an error."""
    require_client(client)
    return _detail(await client.get_async_httpx_client().request(**_get_kwargs(body=body)))
