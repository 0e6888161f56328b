"""Finish a connection with the code that the provider gave the user's browser.

First compare `state` with the one that `credentials.initiate_oauth` returned for this user: that is what
stops a forged redirect. A code or state that is unknown, used or too old gets 422.
"""

from __future__ import annotations

from typing import Any

import httpx

from interactor_client.advised import require_client
from interactor_client.client import Client
from interactor_client.errors import DecodeError
from interactor_client.types import UNSET, Operation, Response, Unset
from interactor_client.wire import decode, header_value, to_json

from ...models.complete_o_auth_request import CompleteOAuthRequest
from ...models.credential_response import CredentialResponse
from ...models.error_response import ErrorResponse

OPERATION = Operation(
    id="complete_oauth",
    tag="credentials",
    method="POST",
    path="/oauth/callback",
    server="core",
    idempotency_key=False,
    stream=False,
)


def _get_kwargs(*, body: CompleteOAuthRequest, x_namespace: str | Unset = UNSET) -> dict[str, Any]:
    _headers: dict[str, str | bytes] = {}
    if x_namespace is not UNSET and x_namespace is not None:
        _headers["X-Namespace"] = header_value("X-Namespace", x_namespace)
    return {
        "method": "POST",
        "url": "/oauth/callback",
        "headers": _headers,
        "json": to_json(body),
        "extensions": {"operation": OPERATION},
    }


def _parse_success(response: httpx.Response) -> CredentialResponse:
    return decode(response, "CredentialResponse", CredentialResponse.from_dict)


def _parse_response(response: httpx.Response) -> CredentialResponse | ErrorResponse | None:
    """What is documented for the status; None where nothing is, or where the body does not fit it."""
    try:
        if response.is_success:
            return _parse_success(response)
        return decode(response, "ErrorResponse", ErrorResponse.from_dict)
    except DecodeError:
        return None


def _detail(response: httpx.Response) -> Response[CredentialResponse | ErrorResponse]:
    return Response(response.status_code, response.content, response.headers, _parse_response(response))


def sync(*, client: Client, body: CompleteOAuthRequest, x_namespace: str | Unset = UNSET) -> CredentialResponse:
    """Finish a connection with the code that the provider gave the user's browser.

    First compare `state` with the one that `credentials.initiate_oauth` returned for this user: that is what
    stops a forged redirect. A code or state that is unknown, used or too old gets 422.

    Args:
        x_namespace: The tenant to act for. Defaults to the default namespace of your client.

    Raises:
        ApiError: The server responded with an error; a client that overrides `read` may raise others.
        DecodeError: The answer does not fit what is documented.
    """
    require_client(client)
    return client.read(
        client.get_httpx_client().request(**_get_kwargs(body=body, x_namespace=x_namespace)), _parse_success
    )


def sync_detailed(
    *, client: Client, body: CompleteOAuthRequest, x_namespace: str | Unset = UNSET
) -> Response[CredentialResponse | ErrorResponse]:
    """Like `sync`, but returns any response: no status and no body is an error."""
    require_client(client)
    return _detail(client.get_httpx_client().request(**_get_kwargs(body=body, x_namespace=x_namespace)))


async def asyncio(
    *, client: Client, body: CompleteOAuthRequest, x_namespace: str | Unset = UNSET
) -> CredentialResponse:
    """Finish a connection with the code that the provider gave the user's browser.

    First compare `state` with the one that `credentials.initiate_oauth` returned for this user: that is what
    stops a forged redirect. A code or state that is unknown, used or too old gets 422.

    Args:
        x_namespace: The tenant to act for. Defaults to the default namespace of your client.

    Raises:
        ApiError: The server responded with an error; a client that overrides `read` may raise others.
        DecodeError: The answer does not fit what is documented.
    """
    require_client(client)
    return client.read(
        await client.get_async_httpx_client().request(**_get_kwargs(body=body, x_namespace=x_namespace)), _parse_success
    )


async def asyncio_detailed(
    *, client: Client, body: CompleteOAuthRequest, x_namespace: str | Unset = UNSET
) -> Response[CredentialResponse | ErrorResponse]:
    """Like `asyncio`, but returns any response: no status and no body is an error."""
    require_client(client)
    return _detail(await client.get_async_httpx_client().request(**_get_kwargs(body=body, x_namespace=x_namespace)))
