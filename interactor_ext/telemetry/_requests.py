"""Measures requests, and reports each to the telemetry."""

from __future__ import annotations

import time

import httpx

from interactor_ext._errors import APIConnectionError, APITimeoutError
from interactor_ext._responses._error_body import OAUTH_CODES, read_error_body
from interactor_ext._responses._status_error import class_for
from interactor_ext.telemetry._events import Reporter, RequestEnded, RequestError, Sending


class Measured(RequestEnded):
    """A request that is being sent, and the event that is reported when it is answered or fails."""

    __slots__ = ("_began", "_reporter")

    def __init__(self, reporter: Reporter, request: httpx.Request, resends: int) -> None:
        self._reporter = reporter
        self.request = Sending(request, resends)
        self.started = reporter.sending(self.request)
        self._began = time.perf_counter()

    def answered(self, response: httpx.Response) -> None:
        self.seconds = time.perf_counter() - self._began
        self.status = status = response.status_code
        self.error = self.code = self.exception = None
        self.headers = response.headers
        if not 200 <= status < 300:
            self.error, self.code = _kind(status), _code(response)
        self._reporter.record(self)

    def failed(self, exception: BaseException, *, is_cancelled: bool) -> None:
        self.seconds = time.perf_counter() - self._began
        self.status, self.headers, self.exception = None, {}, exception
        if is_cancelled:
            self.error, self.code = "cancelled", None
        else:
            timed_out = isinstance(exception, httpx.TimeoutException)
            self.error = "network"
            self.code = APITimeoutError.default_code if timed_out else APIConnectionError.default_code
        self._reporter.record(self)


def _kind(status: int) -> RequestError:
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
