"""Parses the body of an error response in any of the forms that servers and proxies use."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

# https://www.rfc-editor.org/rfc/rfc6749#section-5.2 and https://www.rfc-editor.org/rfc/rfc6750#section-3.1
OAUTH_CODES = frozenset(
    {
        "invalid_client",
        "invalid_grant",
        "invalid_request",
        "invalid_scope",
        "unauthorized_client",
        "unsupported_grant_type",
        "invalid_token",
        "insufficient_scope",
    }
)
_LARGEST = 1_048_576


class ErrorBody(NamedTuple):
    code: str | None = None
    message: str | None = None
    details: list[dict[str, Any]] = []  # noqa: RUF012  (never changed; a NamedTuple has no default factory)
    request_id: str | None = None


def read_error_body(content: bytes) -> ErrorBody:
    """The parts of an error body. Raises nothing: what cannot be read is left out."""
    if not content or len(content) > _LARGEST:
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
    return ErrorBody(
        code=text if text is not None and (description is not None or text in OAUTH_CODES) else _text(body.get("code")),
        message=description or text or _text(body.get("message")) or _text(body.get("detail")),
        details=_details(body.get("details")),
        request_id=_text(body.get("request_id")),
    )


def _text(value: object) -> str | None:
    if isinstance(value, str):
        return value.strip() or None
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**9:
        return str(value)
    return None


def _details(value: object) -> list[dict[str, Any]]:
    if isinstance(value, list):
        return [dict(item) if isinstance(item, Mapping) else {"message": item} for item in value]
    if isinstance(value, Mapping):
        if "field" in value or "message" in value:
            return [dict(value)]
        return [{"field": field, "message": message} for field, message in value.items()]
    return [] if value is None else [{"message": value}]
