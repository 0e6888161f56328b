"""Fetch the public keys that access tokens are signed with.

The response is a bare JSON Web Key Set (RFC 7517), without the usual envelope. Keys rotate: if a token
names an unknown `kid`, fetch the set again before you refuse the token.
"""

from __future__ import annotations

from typing import Any

import httpx

from interactor_client.advised import require_client
from interactor_client.client import Client
from interactor_client.errors import DecodeError
from interactor_client.types import Operation, Response
from interactor_client.wire import decode

from ...models.error_response import ErrorResponse
from ...models.json_web_key_set import JsonWebKeySet

OPERATION = Operation(
    id="get_jwks", tag="oauth", method="GET", path="/oauth/jwks", server="account", idempotency_key=False, stream=False
)


def _get_kwargs() -> dict[str, Any]:
    return {"method": "GET", "url": "/oauth/jwks", "extensions": {"operation": OPERATION}}


def _parse_success(response: httpx.Response) -> JsonWebKeySet:
    return decode(response, "JsonWebKeySet", JsonWebKeySet.from_dict)


def _parse_response(response: httpx.Response) -> JsonWebKeySet | ErrorResponse | None:
    """What is documented for the status; None where nothing is, or where the body does not fit it."""
    try:
        if response.is_success:
            return _parse_success(response)
        return decode(response, "ErrorResponse", ErrorResponse.from_dict)
    except DecodeError:
        return None


def _detail(response: httpx.Response) -> Response[JsonWebKeySet | ErrorResponse]:
    return Response(response.status_code, response.content, response.headers, _parse_response(response))


def sync(*, client: Client) -> JsonWebKeySet:
    """Fetch the public keys that access tokens are signed with.

    The response is a bare JSON Web Key Set (RFC 7517), without the usual envelope. Keys rotate: if a token
    names an unknown `kid`, fetch the set again before you refuse the token.

    Raises:
        ApiError: The server responded with an error; a client that overrides `read` may raise others.
        DecodeError: The answer does not fit what is documented.
    """
    require_client(client)
    return client.read(client.get_httpx_client().request(**_get_kwargs()), _parse_success)


def sync_detailed(*, client: Client) -> Response[JsonWebKeySet | ErrorResponse]:
    """Like `sync`, but returns any response: no status and no body is an error."""
    require_client(client)
    return _detail(client.get_httpx_client().request(**_get_kwargs()))


async def asyncio(*, client: Client) -> JsonWebKeySet:
    """Fetch the public keys that access tokens are signed with.

    The response is a bare JSON Web Key Set (RFC 7517), without the usual envelope. Keys rotate: if a token
    names an unknown `kid`, fetch the set again before you refuse the token.

    Raises:
        ApiError: The server responded with an error; a client that overrides `read` may raise others.
        DecodeError: The answer does not fit what is documented.
    """
    require_client(client)
    return client.read(await client.get_async_httpx_client().request(**_get_kwargs()), _parse_success)


async def asyncio_detailed(*, client: Client) -> Response[JsonWebKeySet | ErrorResponse]:
    """Like `asyncio`, but returns any response: no status and no body is an error."""
    require_client(client)
    return _detail(await client.get_async_httpx_client().request(**_get_kwargs()))
