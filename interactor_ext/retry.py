"""The retry policy, and `with_retry` for functions of the caller. Decides from plain values: no socket, clock or sleep.

`RetryPolicy.decide` is the one place that decides whether a request is sent again, and when.
"""

from __future__ import annotations

import functools
import inspect
import math
import random
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, ParamSpec, TypeVar, cast

from interactor_ext._errors import APIConnectionError, APIStatusError, CircuitOpenError, InteractorError
from interactor_ext._headers.http_date import parse_http_date
from interactor_ext._lazy import LazyModule
from interactor_ext.logs._logger import logger

if TYPE_CHECKING:
    import asyncio
else:
    asyncio = LazyModule("asyncio")

P = ParamSpec("P")
R = TypeVar("R")

# Apart from `random.random`: a program that seeds it would have all its processes retry at the same instants.
_random = random.SystemRandom()

# https://www.rfc-editor.org/rfc/rfc9110#section-9.2.2
IDEMPOTENT_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})
# A server that asks for more than a year has a wrong clock.
_MAX_RETRY_AFTER = 366 * 86400.0
_SECONDS = re.compile(r"[0-9]{1,20}(?:\.[0-9]{1,20})?")


def parse_retry_after(value: object, *, now: float) -> float | None:
    """The seconds that a `Retry-After` header asks for, or None where it says nothing usable.

    `value` is the header as text or bytes: seconds, or a date in any of the three forms of RFC 9110. `now` is Unix time
    in seconds; a date that has passed gives 0.0. What is malformed, negative, not finite or absurd (more than a year)
    counts as absent. Nothing raises.
    """
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    elif isinstance(value, int | float) and not isinstance(value, bool):
        return _valid_seconds(value)
    if not isinstance(value, str):
        return None
    text = value.strip(" \t")
    if _SECONDS.fullmatch(text):
        return _valid_seconds(float(text))
    date = parse_http_date(text, now=now)
    return _valid_seconds(max(0.0, date - now)) if date is not None else None


def _valid_seconds(seconds: float) -> float | None:
    return float(seconds) if 0 <= seconds <= _MAX_RETRY_AFTER else None


class Decision(NamedTuple):
    """Send again after `delay` seconds, or stop where it is None; `reason` says why, for a log line."""

    delay: float | None
    reason: str


# A dataclass, for attrs takes a fifth of the time that httpx takes to import.
@dataclass(frozen=True)
class RetryPolicy:
    """How often, how soon and after what a request is sent again.

    Waits are in seconds, drawn evenly from nothing up to `base_delay`, then twice that, four times, and so on up to
    `max_delay`. A server's `Retry-After` is a minimum. One that asks for more than `max_delay` is not waited for: the
    call ends with its error, whose `retry_after` says how long. `jitter` supplies the draws, from 0 to 1.

    A request that may have arrived is sent again only if that can do no harm: its method is idempotent, or it carries
    an Idempotency-Key. Negative or endless waits are a ValueError, and so is a number of retries that is not whole.
    """

    max_retries: int = 3
    base_delay: float = 1.0
    max_delay: float = 30.0
    statuses: frozenset[int] = frozenset({429, 502, 503, 504})
    jitter: Callable[[], float] = field(default=_random.random, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "statuses", frozenset(self.statuses))
        if isinstance(self.max_retries, bool) or not isinstance(self.max_retries, int) or self.max_retries < 0:
            raise ValueError(f"max_retries must be a whole number that is not negative, not {self.max_retries!r}")
        for name in ("base_delay", "max_delay"):
            seconds = getattr(self, name)
            if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds < math.inf:
                raise ValueError(f"{name} must be a finite number that is not negative, not {seconds!r}")

    def decide(
        self,
        *,
        method: str,
        attempt: int,
        status: int | None = None,
        sent: bool = True,
        has_key: bool = False,
        retry_after: float | None = None,
        time_left: float | None = None,
    ) -> Decision:
        """What to do after attempt number `attempt` (the first is 1) has failed.

        `status` is None where no response came: a connection error or a timeout, and then `sent` is False where no
        byte can have reached the server. `time_left` are the seconds until the deadline, None without one.
        """
        if status is not None and status not in self.statuses:
            return Decision(None, f"status {status} is final")
        # A 429 means that the request was not processed.
        harmless = status == 429 or (status is None and not sent)
        if not (harmless or has_key or method.upper() in IDEMPOTENT_METHODS):
            return Decision(None, f"the {method} may have arrived, and has no Idempotency-Key")
        if attempt > self.max_retries:
            return Decision(None, f"attempt {attempt} was the last")
        wait = self.backoff(attempt - 1)
        asked = _valid_seconds(retry_after) if retry_after is not None else None
        if asked is not None:
            if asked > self.max_delay:
                return Decision(None, f"the server asks for {asked:g} s, more than {self.max_delay:g} s")
            # Never sooner than asked, and with jitter, so that not all clients come back at the same instant.
            wait = min(self.max_delay, asked + wait)
        if time_left is not None and not wait < time_left:
            return Decision(None, f"the deadline comes before the next attempt (in {wait:.3g} s)")
        return Decision(wait, f"status {status}" if status is not None else "no response")

    def backoff(self, failures: int) -> float:
        """Seconds to wait after `failures` earlier failures in a row, drawn anew at each call."""
        # 2**64 is beyond any cap; a larger exponent would overflow.
        return self.draw() * min(self.max_delay, self.base_delay * 2.0 ** min(max(failures, 0), 64))

    def draw(self) -> float:
        """A number from 0 to 1, whatever `jitter` gives."""
        number = self.jitter()
        return min(1.0, max(0.0, number)) if not math.isnan(number) else 1.0


