"""What errors and logs say of a request: its name and its server; and the secrets that they must not quote."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from interactor_client.types import Operation


def describe_request(request: httpx.Request) -> str:
    """The name of a request, such as `POST /rooms/{room_id}/messages`: a URL may hold what logs must not."""
    operation = operation_of(request)
    return f"{request.method} {operation.path if operation is not None else request.url.path}"


def operation_of(request: httpx.Request) -> Operation | None:
    operation: Operation | None = request.extensions.get("operation")
    return operation


def url_variable(request: httpx.Request) -> str:
    """The environment variable of the server that the request goes to."""
    operation = operation_of(request)
    on_account_server = operation is not None and operation.server == "account"
    return "INTERACTOR_ACCOUNT_SERVER_URL" if on_account_server else "INTERACTOR_CORE_API_URL"


def secrets_of(request: httpx.Request) -> tuple[str, ...]:
    """The secrets that were sent with a request: the client secret, secret fields of its body, and its token."""
    secrets: tuple[str, ...] = getattr(request.extensions.get("interactor"), "secrets", ())
    # Not from the headers: this is asked for each log record, and would be the slowest part of it.
    token: str | None = request.extensions.get("token")
    if token is not None:
        return (*secrets, token)
    by_hand = request.headers.get("authorization", "").partition(" ")[2]
    return (*secrets, by_hand) if by_hand else secrets
