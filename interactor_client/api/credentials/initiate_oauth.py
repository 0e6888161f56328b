"""Start connecting a user's account at a provider.

Name a `provider`, a `service_id`, or both, and send the user's browser to the `authorization_url` of the
response. Finish the flow with `credentials.complete_oauth`, or follow it with
`credentials.get_oauth_status`.
"""

from __future__ import annotations

from typing import Any

import httpx

from interactor_client.advised import require_client
from interactor_client.client import Client
from interactor_client.errors import DecodeError
from interactor_client.types import UNSET, Operation, Response, Unset
from interactor_client.wire import decode, header_value, to_json

from ...models.error_response import ErrorResponse
from ...models.initiate_o_auth_request import InitiateOAuthRequest
from ...models.o_auth_authorization_response import OAuthAuthorizationResponse

OPERATION = Operation(
    id="initiate_oauth",
    tag="credentials",
    method="POST",
    path="/oauth/initiate",
    server="core",
    idempotency_key=False,
    stream=False,
)


def _get_kwargs(*, body: InitiateOAuthRequest, x_namespace: str | Unset = UNSET) -> dict[str, Any]:
    _headers: dict[str, str | bytes] = {}
    if x_namespace is not UNSET and x_namespace is not None:
        _headers["X-Namespace"] = header_value("X-Namespace", x_namespace)
    return {
        "method": "POST",
        "url": "/oauth/initiate",
        "headers": _headers,
        "json": to_json(body),
        "extensions": {"operation": OPERATION},
    }


def _parse_success(response: httpx.Response) -> OAuthAuthorizationResponse:
    return decode(response, "OAuthAuthorizationResponse", OAuthAuthorizationResponse.from_dict)


def _parse_response(response: httpx.Response) -> OAuthAuthorizationResponse | ErrorResponse | None:
    """What is documented for the status; None where nothing is, or where the body does not fit it."""
    try:
        if response.is_success:
            return _parse_success(response)
        return decode(response, "ErrorResponse", ErrorResponse.from_dict)
    except DecodeError:
        return None


def _detail(response: httpx.Response) -> Response[OAuthAuthorizationResponse | ErrorResponse]:
    return Response(response.status_code, response.content, response.headers, _parse_response(response))


def sync(*, client: Client, body: InitiateOAuthRequest, x_namespace: str | Unset = UNSET) -> OAuthAuthorizationResponse:
    """Start connecting a user's account at a provider.

    Name a `provider`, a `service_id`, or both, and send the user's browser to the `authorization_url` of the
    response. Finish the flow with `credentials.complete_oauth`, or follow it with
    `credentials.get_oauth_status`.

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
    *, client: Client, body: InitiateOAuthRequest, x_namespace: str | Unset = UNSET
) -> Response[OAuthAuthorizationResponse | ErrorResponse]:
    """Like `sync`, but returns any response: no status and no body is an error."""
    require_client(client)
    return _detail(client.get_httpx_client().request(**_get_kwargs(body=body, x_namespace=x_namespace)))


async def asyncio(
    *, client: Client, body: InitiateOAuthRequest, x_namespace: str | Unset = UNSET
) -> OAuthAuthorizationResponse:
    """Start connecting a user's account at a provider.

    Name a `provider`, a `service_id`, or both, and send the user's browser to the `authorization_url` of the
    response. Finish the flow with `credentials.complete_oauth`, or follow it with
    `credentials.get_oauth_status`.

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
    *, client: Client, body: InitiateOAuthRequest, x_namespace: str | Unset = UNSET
) -> Response[OAuthAuthorizationResponse | ErrorResponse]:
    """Like `asyncio`, but returns any response: no status and no body is an error."""
    require_client(client)
    return _detail(await client.get_async_httpx_client().request(**_get_kwargs(body=body, x_namespace=x_namespace)))
