"""RateLimiter and RedisRateLimiter against a sandbox that enforces the documented tiers, on virtual or faster time."""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from interactor_ext import APITimeoutError, AsyncInteractorClient, ConfigurationError, InteractorClient
from interactor_ext._engine.effects import run_sync
from interactor_ext._engine.limits import redis_buckets as shared_buckets
from interactor_ext.limits import RateLimiter, RedisRateLimiter, Tier, Tiers
from interactor_ext.sandbox import Sandbox
from interactor_ext.sandbox.clock import Clock
from interactor_ext.tokens import MemoryTokenStore
from interactor_ext.transports import AsyncTransport
from tests.limits.test_limits import CLIENT
from tests.support.cases import NIGHTLY
from tests.support.modes import at_once, opened, sync_and_async
from tests.support.rate_limits import NAMESPACES, SLOWER, SPEED, call_from_threads, limiter_on
from tests.support.redis_server import redis_cluster, redis_server
from tests.support.scripted_server import ASSISTANT as ODD_ASSISTANT
from tests.support.scripted_server import Answer, Asked, OddServer, js, mute_url, refusing_url
from tests.support.virtual_time import VirtualTimeLoop, VirtualTimeTransport, run_in_virtual_time
from tests.support.waiting import PATIENCE, eventually_async

CALLS = 1_000 if NIGHTLY else 150


def enforcing(clock: Clock) -> Sandbox:
    return Sandbox(enforce_limits=True, clock=clock, token_lifetime=1e6)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with enforcing(Clock(speed=10 * SPEED)).run() as running:
        yield running


def statuses(sandbox: Sandbox) -> Counter[int]:
    return Counter(record.status for record in sandbox.requests if record.operation == "list_assistants")


async def call_from_tasks(client: AsyncInteractorClient, calls: int, at_once: int = 1_000) -> None:
    users = [client.namespace(name) for name in NAMESPACES]
    free = asyncio.Semaphore(at_once)

    async def call(number: int) -> None:
        async with free:
            await users[number % len(users)].assistants.list()

    await asyncio.gather(*map(call, range(calls)))


@contextmanager
def at_the_rate_of_the_tiers(calls: int) -> Iterator[None]:
    """Fail if these calls take less time than the tiers of `SLOWER` ask for."""
    began = time.monotonic()
    yield
    assert time.monotonic() - began > (calls - SLOWER.client.burst) / (SLOWER.client.per_minute / 60) * 0.95


def call_in_virtual_time(calls: int, at_once: int, speed: float = 1, **options: Any) -> Counter[int]:
    """The statuses of the responses. The sandbox's clock is the time of the event loop, times `speed`."""

    class LoopClock(Clock):
        loop: VirtualTimeLoop | None = None

        def now(self) -> float:
            return 1.8e9 + (0 if self.loop is None else self.loop.now * speed)

    async def main() -> None:
        clock.loop = loop = asyncio.get_running_loop()
        if options.pop("limited", False):
            options["rate_limiter"] = RateLimiter(clock=loop.time)
        transport = VirtualTimeTransport(AsyncTransport(trust_env=False))
        async with sandbox.async_client(transport=transport, **options) as client:
            await call_from_tasks(client, calls, at_once)

    clock = LoopClock()
    with enforcing(clock).run() as sandbox:
        run_in_virtual_time(main())
        return statuses(sandbox)


def test_limiter_keeps_tasks_from_getting_a_429() -> None:
    """Under the documented limits."""
    assert call_in_virtual_time(CALLS, at_once=1_000, limited=True) == {200: CALLS}


def test_limiter_keeps_threads_from_getting_a_429(sandbox: Sandbox) -> None:
    with sandbox.client(rate_limiter=RateLimiter(SLOWER)) as client, at_the_rate_of_the_tiers(150):
        call_from_threads(client, 150)
    assert statuses(sandbox) == {200: 150}


