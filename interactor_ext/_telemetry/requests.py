"""Tells a telemetry of each request."""

from __future__ import annotations

import time
from collections.abc import Mapping

import httpx

from interactor_ext._error_body import OAUTH_CODES, read_error_body
from interactor_ext._errors import APIConnectionError, APITimeoutError
from interactor_ext._response_errors import class_for
from interactor_ext._telemetry.events import Reporter, RequestEnded, RequestError, Sending


class Measured:
    """A request that is sent now. It is answered, or it fails."""

    __slots__ = ("_began", "_reporter", "_sending", "_started")

    def __init__(self, reporter: Reporter, request: httpx.Request, resends: int) -> None:
        self._reporter = reporter
        self._sending = Sending(request, resends)
        self._started = reporter.sending(self._sending)
        self._began = time.perf_counter()

    def answered(self, response: httpx.Response) -> None:
        status = response.status_code
        error, code = (None, None) if 200 <= status < 300 else (_kind(status), _code(response))
        self._end(status, error, code, response.headers, None)

    def failed(self, exception: BaseException) -> None:
        if not isinstance(exception, Exception):
            self._end(None, "cancelled", None, {}, exception)
            return
        timed_out = isinstance(exception, httpx.TimeoutException)
        code = APITimeoutError.default_code if timed_out else APIConnectionError.default_code
        self._end(None, "network", code, {}, exception)

    def _end(
        self,
        status: int | None,
        error: RequestError | None,
        code: str | None,
        headers: Mapping[str, str],
        exception: BaseException | None,
    ) -> None:
        seconds = time.perf_counter() - self._began
        self._reporter.record(
            RequestEnded(self._sending, self._started, seconds, status, error, code, headers, exception)
        )


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
