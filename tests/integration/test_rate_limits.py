"""The limiter against a sandbox that enforces the documented tiers, on a clock that runs faster than ours."""

from __future__ import annotations

import asyncio
import multiprocessing
import socket
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from interactor_ext import APITimeoutError, AsyncInteractorClient, InteractorClient
from interactor_ext._limits import shared_buckets
from interactor_ext._limits.buckets import Buckets, Key, Tier, Tiers, WouldWait
from interactor_ext.limits import RateLimiter, RedisRateLimiter
from interactor_ext.sandbox import Sandbox
from interactor_ext.sandbox.clock import Clock
from interactor_ext.tokens import MemoryTokenStore
from tests.odd_server import ASSISTANT as ODD_ASSISTANT
from tests.odd_server import Answer, Asked, OddServer, js
from tests.redis_server import redis_server

# The limiter's reserve of a fifth of a burst forgives 2 s between a call's leave and its arrival; here, half a second,
# which calls and server in one process, on two cores, do not exceed. Nor do they fall below the rate.
SPEED = 4
FASTER = Tiers(
    client=Tier(600 * SPEED, 100),
    namespace=Tier(300 * SPEED, 50),
    streams=Tier(60 * SPEED, 10),
    tokens=Tier(20 * SPEED, 5),
)
NAMESPACES = [f"user_{number}" for number in range(6)]
volumes = pytest.mark.parametrize("calls", [300, pytest.param(1_000, marks=pytest.mark.full)])


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(enforce_limits=True, clock=Clock(speed=SPEED), token_lifetime=1e6).run() as running:
        yield running


def statuses(sandbox: Sandbox) -> Counter[int]:
    return Counter(record.status for record in sandbox.requests if record.operation == "list_assistants")


def call_from_threads(client: InteractorClient, calls: int) -> None:
    users = [client.namespace(name) for name in NAMESPACES]
    with ThreadPoolExecutor(60) as threads:
        list(threads.map(lambda number: users[number % len(users)].assistants.list(), range(calls)))


async def call_from_tasks(client: AsyncInteractorClient, calls: int) -> None:
    users = [client.namespace(name) for name in NAMESPACES]
    await asyncio.gather(*(users[number % len(users)].assistants.list() for number in range(calls)))


@volumes
def test_with_the_limiter_no_thread_is_ever_refused(sandbox: Sandbox, calls: int) -> None:
    with sandbox.client(rate_limiter=RateLimiter(FASTER)) as client:
        call_from_threads(client, calls)
    assert statuses(sandbox) == {200: calls}


@volumes
async def test_with_the_limiter_no_task_is_ever_refused(sandbox: Sandbox, calls: int) -> None:
    async with sandbox.async_client(rate_limiter=RateLimiter(FASTER)) as client:
        await call_from_tasks(client, calls)
    assert statuses(sandbox) == {200: calls}


@volumes
def test_without_it_the_usual_retries_bring_all_calls_through_a_rush(calls: int) -> None:
    """Five times the speed of the other tests: the tiers give nearly as much as is asked for, and refuse at times."""
    with Sandbox(enforce_limits=True, clock=Clock(speed=5 * SPEED), token_lifetime=1e6).run() as sandbox:
        with sandbox.client() as client:
            call_from_threads(client, calls)
        seen = statuses(sandbox)
    assert seen[200] == calls
    assert seen[429] > 0


@volumes
def test_without_it_more_retries_bring_all_calls_through_a_siege(sandbox: Sandbox, calls: int) -> None:
    # Sixty threads that ask for several times what the tiers give, and never stop: one call in a hundred is refused
    # more than three times in a row.
    with sandbox.client(max_retries=12) as client:
        call_from_threads(client, calls)
    seen = statuses(sandbox)
    assert seen[200] == calls
    assert seen[429] > 0


async def test_one_limiter_for_a_client_of_each_colour(sandbox: Sandbox) -> None:
    limiter = RateLimiter(FASTER)
    with sandbox.client(rate_limiter=limiter) as client:
        async with sandbox.async_client(rate_limiter=limiter) as async_client:
            await asyncio.gather(asyncio.to_thread(call_from_threads, client, 100), call_from_tasks(async_client, 100))
    assert statuses(sandbox) == {200: 200}


