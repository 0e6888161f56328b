"""The circuit breaker, on a clock of the test's own: for hosts, and for the namespaces that fail there."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterable

import pytest

from interactor_ext import CircuitOpenError, ServerError
from interactor_ext._engine.calls.circuit_breaker import CircuitBreaker, Permit
from tests.support.clock import Clock
from tests.support.modes import opened, sync_and_async
from tests.support.scripted_server import ASSISTANT, OddServer, js

HOST = "core.example"


@pytest.fixture
def clock() -> Clock:
    return Clock(0)


@pytest.fixture
def breaker(clock: Clock) -> CircuitBreaker:
    return CircuitBreaker(failures=3, cool_down=10, clock=clock)


def attempt(breaker: CircuitBreaker, *namespaces: str | None, failed: bool | None, host: str = HOST) -> None:
    for namespace in namespaces or (None,):
        permit = breaker.enter(host, namespace)
        assert isinstance(permit, Permit)
        permit.end(failed=failed)


def refused(breaker: CircuitBreaker, namespace: str | None = None) -> float:
    """For how many seconds; 0 if a call is let through, of which no outcome is recorded."""
    answer = breaker.enter(HOST, namespace)
    return 0.0 if isinstance(answer, Permit) else answer.seconds


def open_it(breaker: CircuitBreaker) -> None:
    for _ in range(3):
        attempt(breaker, failed=True)


def test_failures_in_a_row_open_the_circuit_and_the_error_has_retry_after(
    breaker: CircuitBreaker, clock: Clock
) -> None:
    open_it(breaker)
    assert refused(breaker) == 10
    clock.now = 4
    assert refused(breaker) == 6


def test_success_between_failures_resets_the_count(breaker: CircuitBreaker) -> None:
    for failed in (True, True, False, True, True):
        attempt(breaker, failed=failed)
    assert isinstance(breaker.enter(HOST), Permit)


def test_attempts_without_verdict_do_not_count(breaker: CircuitBreaker) -> None:
    for failed in (True, True, None, None, None):
        attempt(breaker, failed=failed)
    assert isinstance(breaker.enter(HOST), Permit)
    attempt(breaker, failed=True)
    assert not isinstance(breaker.enter(HOST), Permit)


def test_each_host_has_a_circuit_of_its_own(breaker: CircuitBreaker) -> None:
    open_it(breaker)
    assert isinstance(breaker.enter("auth.example"), Permit)


def test_one_probe_after_cool_down_and_its_success_closes_the_circuit(breaker: CircuitBreaker, clock: Clock) -> None:
    open_it(breaker)
    clock.now = 10
    probe = breaker.enter(HOST)
    assert isinstance(probe, Permit)
    assert refused(breaker) == 1.0
    probe.end(failed=False)
    for _ in range(2):
        attempt(breaker, failed=True)
    assert isinstance(breaker.enter(HOST), Permit)


def test_failed_probe_opens_the_circuit_again(breaker: CircuitBreaker, clock: Clock) -> None:
    open_it(breaker)
    clock.now = 10
    attempt(breaker, failed=True)
    assert refused(breaker) == 10


def test_attempts_begun_before_the_circuit_opened_do_not_count(breaker: CircuitBreaker, clock: Clock) -> None:
    late = [breaker.enter(HOST) for _ in range(5)]
    open_it(breaker)
    clock.now = 5
    for permit in late:
        assert isinstance(permit, Permit)
        permit.end(failed=True)
    assert refused(breaker) == 5
    clock.now = 10
    probe = breaker.enter(HOST)
    assert isinstance(probe, Permit)


@pytest.mark.parametrize("order", ["aba", "aab", "abc", "baa", ("a", None, "a"), (None, None, "a")])
def test_failures_of_two_namespaces_open_the_circuit_of_the_host(
    order: Iterable[str | None], breaker: CircuitBreaker
) -> None:
    attempt(breaker, *order, failed=True)
    assert {refused(breaker, namespace) for namespace in (*"abcz", None)} == {10}


def test_success_of_another_namespace_does_not_reset_the_count_of_one_that_fails(breaker: CircuitBreaker) -> None:
    for _ in range(3):
        attempt(breaker, "a", failed=True)
        attempt(breaker, "b", failed=False)
    assert (refused(breaker, "a"), refused(breaker, "b")) == (10, 0)


def test_after_one_namespace_the_failures_of_others_count_anew(breaker: CircuitBreaker) -> None:
    attempt(breaker, *"aaabb", failed=True)
    assert (refused(breaker, "a"), refused(breaker, "b"), refused(breaker, "c")) == (10, 0, 0)
    attempt(breaker, "b", failed=True)
    assert refused(breaker, "c") == 10


def test_namespace_that_fails_by_itself_does_not_keep_the_circuit_of_the_host_open(
    breaker: CircuitBreaker, clock: Clock
) -> None:
    attempt(breaker, *"aba", failed=True)
    for clock.now in (10, 20):
        attempt(breaker, "a", failed=True)  # the host is up, but not for this one
    assert refused(breaker, "a") == 10
    attempt(breaker, "b", failed=False)
    assert (refused(breaker, "a"), refused(breaker, "c")) == (10, 0)


def test_memory_is_bounded_over_ten_thousand_namespaces(breaker: CircuitBreaker) -> None:
    def fail_in(namespaces: Iterable[int]) -> None:
        for number in namespaces:
            attempt(breaker, f"user_{number}", failed=True)
            attempt(breaker, failed=False)  # or these failures in a row would be the host's

    fail_in(range(2000))
    tracemalloc.start()
    try:
        fail_in(range(2000, 12_000))
        used = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert used < 1_500_000  # a thousand circuits; ten thousand are some 5 MB
    attempt(breaker, *["user_11999"] * 2, failed=True)
    assert refused(breaker, "user_11999") == 10


@sync_and_async
async def test_calls_that_fail_for_one_tenant_stop_no_other_tenant(mode: str) -> None:
    broken = {b"acme"}
    with OddServer(
        lambda asked: js(500 if asked.headers.get("x-namespace") in broken else 200, {"data": ASSISTANT})
    ) as server:
        settings = {**server.settings, "circuit_breaker": CircuitBreaker(clock=Clock())}
        async with opened(mode, settings) as client:
            acme, globex, umbrella = (client.namespace(name) for name in ("acme", "globex", "umbrella"))
            for _ in range(20):
                with pytest.raises(ServerError):
                    await acme.assistants.get("x")
            with pytest.raises(CircuitOpenError, match="too often in a row in the namespace 'acme'") as caught:
                await acme.assistants.get("x")
            assert caught.value.retry_after == 15
            for _ in range(3):
                await globex.assistants.get("x")
            broken |= {b"globex", b"umbrella"}
            for _ in range(10):
                for view in (globex, umbrella):
                    with pytest.raises(ServerError):
                        await view.assistants.get("x")
            for view in (client, globex, client.namespace("another")):
                with pytest.raises(CircuitOpenError, match=r"too often in a row\. Try"):
                    await view.assistants.get("x")
        assert len(server.calls) == 43


@pytest.mark.parametrize(
    "settings",
    [
        {"failures": 0},
        {"failures": float("nan")},
        {"failures": 2.5},
        {"failures": "9"},
        {"cool_down": 0},
        {"cool_down": float("nan")},
        {"cool_down": "9"},
    ],
)
def test_invalid_breaker_settings_raise_value_error(settings: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(settings))):
        CircuitBreaker(**settings)  # type: ignore[arg-type]
