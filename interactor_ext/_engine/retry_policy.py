"""The retry policy, and the meaning of a `Retry-After` header.

`RetryPolicy.decide` decides from plain values, without a socket, clock or sleep, whether and when to retry a request
that can be sent again. `network/attempts.py` decides which can't.
"""

from __future__ import annotations

import math
import random
import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

from interactor_client.advised import Advised, advise_calls
from interactor_ext._engine.arguments import is_regular
from interactor_ext._engine.errors import InteractorError
from interactor_ext._engine.logs import logger

# Separate from `random.random`: a program that seeds it would have all its processes retry at the same instants.
_random = random.SystemRandom()


def _jitter() -> float:
    """Return a random number from 0 to 1."""
    # A function, because a policy with the bound method could be neither copied nor pickled.
    return _random.random()


# https://www.rfc-editor.org/rfc/rfc9110#section-9.2.2
IDEMPOTENT_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})
# A server that requests a wait of more than a year has a wrong clock.
_MAX_RETRY_AFTER = 366 * 86400.0
_SECONDS = re.compile(r"[0-9]{1,20}(?:\.[0-9]{1,20})?")
# The three forms that a recipient must accept: https://www.rfc-editor.org/rfc/rfc9110#section-5.6.7
_TIME = "[0-9]{2}:[0-9]{2}:[0-9]{2}"
_HTTP_DATE = re.compile(
    rf"[a-z]+(?:, [0-9]{{2}}[ -][a-z]{{3}}[ -](?:[1-9][0-9])?[0-9]{{2}} {_TIME} GMT"
    rf"| [a-z]{{3}} [0-9 ][0-9] {_TIME} [1-9][0-9]{{3}})",
    re.ASCII | re.IGNORECASE,
)


def parse_retry_after(value: object, *, now: float) -> float | None:
    """Return the seconds to wait according to a `Retry-After` header, or None if it isn't usable.

    `value` is the header as text or bytes: seconds, or a date in any of the three forms of RFC 9110. `now` is Unix time
    in seconds; a past date returns 0.0. A value that is malformed, negative, not finite or absurd (more than a year)
    counts as absent. Never raises.
    """
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    if not isinstance(value, str):
        return None
    text = value.strip(" \t")
    if _SECONDS.fullmatch(text):
        return _valid_seconds(float(text))
    date = parse_http_date(text)
    return _valid_seconds(max(0.0, date - now)) if date is not None else None


def retry_after_of(headers: Mapping[str, str]) -> float | None:
    """Return how many seconds a response says to wait. Dates are relative to its `Date`, as the local clock may be
    wrong."""
    if (value := headers.get("retry-after")) is None:
        return None
    date = parse_http_date(headers.get("date", ""))
    return parse_retry_after(value, now=time.time() if date is None else date)


def parse_http_date(text: str) -> float | None:
    """The Unix time, or None if `value` isn't an HTTP date. Without the pattern, `email` would accept far more."""
    try:
        return parsedate_to_datetime(text).replace(tzinfo=UTC).timestamp() if _HTTP_DATE.fullmatch(text) else None
    except ValueError:  # such as February 30
        return None


def _valid_seconds(seconds: float) -> float | None:
    return float(seconds) if 0 <= seconds <= _MAX_RETRY_AFTER else None


class Decision(NamedTuple):
    """Retry after `delay` seconds, or stop if it is None. `reason` is text for a log line."""

    delay: float | None
    reason: str


