"""Logs calls and retries under `interactor`, with the fields that the platform recommends as attributes."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping
from typing import Any

import httpx

from interactor_ext._call import Call, secrets_of
from interactor_ext._errors import InteractorError
from interactor_ext._redaction import holds_secret
from interactor_ext._responses import _status_error
from interactor_ext.logs import logger, user_id

# Larger bodies are not parsed for the id of the new resource.
_LARGEST_BODY = 65_536
_LONGEST_ID = 200


def log_answer(request: httpx.Request, response: httpx.Response, headers: Mapping[bytes, bytes], began: float) -> None:
    """Log a call that was answered. `headers` are the response's, `began` is an instant of `time.perf_counter()`."""
    failed = not response.is_success
    level = logging.WARNING if failed else logging.INFO
    status = response.status_code
    # Not through httpx's headers: the first look into them decodes them all, and was half of the cost of a record.
    fields = _fields(request, status, _loggable_id(request, headers.get(b"x-request-id", b"").decode("latin-1")))
    if failed:
        fields["error_code"] = _status_error.code_of(response)
    elif status == 201 and "resource_id" not in fields and (created := _created_id(request, response)):
        fields["resource_id"] = created
    _log_call(level, fields, status, began)


def log_failure(request: httpx.Request, error: InteractorError, began: float) -> None:
    """Log a call that ended without an answer of its own."""
    if logger.isEnabledFor(logging.WARNING):
        fields = _fields(request, error.status, error.request_id)
        fields["error_code"] = error.code
        _log_call(logging.WARNING, fields, error.status or error.code, began)


def log_retry(
    request: httpx.Request, response: httpx.Response | None, *, delay: float, attempt: int, reason: str
) -> None:
    """Log an attempt that another follows."""
    if logger.isEnabledFor(logging.WARNING):
        status = request_id = None
        if response is not None:
            status, request_id = response.status_code, _loggable_id(request, response.headers.get("x-request-id"))
        fields = _fields(request, status, request_id)
        _log(logging.WARNING, "%s %s is retried in %.3g s, after attempt %d: %s", fields, delay, attempt, reason)


def log_attempt(request: httpx.Request, outcome: httpx.Response | BaseException, number: int, seconds: float) -> None:
    """Log one attempt of a call and its sizes, for whoever debugs."""
    response = outcome if isinstance(outcome, httpx.Response) else None
    fields = _fields(request, None if response is None else response.status_code, None)
    fields["attempt"] = number
    fields["duration_ms"] = round(seconds * 1000, 1)
    length = request.headers.get("content-length", "0")
    fields["request_bytes"] = int(length) if length.isdecimal() else None
    # After unpacking. The body of a stream is still to come.
    fields["response_bytes"] = None if response is None or not response.is_closed else len(response.content)
    what = type(outcome).__name__ if response is None else response.status_code
    sizes = fields["request_bytes"], fields["response_bytes"]
    text = "%s %s: attempt %d: %s in %.0f ms, bytes sent: %s, received: %s"
    _log(logging.DEBUG, text, fields, number, what, fields["duration_ms"], *sizes)


def _log_call(level: int, fields: dict[str, Any], outcome: object, began: float) -> None:
    milliseconds = fields["duration_ms"] = round((time.perf_counter() - began) * 1000, 1)
    request_id = fields["request_id"] or "no request id"
    _log(level, "%s %s: %s in %.0f ms (%s)", fields, outcome, milliseconds, request_id)


def _log(level: int, text: str, fields: dict[str, Any], *args: object) -> None:
    # With `extra`, `logging` refuses a field that the application's own record factory sets as well.
    args = (fields["method"], fields["endpoint"], *args)
    record = logging.getLogRecordFactory()(logger.name, level, logger.name, 0, text, args, None)
    vars(record).update(fields)
    logger.handle(record)


def _fields(request: httpx.Request, status: int | None, request_id: str | None) -> dict[str, Any]:
    """The extra fields of a record: what is known of a request."""
    call = Call.of(request)
    endpoint = request.url.path if call.operation is None else call.operation.path
    fields: dict[str, Any] = {
        "method": request.method,
        "endpoint": endpoint,
        "namespace": call.namespace,
        "status_code": status,
        "request_id": request_id,
    }
    if call.path and (resource := _resource_id(endpoint, call.path)):
        fields["resource_id"] = resource
    if user := user_id.get():
        fields["user_id"] = user
    if call.retries:
        fields["retry_count"] = call.retries
    return fields


def _resource_id(template: str, path: str) -> str | None:
    """The value of the last path parameter. It stays percent-encoded, so that it holds no line break."""
    _, brace, rest = template.rpartition("}")
    return path.rsplit("/", rest.count("/") + 1)[1][:_LONGEST_ID] if brace else None


def _created_id(request: httpx.Request, response: httpx.Response) -> str | None:
    if not response.is_closed or len(response.content) > _LARGEST_BODY:
        return None
    try:
        created = json.loads(response.content)["data"]["id"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return _loggable_id(request, created) if isinstance(created, str) else None


def _loggable_id(request: httpx.Request, text: str | None) -> str | None:
    """An id that the server sent, shortened; None if it holds a secret or control characters."""
    if not text or not text.isprintable():
        return None
    return None if holds_secret(text, secrets_of(request)) else text[:_LONGEST_ID]
