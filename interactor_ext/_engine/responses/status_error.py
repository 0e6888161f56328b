"""Builds the typed error for an unsuccessful response, with advice, whatever form its body has.

What an error quotes from the server has its secrets masked and its control characters removed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import httpx

from interactor_ext._engine import deprecation
from interactor_ext._engine.call import Call, describe_request, secrets_of
from interactor_ext._engine.errors import (
    APIStatusError,
    AuthenticationError,
    ConflictError,
    GoneError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
    ValidationError,
)
from interactor_ext._engine.redaction import clean_json, clean_text
from interactor_ext._engine.retry_policy import retry_after_of

_LARGEST_BODY = 1_048_576
_CLASSES: Mapping[int, type[APIStatusError]] = {
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    410: GoneError,
    422: ValidationError,
    429: RateLimitError,
}
# Headers that can contain a secret, and that no caller needs.
_WITHHELD = frozenset({"set-cookie", "authorization", "proxy-authorization", "www-authenticate"})
_MAX_NAME_LENGTH = 200


def status_error(response: httpx.Response) -> APIStatusError:
    """Make the error for an unsuccessful response. A stream's body must have been read already."""
    status, call = response.status_code, Call.of(response.request)
    body = read_error_body(response.content)
    cls = class_for(status)
    if status == 400 and body.code and call.api.is_token_request(call):  # without a code, it is a gateway's
        cls = AuthenticationError
    secrets = secrets_of(response.request)
    about = described(response, secrets)
    about["code"] = _code(body, cls, secrets)
    about["details"] = clean_json(body.details, secrets)
    if body.request_id:
        about["request_id"] = clean_text(body.request_id, secrets)[:_MAX_NAME_LENGTH]
    message = clean_text(body.message, secrets) if body.message else f"The server responded with {status}"
    sentence = _sentence(message, describe_request(response.request), about, call.api.advice(cls, about, response))
    if issubclass(cls, GoneError):
        sentence += deprecation.sunset_notice(response)
    error = cls(sentence, **about)
    error.message = message
    return error


def code_of(response: httpx.Response) -> str:
    """Return the `code` of the error for a response, for the log."""
    body = read_error_body(response.content if response.is_closed else b"")
    return _code(body, class_for(response.status_code), secrets_of(response.request))


def _code(body: ErrorBody, cls: type[APIStatusError], secrets: tuple[str, ...]) -> str:
    return clean_text(body.code, secrets)[:_MAX_NAME_LENGTH] if body.code else cls.default_code


def class_for(status: int) -> type[APIStatusError]:
    return _CLASSES.get(status) or (ServerError if 500 <= status <= 599 else APIStatusError)


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


def found_instead(response: httpx.Response) -> str:
    """Return the end of a sentence that says what a success contains instead of the requested data; "" if that is
    unknown."""
    page = re.match(rb"\s*<(!doctype html|html)\b", response.content[:_MAX_NAME_LENGTH], re.IGNORECASE)
    if page or "text/html" in response.headers.get("content-type", "").lower():
        return web_page_instead_of("JSON", response)
    try:
        body = json.loads(response.content)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(body, Mapping) or "data" in body or not body.get("error"):
        return ""
    error = read_error_body(response.content)
    said = ": ".join(dict.fromkeys(each for each in (error.code, error.message) if each))
    said = clean_text(said, secrets_of(response.request))
    return f"is an error, though its status is {response.status_code}: {said.rstrip('.')}." if said else ""


def web_page_instead_of(expected: str, response: httpx.Response) -> str:
    return (
        f"is a web page instead of {expected}: a proxy's page, a login page, or the sign-in page of a network. "
        f"Check the network, and {Call.of(response.request).url_variable}."
    )


def described(response: httpx.Response, secrets: tuple[str, ...]) -> dict[str, Any]:
    """Return an error's attributes that describe its response."""
    headers = httpx.Headers(
        [(name, clean_text(value, secrets)) for name, value in response.headers.multi_items() if name not in _WITHHELD],
        encoding="utf-8",
    )
    return {
        "status": response.status_code,
        "request_id": headers.get("x-request-id", "")[:_MAX_NAME_LENGTH] or None,
        "headers": headers,
        "retry_after": retry_after_of(headers),
    }


class ErrorBody(NamedTuple):
    code: str | None = None
    message: str | None = None
    details: list[dict[str, Any]] = []  # noqa: RUF012  (never changed; a NamedTuple has no default factory)
    request_id: str | None = None


def read_error_body(content: bytes) -> ErrorBody:
    """Read the parts of an error body. Raises nothing; unreadable parts are left out."""
    if not content or len(content) > _LARGEST_BODY:
        return ErrorBody()
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        return ErrorBody()
    if not isinstance(body, Mapping):
        return ErrorBody()
    error = body.get("error")
    if isinstance(error, Mapping):
        return ErrorBody(
            code=_text(error.get("code")),
            message=_text(error.get("message")),
            details=_details(error.get("details")),
            request_id=_text(error.get("request_id")) or _text(body.get("request_id")),
        )
    text = _text(error)
    description = _text(body.get("error_description"))
    # As in `invalid_client` of RFC 6749 and `insufficient_scope` of RFC 6750.
    is_code = text is not None and (description is not None or ("_" in text and text.isidentifier()))
    return ErrorBody(
        code=text if is_code else _text(body.get("code")),
        message=description or text or _text(body.get("message")) or _problem(body),
        details=_details(body.get("details")),
        request_id=_text(body.get("request_id")),
    )


def _problem(body: Mapping[str, Any]) -> str | None:
    """Return the title and the detail of a problem of RFC 9457."""
    said = filter(None, (_text(body.get("title")), _text(body.get("detail"))))
    return ": ".join(dict.fromkeys(said)) or None


def _text(value: object) -> str | None:
    return value.strip() or None if isinstance(value, str) else None


def _details(value: object) -> list[dict[str, Any]]:
    if isinstance(value, Mapping):
        return [{"field": field, "message": message} for field, message in value.items()]
    items = value if isinstance(value, list) else []
    return [dict(item) if isinstance(item, Mapping) else {"message": item} for item in items]