# At twenty times the usual speed, the tiers allow nearly all calls, and refuse some. At four times, sixty tasks make
# several times the calls that the tiers allow: one call in a hundred is refused more than three times in a row.
@pytest.mark.parametrize(("speed", "options"), [(20, {}), (4, {"max_retries": 12})])
def test_retries_complete_all_calls_of_tasks_without_a_limiter(speed: float, options: dict[str, Any]) -> None:
    seen = call_in_virtual_time(CALLS, at_once=60, speed=speed, **options)
    assert seen[200] == CALLS
    assert seen[429] > 0


async def test_sync_and_async_clients_share_one_limiter(sandbox: Sandbox) -> None:
    limiter = RateLimiter(SLOWER)
    with sandbox.client(rate_limiter=limiter) as client:
        async with sandbox.async_client(rate_limiter=limiter) as async_client:
            with at_the_rate_of_the_tiers(150):
                await asyncio.gather(
                    asyncio.to_thread(call_from_threads, client, 75), call_from_tasks(async_client, 75)
                )
    assert statuses(sandbox) == {200: 150}


def test_call_that_would_wait_beyond_its_deadline_raises_timeout(sandbox: Sandbox) -> None:
    limiter = RateLimiter(Tiers(client=Tier(1, 1)))
    with sandbox.client(rate_limiter=limiter) as client:
        client.assistants.list()
        with pytest.raises(APITimeoutError, match="rate limits") as caught:
            client.with_options(deadline=30).assistants.list()
    assert caught.value.retry_after is not None
    assert caught.value.retry_after > 30  # had it waited, less would be left
    assert statuses(sandbox) == {200: 1}


