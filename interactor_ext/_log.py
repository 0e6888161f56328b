"""The log records of calls, under `interactor`: with the fields that the platform recommends, as `extra`."""

from __future__ import annotations

import json
import logging
import time
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import httpx

from interactor_ext._errors import InteractorError
from interactor_ext._responses import secrets_of

if TYPE_CHECKING:
    from interactor_client.types import Operation
    from interactor_ext._view import Call

logger = logging.getLogger("interactor")
# Without it, Python would print warnings of a program that has not asked for any log.
logger.addHandler(logging.NullHandler())

user_id: ContextVar[str | None] = ContextVar("interactor_user_id", default=None)

# Beyond, to look for the id of what was created would cost more than it is worth.
_LARGEST_BODY = 65_536
_LONGEST_ID = 200
_MESSAGE = "%s %s: %s in %.0f ms (%s)"


def log_answer(request: httpx.Request, response: httpx.Response, request_id: str | None, began: float) -> None:
    """The record of a call that was answered. `began` is an instant of `time.perf_counter()`."""
    status = response.status_code
    failed = not 200 <= status < 300
    level = logging.WARNING if failed else logging.INFO
    if not logger.isEnabledFor(level):
        return
    milliseconds = round((time.perf_counter() - began) * 1000, 1)
    fields = _about(request)
    error_code = None
    if failed:
        error_code = fields["error_code"] = _error_code(response)
    elif status == 201 and "resource_id" not in fields and (created := _created_id(request, response)):
        fields["resource_id"] = created
    _emit(level, fields, status, _short(request, request_id), error_code, milliseconds)


def log_failure(request: httpx.Request, error: InteractorError, began: float) -> None:
    """The record of a call that ended without an answer of its own."""
    if logger.isEnabledFor(logging.WARNING):
        milliseconds = round((time.perf_counter() - began) * 1000, 1)
        fields = _about(request)
        fields["error_code"] = error.code
        _emit(logging.WARNING, fields, error.status, error.request_id, error.code, milliseconds)


def log_retry(
    request: httpx.Request, response: httpx.Response | None, *, delay: float, attempt: int, reason: str
) -> None:
    """The record of an attempt that another follows. Counts it, for the record of the call."""
    request.extensions["retries"] = request.extensions.get("retries", 0) + 1
    if logger.isEnabledFor(logging.WARNING):
        fields = _about(request)
        if response is not None:
            fields["status_code"] = response.status_code
            fields["request_id"] = _short(request, response.headers.get("x-request-id"))
        logger.warning(
            "%s %s is sent again in %.3g s, after attempt %d: %s",
            fields["method"],
            fields["endpoint"],
            delay,
            attempt,
            reason,
            extra=fields,
        )


def _emit(
    level: int,
    fields: dict[str, Any],
    status: int | None,
    request_id: str | None,
    error_code: str | None,
    milliseconds: float,
) -> None:
    args = fields["method"], fields["endpoint"], status or error_code, milliseconds, request_id or "no request id"
    # As logger.log() does, but it would first search the stack for the line that this is.
    record = logging.getLogRecordFactory()("interactor", level, "interactor", 0, _MESSAGE, args, None)
    about = record.__dict__
    about.update(fields)
    about["status_code"] = status
    about["request_id"] = request_id
    about["duration_ms"] = milliseconds
    logger.handle(record)


def _about(request: httpx.Request) -> dict[str, Any]:
    extensions = request.extensions
    operation: Operation | None = extensions.get("operation")
    call: Call | None = extensions.get("interactor")
    fields: dict[str, Any] = {
        "method": request.method,
        "endpoint": request.url.path if operation is None else operation.path,
        "namespace": None if call is None else call.namespace,
    }
    if operation is not None and call is not None and (resource := _resource_id(operation.path, call.path)):
        fields["resource_id"] = resource
    if user := user_id.get():
        fields["user_id"] = user
    if retries := extensions.get("retries"):
        fields["retry_count"] = retries
    return fields


def _resource_id(template: str, path: str) -> str | None:
    """What stands for the last name in braces, still percent-encoded: so it can break no line."""
    _, brace, rest = template.rpartition("}")
    return path.rsplit("/", rest.count("/") + 1)[1][:_LONGEST_ID] if brace else None


def _created_id(request: httpx.Request, response: httpx.Response) -> str | None:
    if not response.is_closed or len(response.content) > _LARGEST_BODY:
        return None
    try:
        created = json.loads(response.content)["data"]["id"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return _short(request, created) if isinstance(created, str) else None


def _error_code(response: httpx.Response) -> str:
    # Imported late, with what it brings along, for who logs no failure needs none of it.
    from interactor_ext._response_errors import code_of

    return code_of(response)


def _short(request: httpx.Request, text: str | None) -> str | None:
    """An id as the server gave it, unless it is none that a log should have."""
    if not text or not text.isprintable() or any(secret in text for secret in secrets_of(request)):
        return None
    return text[:_LONGEST_ID]
