"""`get_client(...)` whose line runs again, as in a notebook's cell or a lifespan that is entered twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from interactor_ext import CircuitBreaker, ConfigurationError, RetryPolicy, get_async_client, get_client, reset_clients
from interactor_ext.limits import RateLimiter, RedisRateLimiter, Tier, Tiers
from interactor_ext.tokens import FileTokenStore, RedisTokenStore
from tests.support.forks import ended_well, in_child, in_threads, needs_fork

both = pytest.mark.parametrize("get", [get_client, get_async_client])


class Redis:
    eval = print


REDIS = Redis()


def telemetry(**settings: Any) -> object:
    pytest.importorskip("opentelemetry")
    from interactor_ext.telemetry import OpenTelemetryTelemetry

    return OpenTelemetryTelemetry(**settings)


def other_telemetry() -> object:
    return telemetry(tracer_provider=pytest.importorskip("opentelemetry.trace").NoOpTracerProvider())


# Of each, made anew at each call, and another.
OPTIONS: dict[str, tuple[str, Callable[[], Any], Callable[[], Any]]] = {
    "rate limiter": ("rate_limiter", RateLimiter, lambda: RateLimiter(Tiers(client=Tier(10, 2)))),
    "rate limiter in Redis": ("rate_limiter", lambda: RedisRateLimiter(REDIS), lambda: RedisRateLimiter(Redis())),
    "token store in a file": (
        "token_store",
        lambda: FileTokenStore("/nowhere/tokens.json"),
        lambda: FileTokenStore("/nowhere/other.json"),
    ),
    "retry policy": ("retry_policy", lambda: RetryPolicy(max_retries=5), RetryPolicy),
    "token store in Redis": (
        "token_store",
        lambda: RedisTokenStore(REDIS, prefix="shop:"),
        lambda: RedisTokenStore(REDIS, prefix="crm:"),
    ),
    "circuit breaker": ("circuit_breaker", lambda: CircuitBreaker(failures=5), CircuitBreaker),
    "telemetry": ("telemetry", telemetry, other_telemetry),
}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    reset_clients()
    for name in ("INTERACTOR_CLIENT_ID", "INTERACTOR_CLIENT_SECRET"):
        monkeypatch.setenv(name, "x")
    yield
    reset_clients()


@both
@pytest.mark.parametrize("name", OPTIONS)
def test_equal_options_get_the_same_client_and_others_an_error_that_says_how_to_reset(get: Any, name: str) -> None:
    option, make, make_other = OPTIONS[name]
    clients = {get(**{option: make()}, deadline=30) for _ in range(2)}
    assert {get()} == clients
    assert hash(make()) == hash(make())
    with pytest.raises(ConfigurationError, match=rf"other options: {option}\..*call interactor_ext.reset_clients\(\)"):
        get(**{option: make_other()}, deadline=30)
    reset_clients()
    assert get(**{option: make_other()}, deadline=30) not in clients


@needs_fork
@in_threads
def test_equal_objects_are_each_reset_in_a_forked_child() -> None:
    """Each of them forgets there what its parent waits for."""
    breakers = [CircuitBreaker(failures=1), CircuitBreaker(failures=1)]

    def lets_through(breaker: CircuitBreaker) -> bool:
        return hasattr(breaker.enter("core.example"), "end")

    for breaker in breakers:
        permit: Any = breaker.enter("core.example")
        permit.end(failed=True)
        assert not lets_through(breaker)
    assert ended_well(in_child(lambda: all(map(lets_through, breakers))))