# Many processes.


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replies of Redis are waited for, on a busy machine too."""
    monkeypatch.setattr(shared_buckets, "_PATIENCE", PATIENCE)


@pytest.fixture
def redis_socket(patient: None) -> Iterator[str]:
    with redis_server() as socket:
        yield socket


async def test_tasks_share_limits_in_redis_through_a_sync_or_async_client(redis_socket: str, sandbox: Sandbox) -> None:
    import redis.asyncio

    async with redis.asyncio.Redis(unix_socket_path=redis_socket) as connection:
        with at_the_rate_of_the_tiers(150):
            for limiter in (RedisRateLimiter(connection, SLOWER), limiter_on(redis_socket)):
                async with sandbox.async_client(rate_limiter=limiter) as client:
                    await call_from_tasks(client, 75)
    assert statuses(sandbox) == {200: 150}


def test_redis_script_and_local_buckets_give_the_same_waits(redis_socket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    tiers = Tiers(client=Tier(60, 10), namespace=Tier(30, 4))
    keys = (("client", "c"), ("namespace", "c", "u"))
    limiter, local = limiter_on(redis_socket, tiers), RateLimiter(tiers, clock=lambda: now)
    script, now = shared_buckets._RESERVE, 0.0

    def observe(*response: Any) -> None:
        for each in (limiter, local):
            each.observe(keys, *response)

    assert "redis.call('TIME')" in script
    for step in range(40):
        now = step * 0.05
        monkeypatch.setattr(shared_buckets, "_RESERVE", script.replace("redis.call('TIME')", f"{{1000, {now * 1e6}}}"))
        wanted = keys if step % 3 else keys[:1]
        if step == 12:
            headers = {"x-ratelimit-scope": "client", "x-ratelimit-remaining": "0"}
            observe(200, headers, None)
        if step == 20:
            observe(429, {"x-ratelimit-scope": "namespace"}, 30.0)
        if step == 24:  # a shorter one changes nothing
            observe(429, {"x-ratelimit-scope": "namespace"}, 1.0)
        if step == 30:
            for each in (limiter, local):
                each._buckets.give_back(keys)
        most = 5.0 if step % 5 == 0 else float("inf")
        there, here = (run_sync(each._buckets.reserve(wanted, most)) for each in (limiter, local))
        assert there == (pytest.approx(here[0], abs=0.001), here[1]), step


@sync_and_async
@pytest.mark.parametrize("shared", [False, True])
async def test_long_wait_is_logged_once(
    mode: str, shared: bool, request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "interactor")
    tiers = Tiers(namespace=Tier(0.5, 1))
    limiter = limiter_on(request.getfixturevalue("redis_socket"), tiers) if shared else RateLimiter(tiers)

    def told() -> list[str]:
        return [message for message in caplog.messages if "waits" in message]

    async def call(user: Any) -> None:
        with pytest.raises(ConfigurationError, match="closed"):
            await user.assistants.get("asst_1")

    async def close(client: Any) -> None:
        await eventually_async(lambda: len(told()) == 2)  # one has the turn, and the other waits for it
        await client.aclose()

    with OddServer(lambda asked: js(200, {"data": ODD_ASSISTANT})) as server:
        async with opened(mode, {**server.settings, "rate_limiter": limiter}) as client:
            user = client.namespace(f"user_{mode}")
            await user.assistants.get("asst_1")
            assert told() == []
            await at_once(mode, call(user), call(user), close(client))
    pattern = rf"A call waits at least \d+\.\d s for the rate limit of client and namespace user_{mode}\."
    assert all(re.fullmatch(pattern, message) for message in told())


async def test_unreachable_redis_falls_back_to_local_limits(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    import redis

    gone = redis.Redis(unix_socket_path=str(tmp_path / "nothing"), retry=None)
    limiter = RedisRateLimiter(gone, Tiers(client=Tier(60, 2)))
    for _ in range(2):
        limiter.wait(CLIENT)
    assert limiter.wait(CLIENT, 0.1) is not None
    assert await limiter.wait_async(CLIENT, 0.1) is not None
    assert caplog.text.count("counts on its own") == 1


@pytest.mark.full  # a cluster takes two seconds to start
@pytest.mark.usefixtures("patient")
async def test_redis_cluster_counts_a_call_against_all_its_limits(caplog: pytest.LogCaptureFixture) -> None:
    redis = pytest.importorskip("redis")
    keys = (("client", "c"), ("namespace", "c", "u{1}"))
    tiers = Tiers(client=Tier(1, 2), namespace=Tier(1, 2))
    with redis_cluster() as port, redis.RedisCluster(host="127.0.0.1", port=port) as cluster:
        async with redis.asyncio.RedisCluster(host="127.0.0.1", port=port) as async_cluster:
            RedisRateLimiter(cluster, tiers).wait(keys)
            await RedisRateLimiter(async_cluster, tiers).wait_async(keys)
            assert RedisRateLimiter(cluster, tiers).wait(keys, 30) is not None
        assert len(cluster.keys("*")) == 2
    assert caplog.text == ""


def test_async_redis_client_works_in_successive_event_loops(
    redis_socket: str, caplog: pytest.LogCaptureFixture
) -> None:
    import redis.asyncio

    connection = redis.asyncio.Redis(unix_socket_path=redis_socket)
    limiter = RedisRateLimiter(connection, Tiers(client=Tier(1, 3)))

    async def use(close: bool) -> None:
        await limiter.wait_async(CLIENT, PATIENCE)
        if close:
            await connection.aclose()

    for close in (True, False, False):
        asyncio.run(use(close))
    assert limiter_on(redis_socket, Tiers(client=Tier(1, 3))).wait(CLIENT, 30) is not None  # they share the count
    assert caplog.text == ""


def test_async_redis_client_in_a_sync_client_raises_configuration_error() -> None:
    redis = pytest.importorskip("redis")
    with pytest.raises(ConfigurationError, match=r"redis\.Redis"):
        RedisRateLimiter(redis.asyncio.Redis()).wait(CLIENT)


def test_rate_limit_of_a_view_is_that_of_its_namespace() -> None:
    """A low-level function may be given a namespace where its view has none."""
    from interactor_client.api.assistants import get_assistant

    def answer(asked: Asked) -> Answer:
        left = {b"a": 7, b"b": 3}[asked.headers["x-namespace"]]
        limits = ("X-RateLimit-Scope: namespace", f"X-RateLimit-Remaining: {left}")
        return js(200, {"data": ODD_ASSISTANT}, *limits)

    with OddServer(answer) as server, InteractorClient(**server.settings) as client:
        a, b = client.namespace("a"), client.namespace("b")
        a.assistants.get("x")
        get_assistant.sync("x", client=client.api, x_namespace="b")
        assert a.rate_limit["namespace"].remaining == 7
        assert b.rate_limit["namespace"].remaining == 3


@pytest.mark.parametrize("kind", ["sync", "async", "async, a redis of threads"])
@pytest.mark.parametrize("there", [mute_url, refusing_url])
async def test_failing_redis_delays_one_call_and_fails_none(
    there: Any, kind: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    redis = pytest.importorskip("redis")
    monkeypatch.setattr(shared_buckets, "_PATIENCE", 0.2)
    monkeypatch.setattr(shared_buckets, "_REST", 1000.0)
    # The end of the event loop waits for the thread that waits for Redis.
    options: dict[str, Any] = {"socket_timeout": 0.3, "retry": None} if "threads" in kind else {}
    with OddServer(lambda asked: js(200, {"data": ODD_ASSISTANT})) as server, there() as url:
        make = (redis.asyncio if kind == "async" else redis).Redis
        limiter = RedisRateLimiter(make(port=int(url.rpartition(":")[2]), **options))
        store = MemoryTokenStore()
        with InteractorClient(**server.settings, token_store=store) as client:
            client.get_access_token()  # so that none is requested under the limits
        settings = {**server.settings, "deadline": PATIENCE, "token_store": store, "rate_limiter": limiter}
        async with opened(kind.partition(",")[0], settings) as user:
            for _ in range(4):
                await user.assistants.get("a")
        assert len(server.calls) == 4
    assert caplog.text.count("counts on its own") == 1


def test_silent_redis_takes_half_of_the_time_left() -> None:
    class SilentRedis:
        async def execute_command(self, *args: object) -> None:
            await asyncio.Event().wait()

        eval = execute_command

    async def main() -> float:
        limiter = RedisRateLimiter(SilentRedis())
        await limiter.wait_async(CLIENT, 3.0)
        return asyncio.get_running_loop().time()

    assert run_in_virtual_time(main()) == pytest.approx(1.5, abs=0.1)


def test_one_call_checks_whether_redis_has_recovered(monkeypatch: pytest.MonkeyPatch) -> None:
    class Ailing:
        asked = 0
        reply: list[Any] | None = None

        def eval(self, *args: Any) -> list[Any]:
            self.asked += 1
            if self.reply is not None:
                return self.reply
            others.append([run_sync(buckets.reserve(keys, 0.0))[1] for _ in range(3)])  # other calls meanwhile
            raise ConnectionError("gone")

    monkeypatch.setattr(shared_buckets, "_REST", 1000.0)
    redis, others = Ailing(), list[list[bool]]()
    keys = (("client", "c"),)
    buckets = shared_buckets.RedisBuckets(redis, "p:", Tiers(client=Tier(600, 100)))
    buckets._rests_until = time.monotonic() - 1  # it failed before
    assert [run_sync(buckets.reserve(keys, 0.0)) for _ in range(3)] == [(0.0, True)] * 3
    assert (redis.asked, others) == (1, [[True] * 3])
    redis.reply, buckets._rests_until = ["0.5", 0], time.monotonic() - 1
    assert run_sync(buckets.reserve(keys, 0.0)) == (0.5, False)
    asked = redis.asked
    assert run_sync(buckets.reserve(keys, 0.0)) == (0.5, False)
    assert redis.asked > asked  # it is asked again each time
