"""RetryPolicy, `Retry-After` and `with_retry`: tables of decisions, and properties that hold for any input."""

from __future__ import annotations

import asyncio
import calendar
import copy
import dataclasses
import inspect
import math
import pickle
import random
import threading
import time
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from typing import Any

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from interactor_ext import (
    APIConnectionError,
    APITimeoutError,
    CircuitOpenError,
    InteractorError,
    NotFoundError,
    RateLimitError,
    ServerError,
)
from interactor_ext.limits import RateLimiter
from interactor_ext.retry import RetryPolicy, parse_retry_after, with_retry
from tests.support.modes import call, sync_and_async
from tests.support.wire import Wire

NOV_1994 = 784111777.0  # Sun, 06 Nov 1994 08:49:37 GMT
YEAR_2026 = float(calendar.timegm((2026, 7, 1, 0, 0, 0)))


@pytest.mark.parametrize(
    ("value", "now", "seconds"),
    [
        ("0", 0.0, 0.0),
        ("120", 0.0, 120.0),
        (b"120", 0.0, 120.0),
        (" 7\t", 0.0, 7.0),
        ("1.5", 0.0, 1.5),
        ("Sun, 06 Nov 1994 08:49:37 GMT", NOV_1994 - 90, 90.0),
        (b"Sun, 06 Nov 1994 08:49:37 GMT", NOV_1994 - 90, 90.0),
        ("Sunday, 06-Nov-94 08:49:37 GMT", NOV_1994 - 90, 90.0),
        ("Sun Nov  6 08:49:37 1994", NOV_1994 - 90, 90.0),
        ("sun, 06 nov 1994 08:49:37 gmt", NOV_1994 - 90, 90.0),
        ("Sun, 06 Nov 1994 08:49:37 GMT", NOV_1994 + 5, 0.0),
        ("Sunday, 06-Nov-94 08:49:37 GMT", YEAR_2026, 0.0),
        ("Wednesday, 01-Jul-26 00:00:30 GMT", YEAR_2026, 30.0),
        # The two digits 00 in December 1999 are the next month, not a century ago.
        ("Saturday, 01-Jan-00 00:00:10 GMT", calendar.timegm((1999, 12, 31, 23, 59, 50)), 20.0),
        ("Tuesday, 29-Feb-00 00:00:10 GMT", calendar.timegm((2000, 2, 28, 23, 59, 50)), 20.0),
    ],
)
def test_retry_after_in_every_form_is_parsed(value: object, now: float, seconds: float) -> None:
    assert parse_retry_after(value, now=now) == seconds


@pytest.mark.parametrize(
    "value",
    [
        None, "", " ", "-1", "+1", "1e3", "inf", "nan", "-inf", "Infinity", "1,2", "120, 120", "12 s", "0x10", "1_000",
        "\u0661\u0662", "\uff15", b"\xff\xfe", "9" * 5000, "1" + "0" * 400, "99999999999", ".5", "5.", True, False, [5],
        math.nan, math.inf, -1.0, 10**400, object(), "soon",
        "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 PST", "Sun, 31 Feb 2027 08:49:37 GMT",
        "Sun, 06 Nov 2026 25:00:00 GMT", "Sun, 06 Nov 2026 08:49:61 GMT", "Sun, 06 Nov 0000 08:49:37 GMT",
        "Sun, 06 Nov 9999 08:49:37 GMT", "06 Nov 1994", "2026-07-01T00:00:00Z",
    ],
)  # fmt: skip
def test_malformed_retry_after_counts_as_absent(value: object) -> None:
    assert parse_retry_after(value, now=YEAR_2026) is None


anything = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.binary(), st.lists(st.integers(), max_size=2)
)
any_float = st.floats(allow_nan=True, allow_infinity=True)


@given(value=anything, now=any_float)
@example(value="Sunday, 06-Nov-94 08:49:37 GMT", now=math.inf)
@example(value="Sunday, 06-Nov-94 08:49:37 GMT", now=-1e300)
@example(value="Sunday, 06-Nov-94 08:49:37 GMT", now=math.nan)
@example(value="Sun, 06 Nov 1994 08:49:37 GMT", now=math.nan)
def test_any_retry_after_header_gives_none_or_a_sane_number(value: object, now: float) -> None:
    seconds = parse_retry_after(value, now=now)
    assert seconds is None or (math.isfinite(seconds) and seconds >= 0)


