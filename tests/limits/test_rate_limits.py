"""RateLimiter and RedisRateLimiter against a sandbox that enforces the documented tiers, on virtual or faster time."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from interactor_ext import APITimeoutError, AsyncInteractorClient, InteractorClient
from interactor_ext._effects import run_async, run_sync
from interactor_ext._waiting import Closing
from interactor_ext.limits import RateLimiter, RedisRateLimiter
from interactor_ext.limits import _redis_buckets as shared_buckets
from interactor_ext.limits._buckets import Buckets, Key, Tier, Tiers
from interactor_ext.sandbox import Sandbox
from interactor_ext.sandbox.clock import Clock
from interactor_ext.tokens import MemoryTokenStore
from interactor_ext.transports import AsyncTransport, Transport
from tests.support.odd_server import ASSISTANT as ODD_ASSISTANT
from tests.support.odd_server import Answer, Asked, OddServer, js
from tests.support.rate_limit_worker import NAMESPACES, SLOWER, SPEED, call_from_threads, limiter_on
from tests.support.redis_server import redis_cluster, redis_server
from tests.support.virtual_time import StillClock, VirtualTimeLoop, VirtualTimeTransport, run_in_virtual_time
from tests.support.waiting import PATIENCE, in_time

volumes = pytest.mark.parametrize("calls", [150, pytest.param(1_000, marks=pytest.mark.full)])


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


@volumes
def test_limiter_keeps_tasks_from_getting_a_429(calls: int) -> None:
    """Under the documented limits."""
    assert call_in_virtual_time(calls, at_once=1_000, limited=True) == {200: calls}


def test_limiter_keeps_successive_calls_from_getting_a_429(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under the documented limits, on one clock for limiter and sandbox, which waits move."""
    pauses: list[float] = []

    def pause(self: Closing, seconds: float) -> None:
        pauses.append(seconds)
        clock.advance(seconds)

    clock = StillClock()
    with enforcing(clock).run() as sandbox, sandbox.client(rate_limiter=RateLimiter(clock=clock.now)) as client:
        client.get_access_token()
        monkeypatch.setattr(Closing, "pause", pause)
        for number in range(150):
            client.namespace(NAMESPACES[number % 6]).assistants.list()
        assert statuses(sandbox) == {200: 150}
    assert len(pauses) > 20


def test_limiter_keeps_threads_from_getting_a_429(sandbox: Sandbox) -> None:
    with sandbox.client(rate_limiter=RateLimiter(SLOWER)) as client, at_the_rate_of_the_tiers(150):
        call_from_threads(client, 150)
    assert statuses(sandbox) == {200: 150}


class StartsAtARefusal(httpx.BaseTransport):
    """The sandbox's clock, and the transport of its client: the clock stands still until a response is
    a 429, and then runs at twenty times the usual speed.
    """

    def __init__(self) -> None:
        self.clock = self._Clock()
        self._inner = Transport(trust_env=False)

    class _Clock(Clock):
        began: float | None = None

        def now(self) -> float:
            return 1.8e9 + (0 if self.began is None else 20 * (time.monotonic() - self.began))

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = self._inner.handle_request(request)
        if response.status_code == 429 and self.clock.began is None:
            self.clock.began = time.monotonic()
        return response

    def close(self) -> None:
        self._inner.close()


@pytest.mark.full
def test_default_retries_complete_all_calls_of_threads_without_a_limiter() -> None:
    """A hundred calls pass. After the second that the others are asked to wait, there is room for a hundred more."""
    transport = StartsAtARefusal()
    with enforcing(transport.clock).run() as sandbox:
        with sandbox.client(transport=transport) as client:
            call_from_threads(client, 150)
        seen = statuses(sandbox)
    assert seen[200] == 150
    assert 0 < seen[429] <= 50


@volumes
def test_default_retries_complete_all_calls_of_tasks_without_a_limiter(calls: int) -> None:
    """At twenty times the usual speed, the tiers allow nearly all calls, and refuse some."""
    seen = call_in_virtual_time(calls, at_once=60, speed=20)
    assert seen[200] == calls
    assert seen[429] > 0


