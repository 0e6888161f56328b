"""The circuit breaker, on a clock of the test's own."""

from __future__ import annotations

import threading

import pytest

from interactor_ext.transports._circuit_breaker import CircuitBreaker, Permit

HOST = "core.example"


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> CircuitBreaker:
    return CircuitBreaker(failures=3, cool_down=10, clock=clock)


def attempt(breaker: CircuitBreaker, *, failed: bool | None, host: str = HOST) -> None:
    permit = breaker.enter(host)
    assert isinstance(permit, Permit)
    permit.end(failed=failed)


def open_it(breaker: CircuitBreaker) -> None:
    for _ in range(3):
        attempt(breaker, failed=True)


def test_failures_in_a_row_open_the_circuit_and_the_error_has_retry_after(
    breaker: CircuitBreaker, clock: Clock
) -> None:
    open_it(breaker)
    assert breaker.enter(HOST) == 10
    clock.now = 4
    assert breaker.enter(HOST) == 6


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
    assert breaker.enter(HOST) == 1.0
    probe.end(failed=False)
    for _ in range(2):
        attempt(breaker, failed=True)
    assert isinstance(breaker.enter(HOST), Permit)


def test_failed_probe_opens_the_circuit_again(breaker: CircuitBreaker, clock: Clock) -> None:
    open_it(breaker)
    clock.now = 10
    attempt(breaker, failed=True)
    assert breaker.enter(HOST) == 10


def test_cancelled_probe_lets_another_probe_go(breaker: CircuitBreaker, clock: Clock) -> None:
    open_it(breaker)
    clock.now = 10
    attempt(breaker, failed=None)
    assert isinstance(breaker.enter(HOST), Permit)


def test_attempts_begun_before_the_circuit_opened_do_not_count(breaker: CircuitBreaker, clock: Clock) -> None:
    late = [breaker.enter(HOST) for _ in range(5)]
    open_it(breaker)
    clock.now = 5
    for permit in late:
        assert isinstance(permit, Permit)
        permit.end(failed=True)
    assert breaker.enter(HOST) == 5
    clock.now = 10
    probe = breaker.enter(HOST)
    assert isinstance(probe, Permit)


def test_one_of_many_threads_gets_the_probe(breaker: CircuitBreaker, clock: Clock) -> None:
    open_it(breaker)
    clock.now = 10
    answers: list[Permit | float] = []
    start = threading.Barrier(32)

    def enter() -> None:
        start.wait()
        answers.append(breaker.enter(HOST))

    threads = [threading.Thread(target=enter) for _ in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(isinstance(answer, Permit) for answer in answers) == 1


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
