"""What errors and logs may say of a request: its name, its server, and the secrets that must not be quoted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from interactor_client.types import Operation
    from interactor_ext.tokens._store import Token


def describe_request(subject: httpx.Response | httpx.Request) -> str:
    """`POST /rooms/{room_id}/messages`: the operation's template, for a URL may hold what logs must not."""
    request = requested_by(subject)
    if request is None:
        return "the request"
    operation = operation_of(request)
    return f"{request.method} {operation.path if operation is not None else request.url.path}"


def operation_of(request: httpx.Request) -> Operation | None:
    operation: Operation | None = request.extensions.get("operation")
    return operation


def url_variable(request: httpx.Request) -> str:
    """What says which server the request goes to, as advice names it."""
    operation = operation_of(request)
    on_account_server = operation is not None and operation.server == "account"
    return "INTERACTOR_ACCOUNT_SERVER_URL" if on_account_server else "INTERACTOR_CORE_API_URL"


def secrets_of(request: httpx.Request | None) -> tuple[str, ...]:
    """What was sent in confidence, and nobody must therefore be quoted with."""
    if request is None:
        return ()
    secrets: tuple[str, ...] = getattr(request.extensions.get("interactor"), "secrets", ())
    # Each record of a call asks, and to search the headers would take longer than all else that is in one.
    token: Token | None = request.extensions.get("token")
    if token is not None:
        return (*secrets, token.access_token)
    by_hand = request.headers.get("authorization", "").partition(" ")[2]
    return (*secrets, by_hand) if by_hand else secrets


def requested_by(subject: httpx.Response | httpx.Request) -> httpx.Request | None:
    """The request of a response; None for a response that was made by hand."""
    try:
        return subject.request if isinstance(subject, httpx.Response) else subject
    except RuntimeError:
        return None
