"""Tells a telemetry of each request. Stands in for the plain transport where there is a telemetry, and only there, so
that calls without one pay nothing.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Literal

import httpx

from interactor_ext._error_body import OAUTH_CODES, read_error_body
from interactor_ext._errors import APIConnectionError, APITimeoutError
from interactor_ext._response_errors import class_for
from interactor_ext._telemetry_events import Reporter, RequestEnded, Sending
from interactor_ext._transport import AsyncCallTransport, CallTransport

if TYPE_CHECKING:
    from interactor_ext._attempts import Attempts, Rules


class MeteredCallTransport(CallTransport):
    def __init__(self, inner: httpx.BaseTransport, rules: Rules, reporter: Reporter) -> None:
        super().__init__(inner, rules)
        self._reporter = reporter

    def _exchange(self, attempts: Attempts, ends_at: float) -> httpx.Response:
        measurement = Measurement(self._reporter, attempts)
        try:
            response = super()._exchange(attempts, ends_at)
        except BaseException as error:
            measurement.failed(error)
            raise
        measurement.answered(response)
        return response


class AsyncMeteredCallTransport(AsyncCallTransport):
    def __init__(self, inner: httpx.AsyncBaseTransport, rules: Rules, reporter: Reporter) -> None:
        super().__init__(inner, rules)
        self._reporter = reporter

    async def _exchange(self, attempts: Attempts, ends_at: float) -> httpx.Response:
        measurement = Measurement(self._reporter, attempts)
        try:
            response = await super()._exchange(attempts, ends_at)
        except BaseException as error:
            measurement.failed(error)
            raise
        measurement.answered(response)
        return response


class Measurement:
    """One request, from when it is sent."""

    __slots__ = ("_began", "_reporter", "_request", "_started")

    def __init__(self, reporter: Reporter, attempts: Attempts) -> None:
        self._reporter = reporter
        self._request = Sending(attempts.request, attempts.resends)
        self._started = reporter.sending(self._request)
        self._began = time.perf_counter()

    def answered(self, response: httpx.Response) -> None:
        seconds = time.perf_counter() - self._began
        status, error, code = response.status_code, None, None
        if not response.is_success:
            error, code = _kind(status), _code(response)
        request_id = response.headers.get("x-request-id")
        self._reporter.record(
            RequestEnded(self._request, self._started, seconds, status, error, code, request_id, None)
        )

    def failed(self, exception: BaseException) -> None:
        seconds = time.perf_counter() - self._began
        if not isinstance(exception, Exception):
            error, code = "cancelled", None
        elif isinstance(exception, httpx.TimeoutException):
            error, code = "network", APITimeoutError.default_code
        else:
            error, code = "network", APIConnectionError.default_code
        self._reporter.record(
            RequestEnded(self._request, self._started, seconds, None, error, code, None, exception)  # type: ignore[arg-type]
        )


def _kind(status: int) -> Literal["auth", "rate_limit", "validation", "server"]:
    if status in (401, 403):
        return "auth"
    if status == 429:
        return "rate_limit"
    return "validation" if status < 500 else "server"


def _code(response: httpx.Response) -> str:
    """The server's own code, if it looks like one: in a label, anything else would be a way to fill memory."""
    # A copy, for a body can be decoded once, and the caller will.
    copy = httpx.Response(response.status_code, headers=response.headers, stream=response.stream)
    try:
        code = read_error_body(copy.read()).code or ""
    except httpx.DecodingError:
        code = ""
    if code in OAUTH_CODES or (len(code) <= 40 and code.isascii() and code.isupper() and code.isidentifier()):
        return code
    return class_for(response.status_code).default_code
