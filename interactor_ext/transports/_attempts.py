"""The attempts of one call: timeouts, retries, circuit breaker and telemetry, decided alike for sync and async.

Nothing here waits or sends.
"""

from __future__ import annotations

import dataclasses
import logging
import ssl
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple, NoReturn

import httpx

from interactor_ext._errors import APITimeoutError, CircuitOpenError, InteractorError
from interactor_ext._responses._connection_error import connection_error, may_have_been_sent
from interactor_ext._responses._read import status_error
from interactor_ext._responses._request_info import describe_request
from interactor_ext.limits._buckets import Key, WouldWait, call_keys
from interactor_ext.logs import logger
from interactor_ext.logs._calls import log_attempt, log_retry
from interactor_ext.retry import RetryPolicy, parse_retry_after
from interactor_ext.transports._circuit_breaker import CircuitBreaker, Permit, is_failure
from interactor_ext.transports._deadline import TimeLeft
from interactor_ext.transports._interrupts import interrupt_behind

if TYPE_CHECKING:
    from interactor_ext._waiting import Closing
    from interactor_ext.limits._limiter import RateLimiter
    from interactor_ext.telemetry._requests import Measured
    from interactor_ext.transports._cancellation import Cancellation

DEFAULT_TIMEOUT = 30.0
DEFAULT_MAX_RESPONSE_SIZE = 64 * 1024 * 1024
DEFAULT_CONNECT_TIMEOUT = 5.0
_TIMER_SLACK = 0.01
# What a gateway answers may be about a request that has reached the server behind it.
_OUTCOME_UNKNOWN = frozenset({500, 502, 503, 504})
_BODY_HEADERS = (b"content-", b"transfer-encoding")
# The next attempt would be the same request again.
_NEVER_RETRIED = (httpx.UnsupportedProtocol, httpx.LocalProtocolError)


class Rules(NamedTuple):
    """How the calls of one client are sent."""

    policy: RetryPolicy
    breaker: CircuitBreaker | None = None
    limiter: RateLimiter | None = None
    client: str = ""
    """Identifies the OAuth client whose limits are counted: one limiter may serve several."""
    max_response_size: int = DEFAULT_MAX_RESPONSE_SIZE
    measure: Callable[[httpx.Request, int], Measured] | None = None
    """Starts the measurement of an attempt, where there is telemetry. The number counts the attempts before it."""