methods = st.sampled_from(["GET", "HEAD", "OPTIONS", "PUT", "DELETE", "POST", "PATCH", "PURGE", "get", ""])
policies = st.builds(
    RetryPolicy,
    max_retries=st.integers(0, 2000),
    base_delay=st.floats(0, 1e308),
    max_delay=st.floats(0, 1e308),
    jitter=st.sampled_from([lambda: 0.0, lambda: 0.5, lambda: 1.0, lambda: -3.0, lambda: 7.0, lambda: math.nan]),
)


@given(
    policy=policies,
    about=st.fixed_dictionaries(
        {
            "method": methods,
            "attempt": st.integers(-5, 10**6),
            "status": st.none() | st.sampled_from([429, 502, 503, 504]) | st.integers(),
            "sent": st.booleans(),
            "has_key": st.booleans(),
            "retry_after": st.none() | any_float | st.integers(),
            "time_left": st.none() | any_float,
        }
    ),
)
def test_any_input_gives_a_sane_retry_decision(policy: RetryPolicy, about: dict[str, Any]) -> None:
    decision = policy.decide(**about)
    assert decision.reason
    if decision.delay is None:
        return
    assert math.isfinite(decision.delay)
    assert 0 <= decision.delay <= policy.max_delay
    assert about["attempt"] <= policy.max_retries
    if about["time_left"] is not None:
        assert decision.delay < about["time_left"]
    retry_after, status = about["retry_after"], about["status"]
    if retry_after is not None and 0 <= retry_after <= policy.max_delay and retry_after < 86400:
        assert decision.delay >= retry_after
    if about["method"].upper() in {"POST", "PATCH", "PURGE", ""} and not about["has_key"]:
        assert status == 429 or (status is None and not about["sent"])


FULL = RetryPolicy(jitter=lambda: 1.0)


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"])
@pytest.mark.parametrize("status", [429, 502, 503, 504, None])
def test_idempotent_method_is_retried(method: str, status: int | None) -> None:
    assert FULL.decide(method=method, attempt=1, status=status).delay == 1.0


@pytest.mark.parametrize("method", ["POST", "PATCH"])
@pytest.mark.parametrize(
    ("status", "sent", "has_key", "again"),
    [
        (429, True, False, True),
        (None, False, False, True),
        (None, True, False, False),
        (502, True, False, False),
        (503, True, False, False),
        (504, True, False, False),
        (None, True, True, True),
        (503, True, True, True),
        (500, True, True, False),
        (409, True, True, False),
    ],
)
def test_post_that_may_have_arrived_is_retried_only_with_idempotency_key(
    method: str, status: int | None, sent: bool, has_key: bool, again: bool
) -> None:
    decision = FULL.decide(method=method, attempt=1, status=status, sent=sent, has_key=has_key)
    assert (decision.delay is not None) is again


@pytest.mark.parametrize("status", [200, 301, 400, 401, 404, 408, 422, 500, 501, 520, 999])
def test_other_statuses_are_not_retried(status: int) -> None:
    decision = FULL.decide(method="GET", attempt=1, status=status)
    assert decision.delay is None
    assert str(status) in decision.reason


def test_backoff_doubles_up_to_max_delay() -> None:
    policy = dataclasses.replace(FULL, max_retries=8)
    waits = [policy.decide(method="GET", attempt=attempt).delay for attempt in range(1, 10)]
    assert waits == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0, None]


def test_default_jitter_is_full() -> None:
    waits = [RetryPolicy().decide(method="GET", attempt=3).delay or 0.0 for _ in range(400)]
    assert max(waits) <= 4.0
    assert min(waits) < 1.0 < 3.0 < max(waits)
    assert len(set(waits)) > 390


