"""Tells a telemetry of each request. Stands in for the plain transport where there is a telemetry, and only there, so
that calls without one pay nothing.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Literal

import httpx

from interactor_ext._error_body import OAUTH_CODES, read_error_body
from interactor_ext._errors import APIConnectionError, APITimeoutError
from interactor_ext._network.transport import AsyncCallTransport, CallTransport
from interactor_ext._response_errors import class_for
from interactor_ext._telemetry.events import Reporter, RequestEnded, Sending

if TYPE_CHECKING:
    from interactor_ext._network.attempts import Attempts, Rules


class MeteredCallTransport(CallTransport):
    def __init__(self, inner: httpx.BaseTransport, rules: Rules, reporter: Reporter) -> None:
        super().__init__(inner, rules)
        self._reporter = reporter

    def _exchange(self, attempts: Attempts, ends_at: float) -> httpx.Response:
        reporter = self._reporter
        sending = Sending(attempts.request, attempts.resends)
        started = reporter.sending(sending)
        began = time.perf_counter()
        try:
            response = super()._exchange(attempts, ends_at)
        except BaseException as error:
            reporter.record(failed(sending, started, time.perf_counter() - began, error))
            raise
        reporter.record(answered(sending, started, time.perf_counter() - began, response))
        return response


class AsyncMeteredCallTransport(AsyncCallTransport):
    def __init__(self, inner: httpx.AsyncBaseTransport, rules: Rules, reporter: Reporter) -> None:
        super().__init__(inner, rules)
        self._reporter = reporter

    async def _exchange(self, attempts: Attempts, ends_at: float) -> httpx.Response:
        reporter = self._reporter
        sending = Sending(attempts.request, attempts.resends)
        started = reporter.sending(sending)
        began = time.perf_counter()
        try:
            response = await super()._exchange(attempts, ends_at)
        except BaseException as error:
            reporter.record(failed(sending, started, time.perf_counter() - began, error))
            raise
        reporter.record(answered(sending, started, time.perf_counter() - began, response))
        return response


def answered(sending: Sending, started: object, seconds: float, response: httpx.Response) -> RequestEnded:
    status = response.status_code
    if 200 <= status < 300:
        return RequestEnded(sending, started, seconds, status, None, None, response.headers, None)
    return RequestEnded(sending, started, seconds, status, _kind(status), _code(response), response.headers, None)


def failed(sending: Sending, started: object, seconds: float, error: BaseException) -> RequestEnded:
    if not isinstance(error, Exception):
        return RequestEnded(sending, started, seconds, None, "cancelled", None, {}, error)
    timed_out = isinstance(error, httpx.TimeoutException)
    code = APITimeoutError.default_code if timed_out else APIConnectionError.default_code
    return RequestEnded(sending, started, seconds, None, "network", code, {}, error)


def _kind(status: int) -> Literal["auth", "rate_limit", "validation", "server"]:
    if status in (401, 403):
        return "auth"
    if status == 429:
        return "rate_limit"
    return "validation" if status < 500 else "server"


def _code(response: httpx.Response) -> str:
    """The server's own code, if it looks like one: in a label, anything else would be a way to fill memory."""
    code = read_error_body(response.read()).code or ""
    if code in OAUTH_CODES or (len(code) <= 40 and code.isascii() and code.isupper() and code.isidentifier()):
        return code
    return class_for(response.status_code).default_code
