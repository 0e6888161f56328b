"""Measures requests and reports each to the telemetry."""

from __future__ import annotations

import time

import httpx

from interactor_ext._engine.errors import APIConnectionError, APITimeoutError
from interactor_ext._engine.responses.status_error import class_for, read_error_body
from interactor_ext._engine.telemetry_events import Reporter, RequestEnded, RequestError, Sending


class Measured:
    """A request that is being sent, until it gets a response or fails."""

    __slots__ = ("_began", "_reporter", "_request", "_started")

    def __init__(self, reporter: Reporter, request: httpx.Request, resends: int) -> None:
        self._reporter = reporter
        self._request = Sending(request, resends)
        self._started = reporter.sending(self._request)
        self._began = time.perf_counter()

    def answered(self, response: httpx.Response) -> None:
        seconds = time.perf_counter() - self._began
        status = response.status_code
        error, code = (None, None) if 200 <= status < 300 else (_kind(status), _code(response))
        headers = response.headers
        self._reporter.record(RequestEnded(self._request, self._started, seconds, status, error, code, headers, None))

    def failed(self, exception: BaseException, *, is_cancelled: bool) -> None:
        seconds = time.perf_counter() - self._began
        error: RequestError = "cancelled" if is_cancelled else "network"
        code = None
        if not is_cancelled:
            timed_out = isinstance(exception, httpx.TimeoutException)
            code = (APITimeoutError if timed_out else APIConnectionError).default_code
        self._reporter.record(RequestEnded(self._request, self._started, seconds, None, error, code, {}, exception))


def _kind(status: int) -> RequestError:
    if status in (401, 403):
        return "auth"
    if status == 429:
        return "rate_limit"
    return "validation" if status < 500 else "server"


def _code(response: httpx.Response) -> str:
    """Return the server's own code if it looks like one; anything else in a label would be a way to fill memory."""
    code = read_error_body(response.read()).code or ""
    if len(code) <= 40 and code.isascii() and code.isidentifier() and (code.isupper() or code.islower()):
        return code
    return class_for(response.status_code).default_code