def test_seeded_random_does_not_repeat_the_jitter() -> None:
    """Where all processes of a service seed `random` alike, their retries must not coincide."""

    def draw() -> float | None:
        random.seed(1)
        return RetryPolicy().decide(method="GET", attempt=3).delay

    before = random.getstate()
    try:
        assert draw() != draw()
        random.seed(1)
        state = random.getstate()
        RetryPolicy().decide(method="GET", attempt=3)
        assert random.getstate() == state
    finally:
        random.setstate(before)


def test_retry_after_is_a_minimum_and_beyond_max_delay_ends_the_call() -> None:
    none = dataclasses.replace(FULL, jitter=lambda: 0.0)
    assert none.decide(method="GET", attempt=1, status=503, retry_after=12).delay == 12
    assert none.decide(method="GET", attempt=1, status=503, retry_after=30).delay == 30
    assert FULL.decide(method="GET", attempt=1, status=503, retry_after=30).delay == 30
    assert FULL.decide(method="GET", attempt=3, status=503, retry_after=0.5).delay == 4.5
    beyond = FULL.decide(method="GET", attempt=1, status=429, retry_after=31)
    assert beyond.delay is None
    assert "31" in beyond.reason
    # Nonsense counts as absent.
    for nonsense in (-5.0, math.nan, math.inf, 1e12):
        assert FULL.decide(method="GET", attempt=1, status=429, retry_after=nonsense).delay == 1.0


def test_retry_pause_that_reaches_the_deadline_is_not_begun() -> None:
    assert FULL.decide(method="GET", attempt=1, time_left=1.01).delay == 1.0
    assert FULL.decide(method="GET", attempt=1, time_left=1.0).delay is None
    assert FULL.decide(method="GET", attempt=1, time_left=-1.0).delay is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *((field, value) for field in ("max_retries", "base_delay", "max_delay") for value in (-1, math.nan, math.inf)),
        *(("max_retries", value) for value in (1.5, "3", True)),
        *(("statuses", value) for value in ("503", b"503", "", ["503"], 503, None, [True])),
    ],
)
def test_invalid_retry_policy_raises_value_error(field: str, value: Any) -> None:
    with pytest.raises(ValueError, match="max_retries must be a whole number" if field == "max_retries" else field):
        RetryPolicy(**{field: value})


def test_retry_policy_is_frozen_comparable_and_hashable() -> None:
    assert RetryPolicy() == RetryPolicy()
    assert hash(RetryPolicy(statuses={429})) == hash(RetryPolicy(statuses=[429]))
    with pytest.raises(dataclasses.FrozenInstanceError):
        RetryPolicy().max_retries = 5  # type: ignore[misc]


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda policy: pickle.loads(pickle.dumps(policy))])
def test_retry_policy_can_be_copied_and_pickled(copied: Callable[[RetryPolicy], RetryPolicy]) -> None:
    policy = RetryPolicy(max_retries=1, retry_on=math.isnan)  # type: ignore[arg-type]
    assert copied(policy) == policy
    assert 0 <= copied(policy).backoff(1) <= 2


class Flaky:
    """A function that raises its errors in turn, then returns its arguments."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.calls = 0

    def __call__(self, value: str, *, suffix: str = "") -> str:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return value + suffix

    async def later(self, value: str, *, suffix: str = "") -> str:
        await asyncio.sleep(0)
        return self(value, suffix=suffix)


Run = Callable[[Flaky, RetryPolicy], str]


def in_sync(flaky: Flaky, policy: RetryPolicy) -> str:
    return with_retry(flaky, policy)("a", suffix="b")


def in_async(flaky: Flaky, policy: RetryPolicy) -> str:
    wrapped = with_retry(flaky.later, policy)
    assert inspect.iscoroutinefunction(wrapped)
    return asyncio.run(wrapped("a", suffix="b"))


def in_async_by_lambda(flaky: Flaky, policy: RetryPolicy) -> str:
    async def main() -> str:
        return await with_retry(lambda: flaky.later("a", suffix="b"), policy)()

    return asyncio.run(main())


@pytest.fixture
def sleeps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that this thread slept, or would have. Other threads, such as that of a sandbox, sleep as usual."""
    slept: list[float] = []
    real_sleep, real_async_sleep, own = time.sleep, asyncio.sleep, threading.get_ident()

    def sleep(seconds: float) -> None:
        if threading.get_ident() == own:
            slept.append(seconds)
        else:
            real_sleep(seconds)

    async def async_sleep(seconds: float) -> None:
        if threading.get_ident() == own:
            slept.append(seconds)
            seconds = 0
        await real_async_sleep(seconds)

    monkeypatch.setattr(time, "sleep", sleep)
    monkeypatch.setattr(asyncio, "sleep", async_sleep)
    return slept


