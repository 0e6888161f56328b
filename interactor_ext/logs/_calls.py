"""The log records of calls, under `interactor`: with the fields that the platform recommends, as `extra`."""

from __future__ import annotations

import json
import logging
import time
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import httpx

from interactor_ext._errors import InteractorError
from interactor_ext._responses._request_info import secrets_of
from interactor_ext.logs._log_record import Records

if TYPE_CHECKING:
    from interactor_client.types import Operation
    from interactor_ext._client.view import Call

logger = logging.getLogger("interactor")
# Without it, Python would print warnings of a program that has not asked for any log.
logger.addHandler(logging.NullHandler())

_records = Records("interactor")

user_id: ContextVar[str | None] = ContextVar("interactor_user_id", default=None)

# Beyond, to look for the id of what was created would cost more than it is worth.
_LARGEST_BODY = 65_536
_LONGEST_ID = 200
_NO_ID = "no request id"
_CALL = "%s %s: %s in %.0f ms (%s)"
_RETRY = "%s %s is sent again in %.3g s, after attempt %d: %s"


def log_answer(request: httpx.Request, response: httpx.Response, request_id: str | None, began: float) -> None:
    """The record of a call that was answered. `began` is an instant of `time.perf_counter()`."""
    status = response.status_code
    failed = not 200 <= status < 300
    level = logging.WARNING if failed else logging.INFO
    if not logger.isEnabledFor(level):
        return
    request_id = _short(request, request_id)
    milliseconds = round((time.perf_counter() - began) * 10_000) / 10
    record = _record(level, request, status, request_id, _CALL, status, milliseconds, request_id or _NO_ID)
    record.duration_ms = milliseconds
    if failed:
        record.error_code = _error_code(response)
    elif status == 201 and not hasattr(record, "resource_id") and (created := _created_id(request, response)):
        record.resource_id = created
    logger.handle(record)


def log_failure(request: httpx.Request, error: InteractorError, began: float) -> None:
    """The record of a call that ended without an answer of its own."""
    if logger.isEnabledFor(logging.WARNING):
        status, request_id, outcome = error.status, error.request_id, error.status or error.code
        milliseconds = round((time.perf_counter() - began) * 10_000) / 10
        record = _record(
            logging.WARNING, request, status, request_id, _CALL, outcome, milliseconds, request_id or _NO_ID
        )
        record.duration_ms = milliseconds
        record.error_code = error.code
        logger.handle(record)


def log_retry(
    request: httpx.Request, response: httpx.Response | None, *, delay: float, attempt: int, reason: str
) -> None:
    """The record of an attempt that another follows. Counts it, for the record of the call."""
    request.extensions["retries"] = request.extensions.get("retries", 0) + 1
    if logger.isEnabledFor(logging.WARNING):
        status = request_id = None
        if response is not None:
            status, request_id = response.status_code, _short(request, response.headers.get("x-request-id"))
        logger.handle(_record(logging.WARNING, request, status, request_id, _RETRY, delay, attempt, reason))


def _record(
    level: int,
    request: httpx.Request,
    status: int | None,
    request_id: str | None,
    message: str,
    first: object,
    second: object,
    third: object,
) -> Any:
    """A record with what is known of a request. `message` has its method and endpoint before the three others.

    They are no `*args`, for to pack and unpack those shows in the benchmark.
    """
    extensions = request.extensions
    operation: Operation | None = extensions.get("operation")
    call: Call | None = extensions.get("interactor")
    method, endpoint = request.method, request.url.path if operation is None else operation.path
    record = _records.make(level, message, (method, endpoint, first, second, third))
    record.method = method
    record.endpoint = endpoint
    record.namespace = None if call is None else call.namespace
    record.status_code = status
    record.request_id = request_id
    if operation is not None and call is not None and (resource := _resource_id(endpoint, call.path)):
        record.resource_id = resource
    if user := user_id.get():
        record.user_id = user
    if retries := extensions.get("retries"):
        record.retry_count = retries
    return record


def _resource_id(template: str, path: str) -> str | None:
    """What stands for the last name in braces, still percent-encoded: so it can break no line."""
    if template.endswith("}"):  # as most do; the general way takes longer
        return path.rpartition("/")[2][:_LONGEST_ID]
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
    from interactor_ext._responses._status_errors import code_of

    return code_of(response)


def _short(request: httpx.Request, text: str | None) -> str | None:
    """An id as the server gave it, unless it is none that a log should have."""
    if not text or not text.isprintable():
        return None
    for secret in secrets_of(request):
        if secret in text:
            from interactor_ext._redaction import holds_secret

            if holds_secret(text, (secret,)):
                return None
    return text[:_LONGEST_ID]