@volumes
def test_more_retries_complete_all_calls_under_sustained_load_without_a_limiter(calls: int) -> None:
    # Sixty tasks that make several times the calls that the tiers allow: one call in a hundred is refused more than
    # three times in a row.
    seen = call_in_virtual_time(calls, at_once=60, speed=4, max_retries=12)
    assert seen[200] == calls
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
def redis_socket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The socket of a Redis whose replies are waited for, on a busy machine too."""
    monkeypatch.setattr(shared_buckets, "_PATIENCE", PATIENCE)
    with redis_server() as socket:
        yield socket


@pytest.mark.full
def test_processes_that_share_redis_share_the_limits(redis_socket: str, sandbox: Sandbox) -> None:
    settings = {
        "client_id": sandbox.client_id,
        "client_secret": sandbox.client_secret,
        "core_api_url": sandbox.core_api_url,
        "account_server_url": sandbox.account_server_url,
    }
    command = [sys.executable, "-m", "tests.support.rate_limit_worker", redis_socket, json.dumps(settings), "75"]
    with at_the_rate_of_the_tiers(150):
        processes = [subprocess.Popen(command) for _ in range(2)]
        try:
            assert [process.wait(PATIENCE) for process in processes] == [0, 0]
        finally:
            for process in processes:
                process.kill()
    assert statuses(sandbox) == {200: 150}


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
    keys: tuple[Key, ...] = (("client", "c"), ("namespace", "c", "u"))
    limiter, buckets = limiter_on(redis_socket, tiers), Buckets(tiers)
    script = shared_buckets._RESERVE
    assert "redis.call('TIME')" in script
    for step in range(40):
        now = step * 0.05
        monkeypatch.setattr(shared_buckets, "_RESERVE", script.replace("redis.call('TIME')", f"{{1000, {now * 1e6}}}"))
        wanted = keys if step % 3 else keys[:1]
        if step == 12:
            headers = {"x-ratelimit-scope": "client", "x-ratelimit-remaining": "0"}
            limiter.observe(keys, 200, headers, None)
            buckets.observe(keys[0], now, 0.0, None)
        if step == 20:
            limiter.observe(keys, 429, {"x-ratelimit-scope": "namespace"}, 30.0)
            buckets.observe(keys[1], now, None, 30.0)
        if step == 30:
            run_sync(limiter._buckets.give_back(keys))
            buckets.give_back(keys, now)
        most = 5.0 if step % 5 == 0 else float("inf")
        there, here = run_sync(limiter._buckets.reserve(wanted, most)), buckets.reserve(wanted, now, most)
        assert there == (pytest.approx(here[0], abs=0.001), here[1]), step


async def test_unreachable_redis_falls_back_to_local_limits(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    import redis

    gone = redis.Redis(unix_socket_path=str(tmp_path / "nothing"), retry=None)
    limiter = RedisRateLimiter(gone, Tiers(client=Tier(60, 2)))
    for _ in range(2):
        limiter.wait((("client", "c"),))
    assert limiter.wait((("client", "c"),), 0.1) is not None
    assert await limiter.wait_async((("client", "c"),), 0.1) is not None
    run_sync(limiter._buckets.give_back((("client", "c"),)))
    await run_async(limiter._buckets.give_back((("client", "c"),)))
    assert caplog.text.count("counts alone") == 1


@pytest.mark.parametrize("command", [("LPUSH", "x"), ("SET", "x"), ("SADD", "x"), ("ZADD", "1", "x")])
def test_redis_key_of_another_type_is_replaced(
    redis_socket: str, command: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    import redis

    limiter = limiter_on(redis_socket, Tiers(client=Tier(60, 2)))
    with redis.Redis(unix_socket_path=redis_socket) as connection:
        limiter.wait((("client", "c"),))
        (name,) = connection.keys("*")
        connection.delete(name)
        connection.execute_command(command[0], name, *command[1:])
        limiter.wait((("client", "c"),))
        assert connection.type(name) == b"hash"
        assert connection.pttl(name) > 0
    assert caplog.text == ""


@pytest.mark.full  # a cluster takes two seconds to start
async def test_redis_cluster_counts_a_call_against_all_its_limits(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    redis = pytest.importorskip("redis")
    monkeypatch.setattr(shared_buckets, "_PATIENCE", PATIENCE)
    keys: tuple[Key, ...] = (("client", "c"), ("namespace", "c", "u{1}"))
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
        await limiter.wait_async((("client", "c"),), PATIENCE)
        if close:
            await connection.aclose()

    for close in (True, False, False):
        asyncio.run(use(close))
    sharing = limiter_on(redis_socket, Tiers(client=Tier(1, 3)))
    assert sharing.wait((("client", "c"),), 30) is not None
    assert caplog.text == ""


@contextmanager
def silent_redis() -> Iterator[Any]:
    """A Redis that accepts and never answers, and a client without a timeout."""
    import redis

    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with redis.Redis(port=port, socket_timeout=None, retry=None) as connection:
            yield connection


@pytest.mark.parametrize("time_left", [None, 0.2])
def test_silent_redis_delays_no_call(
    time_left: float | None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("interactor_ext.limits._redis_buckets._PATIENCE", 0.1)
    with silent_redis() as connection:
        limiter = RedisRateLimiter(connection)
        for _ in range(3):
            in_time(lambda: limiter.wait((("client", "c"),), time_left))
        # Nor does its thread delay the end of the event loop.
        in_time(lambda: asyncio.run(RedisRateLimiter(connection).wait_async((("client", "c"),), time_left)))
    assert caplog.text.count("counts alone") == 2


def test_async_redis_client_in_a_sync_client_raises_configuration_error() -> None:
    redis = pytest.importorskip("redis")
    from interactor_ext import ConfigurationError

    with pytest.raises(ConfigurationError, match=r"redis\.Redis"):
        RedisRateLimiter(redis.asyncio.Redis()).wait((("client", "c"),))


def test_rate_limit_of_a_view_is_that_of_its_namespace() -> None:
    """A low-level function may be given another namespace than that of its view."""
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
    """The port of a Redis that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.fixture