every_mode = pytest.mark.parametrize("run", [in_sync, in_async, in_async_by_lambda])


def errors() -> list[Exception]:
    return [
        ServerError("down", status=503),
        APITimeoutError("late"),
        RateLimitError("slow down", status=429, retry_after=9.0),
    ]


@every_mode
def test_with_retry_follows_the_policy(run: Run, sleeps: list[float]) -> None:
    flaky = Flaky(*errors())
    assert run(flaky, dataclasses.replace(FULL, jitter=lambda: 0.5)) == "ab"
    assert flaky.calls == 4
    assert [wait for wait in sleeps if wait] == [0.5, 1.0, 11.0]


@every_mode
def test_with_retry_waits_for_an_open_circuit(run: Run, sleeps: list[float]) -> None:
    flaky = Flaky(ServerError("down", status=503), CircuitOpenError("open", retry_after=12.0))
    assert run(flaky, dataclasses.replace(FULL, jitter=lambda: 0.5)) == "ab"
    assert [wait for wait in sleeps if wait] == [0.5, 13.0]
    too_long = CircuitOpenError("open", retry_after=FULL.max_delay + 1)
    with pytest.raises(CircuitOpenError):
        run(Flaky(too_long), FULL)


@every_mode
def test_with_retry_raises_the_last_error_as_it_came(run: Run, sleeps: list[float]) -> None:
    last = APIConnectionError("gone")
    flaky = Flaky(*errors(), last)
    with pytest.raises(APIConnectionError) as caught:
        run(flaky, FULL)
    assert caught.value is last
    assert flaky.calls == 4


@every_mode
@pytest.mark.parametrize("error", [NotFoundError("no", status=404), InteractorError("odd"), KeyError("mine")], ids=repr)
def test_with_retry_does_not_retry_other_errors(run: Run, error: Exception, sleeps: list[float]) -> None:
    flaky = Flaky(error)
    with pytest.raises(type(error)):
        run(flaky, FULL)
    assert flaky.calls == 1
    assert [wait for wait in sleeps if wait] == []


def test_with_retry_takes_the_number_of_retries(sleeps: list[float]) -> None:
    flaky = Flaky(*errors(), APIConnectionError("gone"), ServerError("down", status=503))
    assert with_retry(flaky, max_retries=5)("a", suffix="b") == "ab"
    assert flaky.calls == 6
    once = Flaky(ServerError("down", status=503))
    with pytest.raises(ServerError):
        with_retry(once, FULL, max_retries=0)("a", suffix="b")
    assert once.calls == 1


def test_with_retry_warns_of_a_statement_that_calls_nothing() -> None:
    with pytest.warns(RuntimeWarning, match=r"Call the function: with_retry\(\.\.\.\)\(\)") as caught:
        with_retry(lambda: 1, max_retries=1)
    assert [each.filename for each in caught] == [__file__]
    with warnings.catch_warnings(record=True) as none:
        warnings.simplefilter("always")
        assert with_retry(lambda: 1)() == 1
        asyncio.run(with_retry(Flaky().later)("a"))

        def define() -> None:
            with_retry(lambda: 1)()

            @with_retry
            def never() -> None: ...

            kept = with_retry(lambda: 1)
            del kept

        define()
    assert none == []


@pytest.mark.parametrize("given", ["text", None, "coroutine"])
def test_with_retry_needs_a_function(given: Any) -> None:
    value = Flaky().later("a") if given == "coroutine" else given
    with pytest.raises(TypeError, match=r"can call again, not .*with_retry\(lambda: "):
        with_retry(value)


