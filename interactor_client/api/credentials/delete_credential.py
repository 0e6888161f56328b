"""Revoke and delete a credential.

The grant is revoked at the provider as well, so the user has to connect again. This cannot be undone.
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

OPERATION = Operation(
    id="delete_credential",
    tag="credentials",
    method="DELETE",
    path="/credentials/{credential_id}",
    server="core",
    idempotency_key=False,
    stream=False,
)


def _get_kwargs(credential_id: str, *, x_namespace: str | Unset = UNSET) -> dict[str, Any]:
    _headers: dict[str, str | bytes] = {}
    if x_namespace is not UNSET and x_namespace is not None:
        _headers["X-Namespace"] = header_value("X-Namespace", x_namespace)
    return {
        "method": "DELETE",
        "url": f"/credentials/{path_segment('credential_id', credential_id)}",
        "headers": _headers,
        "extensions": {"operation": OPERATION},
    }


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


def sync(credential_id: str, *, client: Client, x_namespace: str | Unset = UNSET) -> None:
    """Revoke and delete a credential.

    The grant is revoked at the provider as well, so the user has to connect again. This cannot be undone.

    Args:
        credential_id: Id of the credential, such as `cred_5Tn8`.
        x_namespace: The tenant to act for. Defaults to the default namespace of your client.

    Raises:
        ApiError: The server responded with an error; a client that overrides `read` may raise others.
        DecodeError: The answer does not fit what is documented.
        ValueError: An id that cannot be part of a path; nothing was sent.
    """
    require_client(client)
    return client.read(
        client.get_httpx_client().request(**_get_kwargs(credential_id, x_namespace=x_namespace)), _parse_success
    )


def sync_detailed(credential_id: str, *, client: Client, x_namespace: str | Unset = UNSET) -> Response[ErrorResponse]:
    """Like `sync`, but returns any response: no status and no body is an error."""
    require_client(client)
    return _detail(client.get_httpx_client().request(**_get_kwargs(credential_id, x_namespace=x_namespace)))


async def asyncio(credential_id: str, *, client: Client, x_namespace: str | Unset = UNSET) -> None:
    """Revoke and delete a credential.

    The grant is revoked at the provider as well, so the user has to connect again. This cannot be undone.

    Args:
        credential_id: Id of the credential, such as `cred_5Tn8`.
        x_namespace: The tenant to act for. Defaults to the default namespace of your client.

    Raises:
        ApiError: The server responded with an error; a client that overrides `read` may raise others.
        DecodeError: The answer does not fit what is documented.
        ValueError: An id that cannot be part of a path; nothing was sent.
    """
    require_client(client)
    return client.read(
        await client.get_async_httpx_client().request(**_get_kwargs(credential_id, x_namespace=x_namespace)),
        _parse_success,
    )


async def asyncio_detailed(
    credential_id: str, *, client: Client, x_namespace: str | Unset = UNSET
) -> Response[ErrorResponse]:
    """Like `asyncio`, but returns any response: no status and no body is an error."""
    require_client(client)
    return _detail(await client.get_async_httpx_client().request(**_get_kwargs(credential_id, x_namespace=x_namespace)))
