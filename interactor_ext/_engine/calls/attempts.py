"""The attempts of one call: timeouts, retries, circuit breaker and telemetry, for sync and async calls.

Nothing here waits or sends.
"""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple, Protocol

import httpx

from interactor_ext._engine.call import Call, describe_request
from interactor_ext._engine.call_log import log_attempt, log_retry
from interactor_ext._engine.calls.circuit_breaker import CircuitBreaker, Permit
from interactor_ext._engine.errors import APITimeoutError, CircuitOpenError, InteractorError
from interactor_ext._engine.logs import logger
from interactor_ext._engine.network import routes
from interactor_ext._engine.responses import status_error
from interactor_ext._engine.responses.connection_error import (
    connection_error,
    interrupt_behind,
    may_have_been_sent,
    rejected_certificate,
)
from interactor_ext._engine.retry_policy import RetryPolicy, retry_after_of

if TYPE_CHECKING:
    from interactor_ext._engine.limits.buckets import Key
    from interactor_ext._engine.limits.limiter import RateLimiter
    from interactor_ext._engine.waiting import Closing

DEFAULT_TIMEOUT = 30.0
DEFAULT_MAX_RESPONSE_SIZE = 64 * 1024 * 1024
DEFAULT_CONNECT_TIMEOUT = 5.0
_TIMER_SLACK = 0.01
# After these, the request may have been processed: a gateway sends them for the server behind it.
_OUTCOME_UNKNOWN = frozenset({500, 502, 503, 504})
_BODY_HEADERS = (b"content-", b"transfer-encoding")
# Another attempt would fail in the same way.
_NEVER_RETRIED = (httpx.UnsupportedProtocol, httpx.LocalProtocolError)


class Measurement(Protocol):
    """Measures one attempt for telemetry."""

    def answered(self, response: httpx.Response) -> None: ...

    def failed(self, exception: BaseException, *, is_cancelled: bool) -> None: ...


class Rules(NamedTuple):
    """How a client sends its calls."""

    policy: RetryPolicy
    breaker: CircuitBreaker | None = None
    limiter: RateLimiter | None = None
    client: str = ""
    """The OAuth client whose limits are counted: several may share one limiter."""
    max_response_size: int = DEFAULT_MAX_RESPONSE_SIZE
    measure: Callable[[httpx.Request, int], Measurement] | None = None
    """Starts measuring an attempt, if telemetry is on. Its second argument is the number of earlier attempts."""


class _UnshownRequest(httpx.Request):
    """Its repr leaves out the query, which contains a token: tracebacks may show local variables."""

    def __repr__(self) -> str:
        return f"<Request({self.method!r}, {self.url.path!r})>"


