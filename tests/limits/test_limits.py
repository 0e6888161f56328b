"""Token buckets on a fake clock, and the waits of RateLimiter on short real ones."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interactor_ext import ConfigurationError
from interactor_ext._engine.effects import run_sync
from interactor_ext.limits import RateLimiter, RedisRateLimiter, Tier, Tiers
from interactor_ext.tokens import RedisTokenStore
from interactor_ext.webhooks import AsyncRedisEventStore, RedisEventStore
from tests.support.virtual_time import run_in_virtual_time

CLIENT = (("client", "c"),)


def user(name: str) -> tuple[tuple[str, ...], ...]:
    return (*CLIENT, ("namespace", "c", name))


def reserve(limiter: RateLimiter, max_wait: float = math.inf) -> tuple[float, bool]:
    return run_sync(limiter._buckets.reserve(CLIENT, max_wait))


# A stricter server than the documented one: the same buckets, but not a token in reserve.
def overdrawn(starts: list[float], tier: Tier) -> bool:
    level, seen = float(tier.burst), 0.0
    for start in sorted(starts):
        level = min(float(tier.burst), level + (start - seen) / tier.interval)
        seen = start
        if level < 1 - 1e-6:
            return True
        level -= 1
    return False


def test_burst_starts_at_once_and_the_rest_at_the_rate() -> None:
    limiter = RateLimiter(Tiers(client=Tier(60, 10)), clock=lambda: 0.0)
    waits = [reserve(limiter)[0] for _ in range(15)]
    assert waits[:8] == [0.0] * 8
    assert not overdrawn(waits, Tier(60, 10))
    assert waits == sorted(waits)
    assert waits[-1] == pytest.approx(6, abs=1)  # one a second, after the burst


@given(rate=st.floats(1, 6000), burst=st.integers(1, 200), gaps=st.lists(st.floats(0, 5), min_size=1, max_size=150))
def test_no_series_of_calls_exceeds_the_tier(rate: float, burst: int, gaps: list[float]) -> None:
    tier = Tier(rate, burst)
    now, starts = [0.0], []
    limiter = RateLimiter(Tiers(client=tier), clock=lambda: now[0])
    for gap in gaps:
        now[0] += gap
        wait, reserved = reserve(limiter)
        assert reserved
        assert wait >= 0
        starts.append(now[0] + wait)
    assert starts == sorted(starts)
    assert not overdrawn(starts, tier)


def test_wait_longer_than_max_wait_reserves_nothing() -> None:
    now = [0.0]
    limiter = RateLimiter(Tiers(client=Tier(60, 1)), clock=lambda: now[0])
    assert reserve(limiter) == (0.0, True)
    for _ in range(100):
        wait, reserved = reserve(limiter, 0.5)
        assert not reserved
        assert wait == pytest.approx(1.0)
    now[0] = 1.0
    assert reserve(limiter) == (0.0, True)


def wait_after(status: int, headers: dict[str, str], retry_after: float | None, name: str = "u") -> float:
    """How long a call has to wait after this response to one of the namespace `u`, by a clock that stands still."""
    limiter = RateLimiter(clock=lambda: 0.0)
    limiter.observe(user("u"), status, headers, retry_after)
    return limiter.wait(user(name), 0.0) or limiter.wait(user(name), 0.0) or 0.0


SCOPE, REMAINING = "x-ratelimit-scope", "x-ratelimit-remaining"


@pytest.mark.parametrize(
    ("status", "headers", "retry_after", "own", "of_another"),
    [
        (429, {SCOPE: "namespace", REMAINING: "7"}, 3.0, 3.0, 0.0),
        (429, {SCOPE: " Client ", REMAINING: "7"}, 3.0, 3.0, 3.0),
        (429, {}, 3.0, 3.0, 3.0),
        (429, {}, 1e6, 60.0, 60.0),
        (503, {}, 3.0, 0.0, 0.0),
        (200, {SCOPE: "namespace", REMAINING: "many"}, None, 0.0, 0.0),
        (200, {SCOPE: "namespace", REMAINING: "-1"}, None, 0.0, 0.0),
        (200, {SCOPE: "galaxy", REMAINING: "0"}, None, 0.0, 0.0),
        (200, {REMAINING: "0"}, None, 0.0, 0.0),
        (200, {SCOPE: "client", REMAINING: "1000"}, None, 0.0, 0.0),
    ],
)
def test_rate_limit_headers_of_a_response_are_followed(
    status: int, headers: dict[str, str], retry_after: float | None, own: float, of_another: float
) -> None:
    assert wait_after(status, headers, retry_after) == own
    assert wait_after(status, headers, retry_after, "other") == of_another


def test_answer_that_comes_late_allows_no_more_than_a_newer_one() -> None:
    limiter = RateLimiter(clock=lambda: 0.0)
    for seconds, left in ((9.0, "1"), (3.0, "40")):
        limiter.observe(user("u"), 429, {SCOPE: "namespace", REMAINING: left}, seconds)
    assert limiter.wait(user("u"), 0.0) == 9.0
    limiter = RateLimiter(clock=lambda: 0.0)
    for left in ("0", "40"):
        limiter.observe(user("u"), 200, {SCOPE: "namespace", REMAINING: left}, None)
    assert limiter.wait(user("u"), 0.0) is not None


def test_calls_are_spread_out_as_x_ratelimit_remaining_runs_out() -> None:
    waits = [wait_after(200, {SCOPE: "namespace", REMAINING: str(left)}, None) for left in (50, 10, 4, 1)]
    assert waits[0] == 0
    assert waits == sorted(waits)
    assert waits[-1] > 0.3


@pytest.mark.parametrize("tier", [(0, 1), (60, 0), (float("nan"), 1), ("60", 1), (60, "1"), (60, float("inf"))])
def test_invalid_tier_raises_value_error(tier: Any) -> None:
    with pytest.raises(ValueError, match="tier"):
        Tier(*tier)


def test_limits_of_another_type_are_refused() -> None:
    for wrong in (60, (60, 1), Tier):
        with pytest.raises(ConfigurationError, match="client must be a Tier, not "):
            Tiers(client=wrong)  # type: ignore[arg-type]
    for wrong in (60, [], Tier(60, 1), Tiers):
        with pytest.raises(ConfigurationError, match="tiers must be a Tiers, not "):
            RateLimiter(wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("make", [RedisRateLimiter, RedisTokenStore, RedisEventStore, AsyncRedisEventStore])
def test_what_is_no_client_of_redis_is_refused(make: Any) -> None:
    for wrong in (None, 5, "redis://:s3cret@localhost", RedisEventStore):
        with pytest.raises(ConfigurationError, match=r"A client of Redis is required, not .*from_url\(url\)") as caught:
            make(wrong)
        assert "s3cret" not in str(caught.value)


async def test_busy_namespace_does_not_delay_a_quiet_one() -> None:
    limiter = RateLimiter(Tiers(client=Tier(6000, 2), namespace=Tier(3000, 1)))
    gone: list[str] = []

    async def call(namespace: str) -> None:
        await limiter.wait_async(user(namespace))
        gone.append(namespace)

    busy = [asyncio.create_task(call("busy")) for _ in range(100)]
    await asyncio.sleep(0)
    await asyncio.gather(call("quiet"))
    assert len(gone) < 8
    for task in busy:
        task.cancel()
    await asyncio.gather(*busy, return_exceptions=True)


async def test_waiting_in_the_queue_ends_with_the_time_left() -> None:
    limiter = RateLimiter(Tiers(client=Tier(0.1, 1)))
    limiter.wait(CLIENT)
    first = asyncio.create_task(limiter.wait_async(CLIENT))
    await asyncio.sleep(0)
    assert await limiter.wait_async(CLIENT, 0.05) is not None
    assert await asyncio.to_thread(limiter.wait, CLIENT, 0.05) is not None
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)


def test_newcomer_does_not_overtake_the_calls_in_the_queue() -> None:
    async def main() -> None:
        limiter = RateLimiter(Tiers(client=Tier(60, 10)), clock=asyncio.get_running_loop().time)
        limiter.observe(CLIENT, 429, {}, 60.0)

        async def first() -> float | None:
            await limiter.wait_async(CLIENT)
            return limiter.wait(CLIENT, 0.0)  # with tokens for many calls

        overtaking, _ = await asyncio.gather(first(), limiter.wait_async(CLIENT))
        assert overtaking is not None

    run_in_virtual_time(main())


def test_calls_in_the_queue_are_woken_when_their_turn_comes() -> None:
    async def main() -> float:
        loop = asyncio.get_running_loop()
        limiter = RateLimiter(Tiers(client=Tier(60_000, 1)), clock=loop.time)
        await asyncio.gather(*(limiter.wait_async(CLIENT) for _ in range(20)))
        return loop.time()

    assert run_in_virtual_time(main()) < 0.2  # else they look every quarter of a second


def test_busy_namespace_is_remembered_among_any_number_of_idle_ones() -> None:
    now = [0.0]
    limiter = RateLimiter(Tiers(client=Tier(1e6, 10**6), namespace=Tier(60, 2)), clock=lambda: now[0])
    for number in range(9_990):
        now[0] += 1.0
        limiter.wait(user(f"idle_{number}"))
    for name in ("busy", "busy", *(f"new_{number}" for number in range(20))):
        limiter.wait(user(name))
    assert limiter.wait(user("busy"), 0.1) is not None


def test_cancelled_wait_passes_its_turn_on() -> None:
    async def main() -> float:
        loop = asyncio.get_running_loop()
        limiter = RateLimiter(Tiers(client=Tier(60, 1)), clock=loop.time)
        await limiter.wait_async(CLIENT)
        tasks = [asyncio.create_task(limiter.wait_async(CLIENT)) for _ in range(30)]
        await asyncio.sleep(0)
        for task in tasks[:-1]:
            task.cancel()
        await tasks[-1]
        await asyncio.gather(*tasks, return_exceptions=True)
        return loop.time()

    # It waits for the reservation of the one that had the turn, and for its own.
    assert run_in_virtual_time(main()) < 5