# A dataclass, because importing attrs takes a fifth as long as importing httpx.
@dataclass(frozen=True)
class RetryPolicy(Advised):
    """How often, when and after which errors a call is retried.

    Waits are random, in seconds: between 0 and `base_delay`, then twice that, four times, and so on up to `max_delay`.
    A server's `Retry-After` is a minimum. If it exceeds `max_delay`, the call raises its error at once, and
    `retry_after` of the error says how long. `jitter` supplies the random numbers, from 0 to 1.

    A request that may have arrived is only retried if that does no harm: its method is idempotent, or it carries an
    Idempotency-Key. A negative or infinite wait is a ValueError, and so is a number of retries that isn't whole.

    `retry_on` is called with each APIStatusError and APIConnectionError that could end a call: True retries although
    `statuses` wouldn't, False doesn't retry, None leaves it to the policy. It must not block: the async client calls it
    in the event loop. It can't override the other rules: requests that may have arrived without a key, the number of
    retries, the deadline, `Retry-After`. It isn't called for a 401 that leads to a new token, for certificate errors,
    or for streams, which have their own rules for reconnecting. Its exceptions are logged and count as None.
    """

    max_retries: int = 3
    base_delay: float = 1.0
    max_delay: float = 30.0
    statuses: frozenset[int] = frozenset({429, 502, 503, 504})
    jitter: Callable[[], float] = field(default=_jitter, compare=False, repr=False)
    retry_on: Callable[[InteractorError], bool | None] | None = None

    def __post_init__(self) -> None:
        given: Any = self.statuses
        statuses = frozenset(given) if isinstance(given, Iterable) and not isinstance(given, str) else {None}
        if not all(each in range(100, 1000) for each in statuses):
            raise ValueError(f"statuses must be a set of HTTP statuses, such as {{429, 503}}, not {given!r}")
        object.__setattr__(self, "statuses", statuses)
        if isinstance(self.max_retries, bool) or not isinstance(self.max_retries, int) or self.max_retries < 0:
            raise ValueError(f"max_retries must be a whole number that isn't negative, not {self.max_retries!r}")
        for name in ("base_delay", "max_delay"):
            seconds = getattr(self, name)
            if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds < math.inf:
                raise ValueError(f"{name} must be a finite number that isn't negative, not {seconds!r}")
        if self.jitter is not _jitter and not is_regular(self.jitter):
            raise ValueError(f"jitter must be a function that returns a number from 0 to 1, not {self.jitter!r}")
        if self.retry_on is not None and (not is_regular(self.retry_on) or isinstance(self.retry_on, type)):
            raise ValueError(
                "retry_on must be a regular function, with the async client too. Pass statuses as statuses={503}."
            )

    def asked_about(self, error: InteractorError) -> bool | None:
        """Return the result of `retry_on`; None without one, or if it raises."""
        if self.retry_on is None:
            return None
        try:
            answer = self.retry_on(error)
        except Exception:
            logger.exception("retry_on failed. The policy decides without it.")
            return None
        return None if answer is None else bool(answer)

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
        wanted: bool | None = None,
    ) -> Decision:
        """Decide what to do after attempt number `attempt` (the first is 1) has failed.

        `status` is None without a response: a connection error or a timeout. `sent` is then False if no byte can have
        reached the server. `time_left` is the number of seconds until the deadline, None without one. `wanted` is the
        result of `retry_on`.
        """
        if wanted is False:
            return Decision(None, "retry_on declines")
        if wanted is None and status is not None and status not in self.statuses:
            return Decision(None, f"status {status} is final")
        # A 429 means that the request wasn't processed.
        harmless = status == 429 or (status is None and not sent)
        if not (harmless or has_key or method.upper() in IDEMPOTENT_METHODS):
            return Decision(None, f"the {method} may have arrived, and has no Idempotency-Key")
        if attempt > self.max_retries:
            return Decision(None, f"attempt {attempt} was the last")
        wait = self.backoff(attempt - 1)
        asked = _valid_seconds(retry_after) if retry_after is not None else None
        if asked is not None:
            if asked > self.max_delay:
                return Decision(None, f"the server requests a wait of {asked:g} s, more than {self.max_delay:g} s")
            # Never sooner than the server requests, and with jitter, because clients mustn't all come back at the same
            # instant.
            wait = min(self.max_delay, asked + wait)
        if time_left is not None and not wait < time_left:
            return Decision(None, f"the deadline comes before the next attempt (in {wait:.3g} s)")
        if wanted:
            return Decision(wait, "retry_on requests it")
        return Decision(wait, f"status {status}" if status is not None else "no response")

    def backoff(self, failures: int) -> float:
        """Return a random number of seconds to wait after `failures` earlier failures in a row."""
        # 2**64 exceeds any `max_delay`; a larger exponent would overflow.
        return self.draw() * min(self.max_delay, self.base_delay * 2.0 ** min(max(failures, 0), 64))

    def draw(self) -> float:
        """Return a number from 0 to 1, whatever `jitter` returns."""
        number = self.jitter()
        return min(1.0, max(0.0, number)) if not math.isnan(number) else 1.0


advise_calls(RetryPolicy)  # after the dataclass has its constructor