class Attempts:
    """The attempts of one call. Each leads to a pause or to the outcome: a response, or an error."""

    def __init__(self, request: httpx.Request, rules: Rules, closing: Closing) -> None:
        self.request = request
        self.call = call = Call.of(request)
        self.closing = closing
        self.limiter = rules.limiter
        self.ends_at = 0.0
        """When the current attempt times out."""
        self._rules = rules
        self._policy = rules.policy
        if call.max_retries is not None and call.max_retries != rules.policy.max_retries:
            self._policy = dataclasses.replace(rules.policy, max_retries=call.max_retries)
        self.is_stream = call.is_stream
        self.own_timeouts: Mapping[str, float | None] = request.extensions.get("timeout") or {}
        """The timeouts that httpx set. They are restored for a stream's reader and for a repeat with another token."""
        connect = self.own_timeouts.get("connect")
        self._connect_timeout = DEFAULT_CONNECT_TIMEOUT if connect is None else connect
        self._made = 0
        self._began = 0.0
        self._permit: Permit | None = None
        self._measured: Measurement | None = None
        self._last: httpx.Response | Exception | None = None
        if self.limiter is not None:
            self.keys: tuple[Key, ...] = self.limiter.keys_of(
                rules.client, call.namespace or "", account=call.is_for_account_server, stream=self.is_stream
            )

    def time_left(self) -> float | None:
        """Seconds until the call's deadline, or None without one."""
        return None if self.call.ends_at is None else self.call.ends_at - time.monotonic()

    def begin(self) -> InteractorError | None:
        """Start the next attempt. Returns an error if it must not be sent."""
        if self.closing.is_set:
            self.closing.check()
        now = time.monotonic()
        # The `read` timeout of a stream limits its silences; the others limit how long it may take to begin.
        timeout = self.own_timeouts.get("pool" if self.is_stream else "read")
        self.ends_at = now + (DEFAULT_TIMEOUT if timeout is None else timeout)
        if self.call.ends_at is not None:
            self.ends_at = min(self.ends_at, self.call.ends_at)
            if now >= self.ends_at:
                why = f"{self._name()} was not sent: the deadline came before its turn."
                return APITimeoutError(why, sent=False)
        if self._rules.breaker is not None:
            url = self.request.url
            host = url.host if url.port is None else f"{url.host}:{url.port}"
            permit = self._rules.breaker.enter(host, self.call.namespace)
            if not isinstance(permit, Permit):
                whose = "" if permit.namespace is None else f" in the namespace {permit.namespace!r}"
                why = f"{host} has failed too often in a row{whose}. Try again in {permit.seconds:.1f} s."
                return CircuitOpenError(f"{self._name()} was not sent: {why}", retry_after=permit.seconds)
            self._permit = permit
        if self._rules.measure is not None:
            self._measured = self._rules.measure(self.request, self._made)
        self._made += 1
        self._began = now
        return None

    def as_sent(self, transport: object) -> httpx.Request:
        """The request with its complete URL."""
        request, hidden = self.request, self.call.hidden_query
        if routes.guard is not None:
            routes.guarded_origin(request.url, transport)
        if hidden is None:
            return request
        url = request.url.copy_merge_params(hidden)
        sent = _UnshownRequest(request.method, url, headers=request.headers, stream=request.stream)
        sent.extensions = request.extensions  # not a copy: a stream's reader changes the timeouts
        return sent

    def answered(self, response: httpx.Response) -> None:
        """Record the response to the current attempt."""
        if self._permit is not None:
            # A status above 599 has no meaning, but shows that the host works.
            self._permit.end(failed=500 <= response.status_code <= 599)
        if self._measured is not None:
            self._measured.answered(response)
        if logger.isEnabledFor(logging.DEBUG):
            log_attempt(self.request, response, self._made, time.monotonic() - self._began)

    def failed(self, error: BaseException) -> None:
        """Record that the current attempt failed without a response."""
        is_cancelled = not isinstance(error, Exception) or interrupt_behind(error) is not None
        if self._permit is not None:
            is_of_network = isinstance(error, httpx.TransportError) and not is_cancelled and not self.closing.is_set
            self._permit.end(failed=self._blames_host(error) if is_of_network else None)
        if self._measured is not None:
            self._measured.failed(error, is_cancelled=is_cancelled)
        if logger.isEnabledFor(logging.DEBUG):
            log_attempt(self.request, error, self._made, time.monotonic() - self._began)

    def timeouts(self) -> dict[str, float | None]:
        """httpx's timeouts for a sync attempt: no wait may be longer than the attempt."""
        left = self.ends_at - time.monotonic()
        return {"connect": min(left, self._connect_timeout), "read": left, "write": left, "pool": left}

    def timeouts_async(self) -> dict[str, float | None]:
        """httpx's timeouts for an async attempt. It is cancelled as a whole, so it needs no timer for each read."""
        left = self.ends_at - time.monotonic()
        read = self.own_timeouts.get("read") if self.is_stream else None
        return {"connect": min(left, self._connect_timeout), "read": read, "write": None, "pool": left}

    def would_wait(self, seconds: float) -> InteractorError:
        """The error of a call whose deadline comes before the rate limits allow an attempt."""
        return APITimeoutError(
            f"{self._name()} was not sent: it would have to wait {seconds:.1f} s for the rate limits, "
            "longer than its deadline allows.",
            retry_after=seconds,
            sent=False,
        )

    def refused(self, error: InteractorError) -> httpx.Response:
        """The outcome if no further attempt may be sent: the last attempt's, or `error` if there was none."""
        if isinstance(self._last, httpx.Response):
            return self._last
        raise self._last or error

    def after_response(self, response: httpx.Response) -> httpx.Response | float:
        """Returns the outcome of the call, or the seconds until the next attempt."""
        status = response.status_code
        may_be_repeated = status in self._policy.statuses or (status == 409 and self.call.may_be_running)
        if may_be_repeated or self.limiter is not None or self._policy.retry_on is not None:
            retry_after = retry_after_of(response.headers)
            if self.limiter is not None:
                self.limiter.observe(self.keys, status, response.headers, retry_after)
            if not self.is_stream:  # a stream reconnects by itself
                self._last = response
                if status in _OUTCOME_UNKNOWN:
                    self.call.may_be_done = True
                if (delay := self._decide(status=status, retry_after=retry_after)) is not None:
                    return delay
        if status == 404 and self.request.method == "DELETE" and self.call.may_be_done:
            logger.info("%s: the retry got 404, so an earlier attempt has deleted it", self._name())
            return without_body(response, 204)
        return response

    def after_error(self, error: httpx.TransportError) -> float:
        """Returns the seconds until the next attempt, or raises the error that is the outcome."""
        if interrupt_behind(error) is not None:
            raise error
        self.closing.check()
        self._last = error
        sent = may_have_been_sent(error)
        if self._is_out_of_time(error):
            what = "It may have arrived." if sent else "Nothing was sent."
            raise APITimeoutError(
                f"{self._name()} had no response when its deadline came. {what}", sent=sent
            ) from error
        if sent:
            self.call.may_be_done = True
        if not (self.is_stream or isinstance(error, _NEVER_RETRIED) or rejected_certificate(error) is not None):
            delay = self._decide(sent=sent)
            if delay is not None:
                return delay
        raise error

    def _blames_host(self, error: BaseException) -> bool | None:
        """Whether the circuit breaker counts an error as a failure of the host; None if the cause is on this side."""
        if isinstance(error, (*_NEVER_RETRIED, httpx.PoolTimeout)) or self._is_out_of_time(error):
            return None
        return True

    def _is_out_of_time(self, error: BaseException) -> bool:
        left = self.time_left()
        # Timers sometimes fire a little early.
        return isinstance(error, httpx.TimeoutException) and left is not None and left < _TIMER_SLACK

    def _is_repeatable(self) -> bool:
        # An additional token is harmless, and without one no other call gets through.
        return self.call.api.is_token_request(self.call) or "idempotency-key" in self.request.headers

    def _decide(
        self, *, status: int | None = None, sent: bool = True, retry_after: float | None = None
    ) -> float | None:
        if not isinstance(self.request.stream, httpx.ByteStream):
            return None  # the body came from a generator and is used up
        wanted = None
        if self._policy.retry_on is not None and (status is None or not (200 <= status < 300 or status == 401)):
            wanted = self._policy.asked_about(self._last_error())
        is_in_progress = wanted is None and status == 409 and self.call.may_be_running
        decision = self._policy.decide(
            method=self.request.method,
            attempt=self._made,
            status=status,
            sent=sent,
            has_key=self._is_repeatable(),
            retry_after=retry_after,
            time_left=self.time_left(),
            wanted=is_in_progress or wanted,
        )
        if decision.delay is not None:
            response = self._last if isinstance(self._last, httpx.Response) else None
            self.call.retries += 1
            reason = "an earlier attempt may still be running" if is_in_progress else decision.reason
            log_retry(self.request, response, delay=decision.delay, attempt=self._made, reason=reason)
        elif status is None or status in self._policy.statuses:
            logger.debug("%s isn't retried: %s", self._name(), decision.reason)
        return decision.delay

    def _last_error(self) -> InteractorError:
        """The error that the caller would get if there were no further attempt."""
        if isinstance(self._last, httpx.Response):
            self._last.request = self.request
            self._last.read()  # if the body was given up, it's empty by now
            return status_error.status_error(self._last)
        assert self._last is not None
        return connection_error(self._last, self.request)

    def _name(self) -> str:
        return describe_request(self.request)


def without_body(response: httpx.Response, status: int) -> httpx.Response:
    headers = [(name, value) for name, value in response.headers.raw if not name.lower().startswith(_BODY_HEADERS)]
    return httpx.Response(status, headers=headers, stream=httpx.ByteStream(b""), extensions=response.extensions)