_DEFAULT = RetryPolicy()


def with_retry(fn: Callable[P, R], policy: RetryPolicy = _DEFAULT) -> Callable[P, R]:
    """`fn` with retries: a function of the same signature, sync or async as `fn` is.

    It is called again, as a whole, when it raises an APIConnectionError, an APIStatusError with one of the policy's
    statuses, or a CircuitOpenError (not before the circuit lets a call through); the last error is raised unchanged. So
    give it what may happen twice: where it creates something, choose the idempotency key outside of it. Calls of the
    client retry by themselves already; this is for what spans several.
    """
    call: Callable[..., Any] = fn
    if inspect.iscoroutinefunction(fn):

        @functools.wraps(fn)
        async def again_async(*args: P.args, **kwargs: P.kwargs) -> Any:
            return await _retry_async(call(*args, **kwargs), functools.partial(call, *args, **kwargs), policy)

        return cast("Callable[P, R]", again_async)

    @functools.wraps(fn)
    def again(*args: P.args, **kwargs: P.kwargs) -> Any:
        attempt = 1
        while True:
            try:
                result = call(*args, **kwargs)
                break
            except InteractorError as error:
                delay = _delay_or_raise(error, attempt, policy)
            time.sleep(delay)
            attempt += 1
        if inspect.isawaitable(result):  # a lambda around a coroutine function
            return _retry_async(result, functools.partial(call, *args, **kwargs), policy)
        return result

    return cast("Callable[P, R]", again)


async def _retry_async(first: Awaitable[Any], fn: Callable[[], Awaitable[Any]], policy: RetryPolicy) -> Any:
    attempt, awaitable = 1, first
    while True:
        try:
            return await awaitable
        except InteractorError as error:
            delay = _delay_or_raise(error, attempt, policy)
        await asyncio.sleep(delay)
        attempt += 1
        awaitable = fn()


def _delay_or_raise(error: InteractorError, attempt: int, policy: RetryPolicy) -> float:
    """The seconds until the next attempt. Raises the error if there is none."""
    if isinstance(error, APIStatusError):
        decision = policy.decide(method="GET", attempt=attempt, status=error.status, retry_after=error.retry_after)
    elif isinstance(error, APIConnectionError):
        decision = policy.decide(method="GET", attempt=attempt)
    elif isinstance(error, CircuitOpenError):
        decision = policy.decide(method="GET", attempt=attempt, sent=False, retry_after=error.retry_after)
    else:
        raise error
    if decision.delay is None:
        raise error
    logger.info("trying again in %.3g s, after attempt %d: %s", decision.delay, attempt, decision.reason)
    return decision.delay