class Attempts:
    """The attempts of one call."""

    def __init__(self, request: httpx.Request, rules: Rules, closing: Closing) -> None:
        extensions = request.extensions
        self._cancellation: Cancellation | None = extensions.get("cancellation")
        self.closing = closing if self._cancellation is None else self._cancellation.within(closing)
        about = extensions.get("interactor")
        operation = extensions.get("operation")
        self.request = request
        self.is_stream: bool = operation is not None and operation.stream
        self.limiter = rules.limiter
        self._rules = rules
        self._policy = rules.policy
        self._ends_at: float | None = None
        if about is not None:
            self._ends_at = about.ends_at
            if about.max_retries != rules.policy.max_retries:
                self._policy = dataclasses.replace(rules.policy, max_retries=about.max_retries)
        self._timeouts: Mapping[str, float | None] = extensions.get("timeout") or {}
        connect = self._timeouts.get("connect")
        self._connect_timeout = DEFAULT_CONNECT_TIMEOUT if connect is None else connect
        self._made = 0
        self._began = 0.0
        self._permit: Permit | None = None
        self._measured: Measured | None = None
        self._last: httpx.Response | Exception | None = None
        # In the request, because a call whose token is refused is sent through the transport twice.
        self._may_be_deleted: bool = extensions.get("may_be_deleted", False)
        # Another token does no harm, and without one nothing else gets through.
        self._is_repeatable = (
            operation is not None and operation.id == "create_token"
        ) or "idempotency-key" in request.headers
        if self.limiter is not None:
            namespace = (about.namespace if about is not None else None) or ""
            is_account = operation is not None and operation.server == "account"
            self.keys: tuple[Key, ...] = call_keys(rules.client, namespace, account=is_account, stream=self.is_stream)

    def time_left(self) -> float | None:
        """Seconds until the deadline of the call; None where it has none."""
        return None if self._ends_at is None else self._ends_at - time.monotonic()

    def begin(self) -> float:
        """Start the next attempt. Returns the instant at which it times out."""
        if self.closing.is_set:
            self.closing.check()
        now = time.monotonic()
        # The `read` timeout of a stream is how long it may be silent; the others say how long it may take to begin.
        timeout = self._timeouts.get("pool" if self.is_stream else "read")
        ends_at = now + (DEFAULT_TIMEOUT if timeout is None else timeout)
        if self._ends_at is not None:
            ends_at = min(ends_at, self._ends_at)
            if now >= ends_at:
                why = f"{self._name()} was not sent: its deadline came before its turn."
                self.refuse(APITimeoutError(why, sent=False))
        self._permit = self._enter_circuit()
        if self._rules.measure is not None:
            self._measured = self._rules.measure(self.request, self._made)
        self._made += 1
        self._began = now
        return ends_at

    def answered(self, response: httpx.Response) -> None:
        """Record the response to the attempt that began last."""
        if self._permit is not None:
            self._permit.end(failed=is_failure(response.status_code))
        if self._measured is not None:
            self._measured.answered(response)
        if logger.isEnabledFor(logging.DEBUG):
            log_attempt(self.request, response, self._made, time.monotonic() - self._began)

    def failed(self, error: BaseException) -> None:
        """Record that the attempt that began last has no response."""
        is_cancelled = not isinstance(error, Exception) or interrupt_behind(error) is not None
        if self._permit is not None:
            is_of_network = isinstance(error, httpx.TransportError) and not is_cancelled and not self.closing.is_set
            self._permit.end(failed=self._blames_host(error) if is_of_network else None)
        if self._measured is not None:
            self._measured.failed(error, is_cancelled=is_cancelled)
        if logger.isEnabledFor(logging.DEBUG):
            log_attempt(self.request, error, self._made, time.monotonic() - self._began)

    def timeouts(self, ends_at: float) -> dict[str, float | None]:
        """httpx's timeouts of a sync attempt: each wait for the network ends with the attempt."""
        left = TimeLeft.until(ends_at, cancellation=self._cancellation)
        return {"connect": TimeLeft.until(ends_at, self._connect_timeout), "read": left, "write": left, "pool": left}

    def timeouts_async(self, ends_at: float) -> dict[str, float | None]:
        """httpx's timeouts of an async attempt, which is cancelled as a whole: no timer for each read."""
        left = ends_at - time.monotonic()
        return {
            "connect": min(left, self._connect_timeout),
            "read": self._timeouts.get("read") if self.is_stream else None,
            "write": None,
            "pool": left,
        }

    def restore_timeouts(self) -> None:
        """Undo `timeouts`: the reader of a stream, and a repeat with another token, need the original ones."""
        self.request.extensions["timeout"] = self._timeouts

    def _enter_circuit(self) -> Permit | None:
        breaker = self._rules.breaker
        if breaker is None:
            return None
        url = self.request.url
        host = url.host if url.port is None else f"{url.host}:{url.port}"
        permit = breaker.enter(host)
        if not isinstance(permit, Permit):
            why = f"{host} has failed too often in a row. Try again in {permit:.1f} s."
            self.refuse(CircuitOpenError(f"{self._name()} was not sent: {why}", retry_after=permit))
        return permit

    def would_wait(self, refusal: WouldWait) -> NoReturn:
        self.refuse(
            APITimeoutError(
                f"{self._name()} was not sent: the rate limits would have it wait for {refusal.seconds:.1f} s, "
                "longer than its deadline allows.",
                retry_after=refusal.seconds,
                sent=False,
            )
        )

    def refuse(self, error: Exception) -> NoReturn:
        """Raise `error`; after an attempt end the call with the outcome of that, which says more."""
        if self._last is not None:
            raise EndedWith(self._last)
        raise error

    def after_response(self, response: httpx.Response) -> float | None:
        """Seconds until the next attempt, or None: this response is the outcome."""
        status = response.status_code
        if self.limiter is None and status not in self._policy.statuses and self._policy.retry_on is None:
            return None
        value = response.headers.get("retry-after")
        retry_after = None if value is None else parse_retry_after(value, now=time.time())
        if self.limiter is not None:
            self.limiter.observe(self.keys, status, response.headers, retry_after)
        if self.is_stream:
            return None  # the reader of the stream reconnects
        self._last = response
        if status in _OUTCOME_UNKNOWN:
            self._note_deletion()
        return self._decide(status=status, retry_after=retry_after)

    def outcome(self, response: httpx.Response) -> httpx.Response:
        """The response that the caller gets: a 204 in place of a 404 to a repeated DELETE, which an earlier attempt may
        have carried out.
        """
        if response.status_code != 404 or not self._may_be_deleted:
            return response
        logger.info("%s: the repeat answers 404, so an earlier attempt has deleted it", self._name())
        return without_body(response, 204)

    def _note_deletion(self) -> None:
        if self.request.method == "DELETE":
            self._may_be_deleted = self.request.extensions["may_be_deleted"] = True

    def after_error(self, error: httpx.TransportError) -> float | None:
        """Seconds until the next attempt, or None: this error is the outcome."""
        if interrupt_behind(error) is not None:
            return None
        self.closing.check()
        self._last = error
        if self._is_out_of_time(error):
            sent = may_have_been_sent(error)
            what = "It may have arrived." if sent else "Nothing was sent."
            raise APITimeoutError(f"{self._name()} had no answer when its deadline came. {what}", sent=sent) from error
        if may_have_been_sent(error):
            self._note_deletion()
        if self.is_stream or isinstance(error, _NEVER_RETRIED) or _is_about_certificates(error):
            return None
        return self._decide(sent=may_have_been_sent(error))

    def _blames_host(self, error: BaseException) -> bool | None:
        """Whether the circuit breaker counts an error as a failure of the host; None where the cause is on our side."""
        if isinstance(error, (*_NEVER_RETRIED, httpx.PoolTimeout)) or self._is_out_of_time(error):
            return None
        return True

    def _is_out_of_time(self, error: BaseException) -> bool:
        left = self.time_left()
        # Timers are a little early now and then.
        return isinstance(error, httpx.TimeoutException) and left is not None and left < _TIMER_SLACK

    def _decide(
        self, *, status: int | None = None, sent: bool = True, retry_after: float | None = None
    ) -> float | None:
        if not isinstance(self.request.stream, httpx.ByteStream):
            return None  # the body came from a generator, and is gone
        wanted = None
        if self._policy.retry_on is not None and (status is None or not (200 <= status < 300 or status == 401)):
            wanted = self._policy.asked_about(self._last_error())
        decision = self._policy.decide(
            method=self.request.method,
            attempt=self._made,
            status=status,
            sent=sent,
            has_key=self._is_repeatable,
            retry_after=retry_after,
            time_left=self.time_left(),
            wanted=wanted,
        )
        if decision.delay is not None:
            response = self._last if isinstance(self._last, httpx.Response) else None
            log_retry(self.request, response, delay=decision.delay, attempt=self._made, reason=decision.reason)
        elif status is None or status in self._policy.statuses:
            logger.debug("%s is not sent again: %s", self._name(), decision.reason)
        return decision.delay

    def _last_error(self) -> InteractorError:
        """What the caller would get if the last attempt were the outcome."""
        if isinstance(self._last, httpx.Response):
            self._last.request = self.request
            self._last.read()  # one whose body was given up has an empty one
            return status_error(self._last)
        assert self._last is not None
        return connection_error(self._last, self.request)

    def _name(self) -> str:
        return describe_request(self.request)


class EndedWith(Exception):
    """Ends a call with the outcome of its last attempt. Not an httpx.TransportError, which would be retried."""

    def __init__(self, outcome: httpx.Response | Exception) -> None:
        super().__init__(outcome)
        self._outcome = outcome

    def response(self) -> httpx.Response:
        if isinstance(self._outcome, httpx.Response):
            return self._outcome
        raise self._outcome from self._outcome.__cause__


def without_body(response: httpx.Response, status: int) -> httpx.Response:
    headers = [(name, value) for name, value in response.headers.raw if not name.lower().startswith(_BODY_HEADERS)]
    return httpx.Response(status, headers=headers, stream=httpx.ByteStream(b""), extensions=response.extensions)


def _is_about_certificates(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False