def absent() -> Iterator[int]:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        yield nobody.getsockname()[1]


@pytest.mark.parametrize("kind", ["sync", "async", "async, a redis of threads"])
@pytest.mark.parametrize("state", ["silent", "absent"])
def test_failing_redis_delays_one_call_and_fails_none(
    state: str, kind: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    redis = pytest.importorskip("redis")
    monkeypatch.setattr(shared_buckets, "_PATIENCE", 0.2)
    monkeypatch.setattr(shared_buckets, "_REST", 1000.0)
    options: dict[str, Any] = {"port": request.getfixturevalue(state)}
    if "threads" in kind:
        # The end of the event loop waits for the thread that waits for Redis.
        options |= {"socket_timeout": 0.3, "retry": None}
    limiter = RedisRateLimiter((redis.asyncio if kind == "async" else redis).Redis(**options))
    asked: list[object] = []
    script = limiter._buckets._script
    monkeypatch.setattr(limiter._buckets, "_script", lambda *args: asked.append(args) or script(*args))
    with OddServer(lambda asked: js(200, {"data": ODD_ASSISTANT})) as server:
        store = MemoryTokenStore()
        with InteractorClient(**server.settings, token_store=store) as client:
            client.get_access_token()  # so that none is requested under the limits
        settings = {**server.settings, "deadline": PATIENCE, "token_store": store, "rate_limiter": limiter}

        def use(client: Any) -> list[Any]:
            return [client.assistants.get("a") for _ in range(4)]

        async def main() -> None:
            async with AsyncInteractorClient(**settings) as client:
                for call in use(client):
                    await call

        if kind == "sync":
            with InteractorClient(**settings) as client:
                use(client)
        else:
            asyncio.run(main())
        assert len(server.calls) == 4
    assert len(asked) == 1


def test_silent_redis_takes_half_of_the_time_left() -> None:
    class SilentRedis:
        async def execute_command(self, *args: object) -> None:
            await asyncio.Event().wait()

        eval = execute_command

    async def main() -> float:
        limiter = RedisRateLimiter(SilentRedis())
        await limiter.wait_async((("client", "c"),), 3.0)
        return asyncio.get_running_loop().time()

    assert run_in_virtual_time(main()) == pytest.approx(1.5, abs=0.1)


def test_one_call_checks_whether_redis_has_recovered(monkeypatch: pytest.MonkeyPatch) -> None:
    class Ailing:
        asked = 0
        error: Exception | None = ConnectionError("gone")

        def eval(self, *args: Any) -> list[Any]:
            self.asked += 1
            others.append([run_sync(buckets.reserve(keys, 0.0))[1] for _ in range(3)])  # other calls meanwhile
            if self.error is not None:
                raise self.error
            return ["0.000000", 1]

    monkeypatch.setattr(shared_buckets, "_REST", 1000.0)
    redis, others = Ailing(), list[list[bool]]()
    keys: tuple[Key, ...] = (("client", "c"),)
    buckets = shared_buckets.RedisBuckets(redis, "p:", Tiers(client=Tier(600, 100)))
    buckets._rests_until = time.monotonic() - 1  # it failed before
    assert [run_sync(buckets.reserve(keys, 0.0)) for _ in range(3)] == [(0.0, True)] * 3
    assert (redis.asked, others) == (1, [[True] * 3])
    redis.error, buckets._rests_until = None, time.monotonic() - 1
    run_sync(buckets.reserve(keys, 0.0))
    others.clear()
    monkeypatch.setattr(Ailing, "eval", lambda self, *args: ["0.5", 0])
    assert run_sync(buckets.reserve(keys, 0.0)) == (0.5, False)  # it is asked again each time
