"""Reads a response: returns the model of a success, or raises the typed error for its status or its body.

What an error quotes of the server is cleaned of secrets and control characters.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import httpx

from interactor_client.errors import DecodeError
from interactor_ext._errors import (
    APIStatusError,
    AuthenticationError,
    ConflictError,
    GoneError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    ResponseValidationError,
    ServerError,
    ValidationError,
)
from interactor_ext._redaction import clean_json, clean_text
from interactor_ext._responses._error_body import OAUTH_CODES, ErrorBody, read_error_body
from interactor_ext._responses._not_found import not_found_advice
from interactor_ext._responses._request_info import describe_request, operation_of, secrets_of
from interactor_ext.deprecation import sunset_notice
from interactor_ext.retry import parse_retry_after

T = TypeVar("T")

_CLASSES: Mapping[int, type[APIStatusError]] = {
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    410: GoneError,
    422: ValidationError,
    429: RateLimitError,
}
_ADVICE: Mapping[type[APIStatusError], str] = {
    AuthenticationError: "Check the client id and the client secret, and that they belong to this environment.",
    PermissionDeniedError: "Check that the OAuth client has the scope for this operation and may use this namespace.",
    ConflictError: "What it is now does not allow this: get it, and see its status.",
    GoneError: "This part of the API has been switched off: a newer version of the SDK may have its successor.",
    ServerError: "The platform failed: try again later; if it lasts, give the request id to its support.",
}
# Headers that can hold a secret, and that no caller needs.
_WITHHELD = frozenset({"set-cookie", "authorization", "proxy-authorization", "www-authenticate"})
_LONGEST_NAME = 200


def read_response(response: httpx.Response, parse: Callable[[httpx.Response], T]) -> T:
    """What `parse` makes of a success.

    Raises:
        APIStatusError: the status is no success.
        ResponseValidationError: the body does not fit its model.
    """
    if not response.is_success:
        raise status_error(response)
    try:
        return parse(response)
    except DecodeError as error:
        raise validation_error(response, error) from error


def status_error(response: httpx.Response) -> APIStatusError:
    """The error for a response that is no success. The body of a stream must have been read before."""
    status = response.status_code
    body = read_error_body(response.content)
    cls = class_for(status)
    if (
        status == 400
        and body.code in OAUTH_CODES
        and getattr(operation_of(response.request), "id", "") == "create_token"
    ):
        cls = AuthenticationError
    secrets = secrets_of(response.request)
    about = described(response, secrets)
    about["code"] = _code(body, cls, secrets)
    about["details"] = clean_json(body.details, secrets)
    if body.request_id:
        about["request_id"] = clean_text(body.request_id, secrets)[:_LONGEST_NAME]
    message = clean_text(body.message, secrets) if body.message else f"The server answered {status}"
    sentence = _sentence(message, describe_request(response.request), about, _advice(cls, about, response))
    if cls is GoneError:
        sentence += sunset_notice(response, secrets)
    return cls(sentence, **about)


def code_of(response: httpx.Response) -> str:
    """The `code` of the error for a response, for the log."""
    body = read_error_body(response.content if response.is_closed else b"")
    return _code(body, class_for(response.status_code), secrets_of(response.request))


def _code(body: ErrorBody, cls: type[APIStatusError], secrets: tuple[str, ...]) -> str:
    return clean_text(body.code, secrets)[:_LONGEST_NAME] if body.code else cls.default_code


def class_for(status: int) -> type[APIStatusError]:
    return _CLASSES.get(status) or (ServerError if 500 <= status <= 599 else APIStatusError)


def validation_error(response: httpx.Response, error: DecodeError, item: Any = None) -> ResponseValidationError:
    """The error for a success whose body, or one item of it, does not fit its model. It does not quote the body."""
    about = described(response, secrets_of(response.request))
    message = f"The answer to {describe_request(response.request)} does not fit its model: {error}"
    if about["request_id"]:
        message += f" (request id {about['request_id']})"
    return ResponseValidationError(message, model=error.model, field=error.field, path=error.path, item=item, **about)


def _sentence(message: str, request: str, about: Mapping[str, Any], advice: str) -> str:
    fields = [
        f"{detail['field']}: {detail.get('message')}" if detail.get("field") else str(detail.get("message"))
        for detail in about["details"][:5]
        if not (str(detail.get("message")) in message and str(detail.get("field") or "") in message)
    ]
    if fields:
        message = clean_text(f"{message.rstrip('.:')}: {'; '.join(fields)}")
    known = f"{about['status']} {about['code']}"
    if about["request_id"]:
        known += f", request id {about['request_id']}"
    return f"{message.rstrip('.')} ({request}: {known})." + (f" {advice}" if advice else "")


def _advice(cls: type[APIStatusError], about: Mapping[str, Any], response: httpx.Response) -> str:
    """The advice at the end of an error message."""
    if about["code"] == "REFRESH_FAILED":
        return "The user must connect the credential again."
    if cls is RateLimitError and about["retry_after"] is not None:
        return f"The next request is welcome in {about['retry_after']:g} s."
    if 300 <= about["status"] < 400:
        return "Redirects are not followed, for they would carry the token elsewhere: check the configured URLs."
    if cls is NotFoundError:
        return clean_text(not_found_advice(response.request), secrets_of(response.request))
    if about["status"] == 501:
        return "This server does not have the operation: nothing was done, and trying again will not help."
    if cls is ConflictError and "idempotency-key" in response.request.headers:
        return "An idempotency key goes with one request body: use a new key for another."
    return _ADVICE.get(cls, "")


def described(response: httpx.Response, secrets: tuple[str, ...]) -> dict[str, Any]:
    """The attributes of an error that tell of its response."""
    headers = httpx.Headers(
        [(name, clean_text(value, secrets)) for name, value in response.headers.multi_items() if name not in _WITHHELD],
        encoding="utf-8",
    )
    return {
        "status": response.status_code,
        "request_id": headers.get("x-request-id", "")[:_LONGEST_NAME] or None,
        "headers": headers,
        "retry_after": parse_retry_after(headers.get("retry-after"), now=time.time()),
    }