def test_with_retry_refuses_a_generator_function() -> None:
    with pytest.raises(TypeError, match="can't retry a generator function"):
        with_retry(numbers)


def numbers() -> Any:
    yield 1


def test_with_retry_keeps_name_and_signature() -> None:
    @with_retry
    def fetch(name: str, *, size: int = 3) -> dict[str, Any]:
        """Fetch it."""
        return {"name": name, "size": size}

    assert (fetch.__name__, fetch.__doc__) == ("fetch", "Fetch it.")
    assert list(inspect.signature(fetch).parameters) == ["name", "size"]
    assert fetch("a", size=4) == {"name": "a", "size": 4}


@pytest.mark.parametrize(
    ("wanted", "about", "again"),
    [
        (True, {"method": "GET", "status": 404}, True),
        (True, {"method": "GET", "status": 404, "attempt": 4}, False),
        (True, {"method": "GET", "status": 404, "time_left": 0.5}, False),
        (True, {"method": "GET", "status": 429, "retry_after": 31.0}, False),
        (True, {"method": "POST", "status": 409}, False),
        (True, {"method": "POST", "status": 503}, False),
        (True, {"method": "POST"}, False),
        (True, {"method": "POST", "sent": False}, True),
        (True, {"method": "POST", "status": 409, "has_key": True}, True),
        (False, {"method": "GET", "status": 503}, False),
        (False, {"method": "GET"}, False),
        (None, {"method": "GET", "status": 404}, False),
        (None, {"method": "GET", "status": 503}, True),
    ],
)
def test_retry_on_widens_and_narrows_within_what_does_no_harm(
    wanted: bool | None, about: dict[str, Any], again: bool
) -> None:
    decision = FULL.decide(**{"attempt": 1, **about}, wanted=wanted)
    assert (decision.delay is not None) is again


def test_retry_on_that_raises_or_gives_none_decides_nothing(caplog: pytest.LogCaptureFixture) -> None:
    def fail(error: InteractorError) -> bool:
        raise ZeroDivisionError("mine")

    error = NotFoundError("no", status=404)
    assert RetryPolicy().asked_about(error) is None
    assert RetryPolicy(retry_on=lambda error: None).asked_about(error) is None
    assert RetryPolicy(retry_on=lambda error: error.status == 404).asked_about(error) is True
    assert RetryPolicy(retry_on=fail).asked_about(error) is None
    assert "retry_on failed" in caplog.text


async def asks_later(error: InteractorError) -> bool:
    return True


@pytest.mark.parametrize("retry_on", [asks_later, partial(asks_later), KeyError, (KeyError,), "yes", 5])
def test_retry_on_of_a_policy_that_is_no_plain_function_raises_value_error(retry_on: Any) -> None:
    with pytest.raises(ValueError, match="retry_on must be a regular function"):
        RetryPolicy(retry_on=retry_on)
    with pytest.raises(ValueError, match="jitter must be a function that returns a number"):
        RetryPolicy(jitter=asks_later)  # type: ignore[arg-type]


@sync_and_async
@pytest.mark.parametrize(
    ("method", "status", "answer", "attempts"),
    [
        ("GET", 404, True, 3),
        ("GET", 404, None, 1),
        ("GET", 503, None, 3),
        ("GET", 503, False, 1),
        ("GET", None, True, 3),
        ("GET", None, False, 1),
        ("POST", 503, True, 1),
        ("POST", None, True, 1),
        ("GET", 401, True, 2),
        ("GET", 200, True, 1),
    ],
)
@pytest.mark.parametrize("limited", [False, True])
def test_policy_of_a_client_asks_retry_on_about_errors_that_may_end_a_call(
    mode: str, method: str, status: int | None, answer: bool | None, attempts: int, limited: bool
) -> None:
    def respond(request: httpx.Request) -> httpx.Response:
        if status is None:
            raise httpx.ReadError(f"reset {request.headers['authorization']}")
        text = f"no {request.headers['authorization']}"
        return httpx.Response(status, json={"error": {"code": "ODD", "message": text}}, headers={"X-Request-Id": "r"})

    asked: list[InteractorError] = []

    def retry_on(error: InteractorError) -> bool | None:
        asked.append(error)
        return answer

    wire = Wire(respond)
    policy = RetryPolicy(max_retries=2, base_delay=0, retry_on=retry_on)
    settings = {**wire.settings, "max_retries": None, "retry_policy": policy, "circuit_breaker": False}
    if limited:
        settings["rate_limiter"] = RateLimiter()
    raised: InteractorError | None = None
    try:
        call(mode, settings, lambda client: client.request(method, "/things/th_1"))
    except InteractorError as error:
        raised = error
    assert (raised is None) == (status == 200)
    assert {type(each) for each in asked} <= {type(raised)}
    assert {each.request_id for each in asked} <= {getattr(raised, "request_id", None)}
    assert len(wire.requests) == attempts
    assert len(asked) == (0 if status in (200, 401) else attempts)
    assert "token_1" not in "".join(map(str, asked))