def test_a_call_does_not_wait_for_a_limit_beyond_its_deadline(sandbox: Sandbox) -> None:
    limiter = RateLimiter(Tiers(client=Tier(1, 1)))
    with sandbox.client(rate_limiter=limiter) as client:
        client.assistants.list()
        started = time.monotonic()
        with pytest.raises(APITimeoutError, match="rate limits") as caught:
            client.with_options(deadline=0.5).assistants.list()
        assert time.monotonic() - started < 0.5
    assert caught.value.retry_after == pytest.approx(60, abs=2)
    assert statuses(sandbox) == {200: 1}


# Many processes.


@pytest.fixture
def redis_socket() -> Iterator[str]:
    with redis_server() as socket:
        yield socket


def limiter_on(socket: str, tiers: Tiers = FASTER) -> RedisRateLimiter:
    import redis

    return RedisRateLimiter(redis.Redis(unix_socket_path=socket), tiers)


def call_in_another_process(socket: str, settings: dict[str, Any], calls: int) -> None:
    with InteractorClient(rate_limiter=limiter_on(socket), **settings) as client:
        call_from_threads(client, calls)


@volumes
def test_processes_that_share_a_redis_share_the_limits(redis_socket: str, sandbox: Sandbox, calls: int) -> None:
    settings = {
        "client_id": sandbox.client_id,
        "client_secret": sandbox.client_secret,
        "core_api_url": sandbox.core_api_url,
        "account_server_url": sandbox.account_server_url,
    }
    spawning = multiprocessing.get_context("spawn")
    arguments = (redis_socket, settings, calls // 2)
    processes = [spawning.Process(target=call_in_another_process, args=arguments) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    assert statuses(sandbox) == {200: calls // 2 * 2}


async def test_tasks_use_a_redis_of_either_colour(redis_socket: str, sandbox: Sandbox) -> None:
    import redis.asyncio

    async with redis.asyncio.Redis(unix_socket_path=redis_socket) as connection:
        for limiter in (RedisRateLimiter(connection, FASTER), limiter_on(redis_socket)):
            async with sandbox.async_client(rate_limiter=limiter) as client:
                await call_from_tasks(client, 75)
    assert statuses(sandbox) == {200: 150}


def test_the_script_in_redis_and_the_buckets_here_come_to_the_same(redis_socket: str) -> None:
    tiers = Tiers(client=Tier(60, 10), namespace=Tier(30, 4))
    keys: tuple[Key, ...] = (("client", "c"), ("namespace", "c", "u"))
    limiter, buckets = limiter_on(redis_socket, tiers), Buckets(tiers)
    started = time.monotonic()
    for step in range(40):
        wanted = keys if step % 3 else keys[:1]
        if step == 12:
            headers = {"x-ratelimit-scope": "client", "x-ratelimit-remaining": "0"}
            limiter.observe(keys, 200, headers, None)
            buckets.observe(keys[0], time.monotonic() - started, 0.0, None)
        if step == 20:
            limiter.observe(keys, 429, {"x-ratelimit-scope": "namespace"}, 30.0)
            buckets.observe(keys[1], time.monotonic() - started, None, 30.0)
        if step == 30:
            limiter._source.give_back(keys)
            buckets.give_back(keys, time.monotonic() - started)
        most = 5.0 if step % 5 == 0 else float("inf")
        there, here = limiter._source.reserve(wanted, most), buckets.reserve(wanted, time.monotonic() - started, most)
        assert there == (pytest.approx(here[0], abs=0.3), here[1]), step


async def test_while_redis_is_gone_each_process_counts_for_itself(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    import redis

    gone = redis.Redis(unix_socket_path=str(tmp_path / "nothing"), retry=None)
    limiter = RedisRateLimiter(gone, Tiers(client=Tier(60, 2)))
    for _ in range(2):
        limiter.wait((("client", "c"),))
    with pytest.raises(WouldWait):
        limiter.wait((("client", "c"),), 0.1)
    with pytest.raises(WouldWait):
        await limiter.wait_async((("client", "c"),), 0.1)
    limiter._source.give_back((("client", "c"),))
    await limiter._source.give_back_async((("client", "c"),))
    assert caplog.text.count("counts alone") == 1


def test_an_asynchronous_redis_does_not_serve_threads() -> None:
    redis = pytest.importorskip("redis")
    from interactor_ext import ConfigurationError

    with pytest.raises(ConfigurationError, match=r"redis\.Redis"):
        RedisRateLimiter(redis.asyncio.Redis()).wait((("client", "c"),))


def test_the_last_limit_of_a_namespace_is_that_of_the_namespace_asked_for() -> None:
    """The low-level functions may name another than their view's."""
    from interactor_client.api.assistants import get_assistant

    def answer(asked: Asked) -> Answer:
        left = {b"a": 7, b"b": 3}[asked.headers["x-namespace"]]
        limits = ("X-RateLimit-Scope: namespace", f"X-RateLimit-Remaining: {left}")
        return js(200, {"data": ODD_ASSISTANT}, *limits)

    with OddServer(answer) as server, InteractorClient(**server.settings) as client:
        a, b = client.namespace("a"), client.namespace("b")
        a.assistants.get("x")
        get_assistant.sync("x", client=a.api, x_namespace="b")
        assert a.rate_limit["namespace"].remaining == 7
        assert b.rate_limit["namespace"].remaining == 3


@pytest.fixture
def silent() -> Iterator[int]:
    """The port of a Redis that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.fixture
def absent() -> Iterator[int]:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        yield nobody.getsockname()[1]


def timed_calls(redis: Any, colour: str) -> list[float]:
    """How long each of a few calls takes that have 2 s and share a limiter on this Redis."""
    with OddServer(lambda asked: js(200, {"data": ODD_ASSISTANT})) as server:
        store = MemoryTokenStore()
        with InteractorClient(**server.settings, token_store=store) as client:
            client.get_access_token()  # so that none is requested under the limits
        settings = {
            **server.settings,
            "deadline": 2,
            "token_store": store,
            "rate_limiter": RedisRateLimiter(redis),
        }
        took: list[float] = []
        if colour == "sync":
            with InteractorClient(**settings) as client:
                for _ in range(4):
                    began = time.monotonic()
                    client.assistants.get("a")
                    took.append(time.monotonic() - began)
            return took

        async def main() -> None:
            async with AsyncInteractorClient(**settings) as client:
                for _ in range(4):
                    began = time.monotonic()
                    await client.assistants.get("a")
                    took.append(time.monotonic() - began)

        asyncio.run(main())
        return took


@pytest.mark.parametrize("kind", ["sync", "async", "async, a redis of threads"])
@pytest.mark.parametrize("state", ["silent", "absent"])
def test_a_redis_that_fails_delays_one_call_and_costs_none(
    state: str, kind: str, request: pytest.FixtureRequest
) -> None:
    redis = pytest.importorskip("redis")
    options: dict[str, Any] = {"port": request.getfixturevalue(state)}
    if "threads" in kind:
        # The end of the event loop waits for the thread that waits for Redis.
        options |= {"socket_timeout": 1.5, "retry": None}
    module = redis.asyncio if kind == "async" else redis
    client = module.Redis(**options)
    first, *others = timed_calls(client, kind.partition(",")[0])
    assert first < 1.8
    assert max(others) < 0.5


def test_one_call_finds_out_whether_redis_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    class Ailing:
        asked = 0
        error: Exception | None = ConnectionError("gone")

        def eval(self, *args: Any) -> list[Any]:
            self.asked += 1
            others.append([buckets.reserve(keys, 0.0)[1] for _ in range(3)])  # what others meet with meanwhile
            if self.error is not None:
                raise self.error
            return ["0.000000", 1]

    monkeypatch.setattr(shared_buckets, "_REST", 1000.0)
    redis, others = Ailing(), list[list[bool]]()
    keys: tuple[Key, ...] = (("client", "c"),)
    buckets = shared_buckets.RedisBuckets(redis, "p:", Tiers(client=Tier(600, 100)))
    buckets._rests_until = time.monotonic() - 1  # it failed before
    assert [buckets.reserve(keys, 0.0) for _ in range(3)] == [(0.0, True)] * 3
    assert (redis.asked, others) == (1, [[True] * 3])
    redis.error, buckets._rests_until = None, time.monotonic() - 1
    buckets.reserve(keys, 0.0)
    others.clear()
    monkeypatch.setattr(Ailing, "eval", lambda self, *args: ["0.5", 0])
    assert buckets.reserve(keys, 0.0) == (0.5, False)  # it is asked again each time
