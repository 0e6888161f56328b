"""Exchange the client id and secret for an access token.

The grant is always `client_credentials`. Cache the token until shortly before it expires: only 20 token
requests a minute are allowed. Requesting a scope that the client was not granted gets 403.
"""

from __future__ import annotations

from typing import Any

import httpx

from interactor_client.advised import require_client
from interactor_client.client import Client
from interactor_client.errors import DecodeError
from interactor_client.types import Operation, Response
from interactor_client.wire import decode, to_json

from ...models.access_token_response import AccessTokenResponse
from ...models.create_token_request import CreateTokenRequest
from ...models.error_response import ErrorResponse

OPERATION = Operation(
    id="create_token",
    tag="oauth",
    method="POST",
    path="/oauth/token",
    server="account",
    idempotency_key=False,
    stream=False,
)


def _get_kwargs(*, body: CreateTokenRequest) -> dict[str, Any]:
    return {"method": "POST", "url": "/oauth/token", "json": to_json(body), "extensions": {"operation": OPERATION}}


def _parse_success(response: httpx.Response) -> AccessTokenResponse:
    return decode(response, "AccessTokenResponse", AccessTokenResponse.from_dict)


def _parse_response(response: httpx.Response) -> AccessTokenResponse | ErrorResponse | None:
    """What is documented for the status; None where nothing is, or where the body does not fit it."""
    try:
        if response.is_success:
            return _parse_success(response)
        return decode(response, "ErrorResponse", ErrorResponse.from_dict)
    except DecodeError:
        return None


def _detail(response: httpx.Response) -> Response[AccessTokenResponse | ErrorResponse]:
    return Response(response.status_code, response.content, response.headers, _parse_response(response))


def sync(*, client: Client, body: CreateTokenRequest) -> AccessTokenResponse:
    """Exchange the client id and secret for an access token.

    The grant is always `client_credentials`. Cache the token until shortly before it expires: only 20 token
    requests a minute are allowed. Requesting a scope that the client was not granted gets 403.

    Raises:
        ApiError: The server responded with an error; a client that overrides `read` may raise others.
        DecodeError: The answer does not fit what is documented.
    """
    require_client(client)
    return client.read(client.get_httpx_client().request(**_get_kwargs(body=body)), _parse_success)


def sync_detailed(*, client: Client, body: CreateTokenRequest) -> Response[AccessTokenResponse | ErrorResponse]:
    """Like `sync`, but returns any response: no status and no body is an error."""
    require_client(client)
    return _detail(client.get_httpx_client().request(**_get_kwargs(body=body)))


async def asyncio(*, client: Client, body: CreateTokenRequest) -> AccessTokenResponse:
    """Exchange the client id and secret for an access token.

    The grant is always `client_credentials`. Cache the token until shortly before it expires: only 20 token
    requests a minute are allowed. Requesting a scope that the client was not granted gets 403.

    Raises:
        ApiError: The server responded with an error; a client that overrides `read` may raise others.
        DecodeError: The answer does not fit what is documented.
    """
    require_client(client)
    return client.read(await client.get_async_httpx_client().request(**_get_kwargs(body=body)), _parse_success)


async def asyncio_detailed(
    *, client: Client, body: CreateTokenRequest
) -> Response[AccessTokenResponse | ErrorResponse]:
    """Like `asyncio`, but returns any response: no status and no body is an error."""
    require_client(client)
    return _detail(await client.get_async_httpx_client().request(**_get_kwargs(body=body)))
