"""Logs calls and retries under `interactor`, with the fields that the platform recommends as attributes."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping
from typing import Any

import httpx

from interactor_ext._engine.call import Call, secrets_of
from interactor_ext._engine.errors import InteractorError
from interactor_ext._engine.logs import logger, user_id
from interactor_ext._engine.redaction import holds_secret
from interactor_ext._engine.responses import status_error

# Larger bodies aren't parsed for the new resource's id.
_LARGEST_BODY = 65_536
_MAX_ID_LENGTH = 200
_CALL, _NO_ID = "%s %s: %s in %.0f ms (%s)", "no request id"


def log_answer(request: httpx.Request, response: httpx.Response, headers: Mapping[bytes, bytes], began: float) -> None:
    """Log a call that got a response. `headers` are the response's; `began` is an instant of `time.perf_counter()`."""
    status, level = response.status_code, logging.INFO
    # Bypasses httpx's headers: the first access decodes them all, and doubles a record's cost.
    request_id = _loggable_id(request, headers.get(b"x-request-id", b"").decode("latin-1"))
    milliseconds = round((time.perf_counter() - began) * 1000, 1)
    fields = {"status_code": status, "request_id": request_id, "duration_ms": milliseconds}
    if not 200 <= status < 300:
        level = logging.WARNING
        fields["error_code"] = status_error.code_of(response)
        fields["request_id"] = _loggable_id(request, response.headers.get("x-request-id"))  # two, if a proxy added one
    elif status == 201 and (created := _created_id(request, response)):
        fields["resource_id"] = created
    _log(level, _CALL, request, fields, (status, milliseconds, request_id or _NO_ID))


def log_failure(request: httpx.Request, error: InteractorError, began: float) -> None:
    """Log a call that ended without a response of its own."""
    if logger.isEnabledFor(logging.WARNING):
        milliseconds = round((time.perf_counter() - began) * 1000, 1)
        fields = {"status_code": error.status, "request_id": error.request_id, "duration_ms": milliseconds}
        fields["error_code"] = error.code
        what = error.status or error.code
        _log(logging.WARNING, _CALL, request, fields, (what, milliseconds, error.request_id or _NO_ID))


def log_retry(
    request: httpx.Request, response: httpx.Response | None, *, delay: float, attempt: int, reason: str
) -> None:
    """Log a failed attempt that will be retried."""
    if logger.isEnabledFor(logging.WARNING):
        fields: dict[str, Any] = {"status_code": None, "request_id": None, "duration_ms": None}
        if response is not None:
            fields["status_code"] = response.status_code
            fields["request_id"] = _loggable_id(request, response.headers.get("x-request-id"))
        text = "%s %s is retried in %.3g s, after attempt %d: %s"
        _log(logging.WARNING, text, request, fields, (delay, attempt, reason))


def log_attempt(request: httpx.Request, outcome: httpx.Response | BaseException, number: int, seconds: float) -> None:
    """Log one attempt of a call and its sizes, for debugging."""
    response = outcome if isinstance(outcome, httpx.Response) else None
    milliseconds = round(seconds * 1000, 1)
    length = request.headers.get("content-length", "0")
    sent = int(length) if length.isdecimal() else None
    # The size after unpacking. A stream's body is still to come.
    received = None if response is None or not response.is_closed else len(response.content)
    fields = {
        "status_code": None if response is None else response.status_code,
        "request_id": None,
        "attempt": number,
        "duration_ms": milliseconds,
        "request_bytes": sent,
        "response_bytes": received,
    }
    what = type(outcome).__name__ if response is None else response.status_code
    text = "%s %s: attempt %d: %s in %.0f ms, bytes sent: %s, received: %s"
    _log(logging.DEBUG, text, request, fields, (number, what, milliseconds, sent, received))


def _log(level: int, text: str, request: httpx.Request, fields: dict[str, Any], args: tuple[object, ...]) -> None:
    """Log `fields` and what is known about a request. `text` starts with its method and endpoint, followed by
    `args`."""
    call = Call.of(request)
    method, endpoint = request.method, request.url.path if call.operation is None else call.operation.path
    # `logging` refuses `extra` fields that the application's own record factory also sets.
    record = logging.getLogRecordFactory()(logger.name, level, logger.name, 0, text, (method, endpoint, *args), None)
    vars(record).update(fields, method=method, endpoint=endpoint, namespace=call.namespace)
    _, is_template, rest = endpoint.rpartition("}")
    if is_template and call.path:
        # The last path parameter's value. It stays percent-encoded, so it contains no line break.
        record.resource_id = call.path.rsplit("/", rest.count("/") + 1)[1][:_MAX_ID_LENGTH]
    if user := user_id.get():
        record.user_id = user
    if call.retries:
        record.retry_count = call.retries
    logger.handle(record)


def _created_id(request: httpx.Request, response: httpx.Response) -> str | None:
    """Return the new resource's id. If the path already names a resource, that one is logged instead."""
    operation = Call.of(request).operation
    if operation is not None and "}" in operation.path:
        return None
    if not response.is_closed or len(response.content) > _LARGEST_BODY:
        return None
    try:
        created = json.loads(response.content)["data"]["id"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return _loggable_id(request, created) if isinstance(created, str) else None


def _loggable_id(request: httpx.Request, text: str | None) -> str | None:
    """Return an id that the server sent, shortened; None if it contains a secret or control characters."""
    if not text or not text.isprintable() or holds_secret(text, secrets_of(request)):
        return None
    return text[:_MAX_ID_LENGTH]
