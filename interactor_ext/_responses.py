"""From a response to the model that it holds, or to the error that it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import httpx

from interactor_client.errors import DecodeError
from interactor_ext._errors import APIStatusError

if TYPE_CHECKING:
    from interactor_client.types import Operation
    from interactor_ext.tokens import Token

T = TypeVar("T")


def read_response(response: httpx.Response, parse: Callable[[httpx.Response], T]) -> T:
    """What `parse` makes of a success.

    Raises:
        APIStatusError: the status is no success.
        ResponseValidationError: the body does not fit its model.
    """
    if not response.is_success:
        raise error_from_response(response)
    try:
        return parse(response)
    except DecodeError as error:
        from interactor_ext._response_errors import validation_error

        raise validation_error(response, error) from error


def error_from_response(response: httpx.Response) -> APIStatusError:
    """The error for a response that is no success, whatever is in it. A streamed body must have been read before."""
    # Imported late, for it takes a third of the time that the rest of this package takes.
    from interactor_ext._response_errors import status_error

    return status_error(response)


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