@sync_and_async
@pytest.mark.parametrize("kind", [httpx.LocalProtocolError, httpx.UnsupportedProtocol])
def test_request_that_httpx_refuses_is_not_tried_again(mode: str, kind: type[httpx.TransportError]) -> None:
    def respond(request: httpx.Request) -> httpx.Response:
        raise kind("Illegal header value")

    wire = Wire(respond)
    settings = {**wire.settings, "max_retries": None, "retry_policy": RetryPolicy(base_delay=0)}
    with pytest.raises(APIConnectionError):
        call(mode, settings, lambda client: client.assistants.list())
    assert len(wire.requests) == 1


@sync_and_async
def test_retry_on_is_asked_about_an_error_whose_body_broke_off(mode: str) -> None:
    class Broken(httpx.SyncByteStream, httpx.AsyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            yield b'{"error"'
            raise httpx.ReadError("reset")

        async def __aiter__(self) -> AsyncIterator[bytes]:
            for chunk in self:
                yield chunk

    wire = Wire(lambda request: httpx.Response(500, stream=Broken()))
    policy = RetryPolicy(max_retries=2, base_delay=0, retry_on=lambda error: error.status == 500)
    settings = {**wire.settings, "max_retries": None, "retry_policy": policy}
    with pytest.raises(ServerError):
        call(mode, settings, lambda client: client.assistants.list())
    assert len(wire.requests) == 3


class MyError(Exception):
    pass


class MyOtherError(MyError):
    pass


@pytest.mark.parametrize("kinds", [MyError, (KeyError, MyError)])
@pytest.mark.parametrize("is_async", [False, True])
def test_with_retry_repeats_after_the_errors_of_retry_on(kinds: Any, is_async: bool, sleeps: list[float]) -> None:
    flaky = Flaky(MyError("1"), MyOtherError("2"), ServerError("3", status=503), ValueError("4"))
    wrapped: Any = with_retry(flaky.later if is_async else flaky, FULL, retry_on=kinds)
    with pytest.raises(ValueError, match="4"):
        asyncio.run(wrapped("a")) if is_async else wrapped("a")
    assert flaky.calls == 4


def test_with_retry_asks_the_policy_before_its_own_retry_on(sleeps: list[float]) -> None:
    policy = dataclasses.replace(FULL, retry_on=lambda error: error.code == "LATER")
    later, never = NotFoundError("1", status=404, code="LATER"), NotFoundError("2", status=404)
    flaky = Flaky(later, never)
    with pytest.raises(NotFoundError, match="2"):
        with_retry(flaky, policy, retry_on=NotFoundError)("a")
    assert flaky.calls == 2
    flaky = Flaky(never, never)
    assert with_retry(flaky, FULL, retry_on=NotFoundError)("a") == "a"


@pytest.mark.parametrize(
    "kinds", [KeyboardInterrupt, (MyError, BaseException), lambda error: True, [MyError], MyError("x")]
)
def test_with_retry_refuses_what_is_no_class_of_exceptions(kinds: Any) -> None:
    with pytest.raises(TypeError, match="retry_on must be a subclass of Exception"):
        with_retry(lambda: None, retry_on=kinds)
