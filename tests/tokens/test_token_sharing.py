"""The contract of token stores; one token for several clients and processes: concurrent starts, killed lock holders."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from interactor_ext import ConfigurationError, InteractorClient, RateLimitError
from interactor_ext.sandbox import Sandbox
from interactor_ext.tokens import RedisTokenStore, Token
from tests.support.modes import call, sync_and_async
from tests.support.redis_server import redis_cluster, redis_server
from tests.support.scripted_server import (
    ASSISTANT,
    Asked,
    FaultServer,
    OddServer,
    fine,
    js,
    settings_of,
    slow,
    token_answer,
)
from tests.support.token_stores import KINDS, RecordedStore, open_store
from tests.support.token_worker import THREADS
from tests.support.waiting import PATIENCE, eventually

pytest_plugins = ["tests.support.sandbox_fixtures", "tests.support.token_fixtures"]
pytestmark = pytest.mark.usefixtures("awaited_token_stores")

PROCESSES = 2
KEY, OTHER = "k" * 32, "o" * 32


def kinds(names: Iterable[str]) -> list[Any]:
    """As parameters: a Redis takes a while to start, and one of its clients is enough for tests of every change."""
    return [pytest.param(name, marks=[pytest.mark.full] if name == "redis.asyncio" else []) for name in names]


@pytest.fixture(params=kinds(name for name, kind in KINDS.items() if kind.place))
def store_name(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    match KINDS[request.param].place:
        case "redis":
            with redis_server() as socket:
                yield f"{request.param}:{socket}"
        case _:
            yield f"{request.param}:{tmp_path / 'tokens.json'}"


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer(token_script=[slow(0.2, fine)]) as running:
        yield running


@contextlib.contextmanager
def workers(count: int, *arguments: str) -> Iterator[list[subprocess.Popen[str]]]:
    """Processes that start their task together."""
    command = [sys.executable, "-m", "tests.support.token_worker", *arguments]
    processes = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(count)
    ]
    try:
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.communicate()


every_kind = pytest.mark.parametrize("store_name", kinds(KINDS), indirect=True)


def fresh(text: str) -> Token:
    return Token(text, time.time() + 900, 900.0)


@every_kind
def test_store_returns_what_was_saved_last_for_each_key(store_name: str) -> None:
    store = open_store(store_name)
    other = open_store(store_name) if KINDS[store_name.partition(":")[0]].place else store
    assert (store.load(KEY), store.load(OTHER)) == (None, None)
    for key, text in ((KEY, "one"), (OTHER, "two"), (KEY, "three")):
        store.save(key, saved := fresh(text))
        assert other.load(key) == saved
    assert [getattr(other.load(key), "access_token", None) for key in (KEY, OTHER)] == ["three", "two"]
    assert saved.access_token not in f"{store!r}{saved!r}"


@every_kind
def test_lock_is_held_by_one_at_a_time(store_name: str) -> None:
    store = open_store(store_name)
    with store.lock(KEY, 1) as held:
        assert held
        outcomes: list[bool] = []
        seconds: list[float] = []

        def try_it(key: str) -> None:
            began = time.monotonic()
            with store.lock(key, 0.2) as got:
                outcomes.append(got)
                seconds.append(time.monotonic() - began)

        for key in (KEY, OTHER):
            thread = threading.Thread(target=try_it, args=(key,))
            thread.start()
            thread.join()
        assert outcomes == [False, True]
        assert seconds[0] > 0.15
    with store.lock(KEY, 0.05) as held:
        assert held


@every_kind
def test_revoked_token_leaves_the_store(store_name: str, sandbox: Sandbox) -> None:
    settings = {**sandbox._with_connection({}), "token_store": open_store(store_name)}
    with InteractorClient(**settings) as client, InteractorClient(**settings) as another:
        tokens = [client.get_access_token()]
        assert another.revoke_token()
        tokens.append(another.get_access_token())
        assert client.revoke_token()  # its own, which is another than the stored one
    assert len(set(tokens)) == 2


@every_kind
def test_second_client_of_a_store_uses_the_token_of_the_first(store_name: str, server: FaultServer) -> None:
    store = open_store(store_name)
    for _ in range(2):
        with InteractorClient(**settings_of(server.url, token_store=store)) as client:
            client.assistants.get("asst_1")
    assert len(server.token_requests()) == 1


@pytest.mark.parametrize(
    ("store_name", "task"),
    [
        ("file", "threads"),
        pytest.param("redis", "threads", marks=pytest.mark.full),
        pytest.param("redis.asyncio", "tasks", marks=pytest.mark.full),
    ],
    indirect=["store_name"],
)
def test_processes_that_start_at_once_make_one_token_request(store_name: str, server: FaultServer, task: str) -> None:
    with workers(PROCESSES, task, store_name, server.url) as processes:
        for process in processes:
            out, err = process.communicate(timeout=60)
            assert out == f"done {THREADS}\n", err
            assert err == ""
    assert len(server.token_requests()) == 1
    assert len(server.calls()) == PROCESSES * THREADS


@sync_and_async
def test_clients_with_one_store_share_a_token_until_it_is_refused(mode: str) -> None:
    def answer(asked: Asked) -> bytes:
        return js(401, {}) if asked.token in refused else js(200, {"data": ASSISTANT})

    refused: set[str] = set()
    store = RecordedStore()
    with OddServer(answer) as server:
        for _ in range(2):
            for _ in range(3):
                call(mode, server.settings | {"token_store": store}, lambda client: client.assistants.get("x"))
                eventually(lambda: store.saved[-1:] == [server.calls[-1].token])
            refused.add("token_1")
    assert [asked.token for asked in server.calls] == ["token_1"] * 4 + ["token_2"] * 3


def test_client_whose_token_request_was_refused_uses_the_token_of_another() -> None:
    """docs/how-to/go-live.md: while the account server asks for a pause, no request is sent."""
    store = RecordedStore()
    answers = [js(429, {}, "Retry-After: 60"), token_answer("token_2")]
    with OddServer(
        lambda asked: js(200, {"data": ASSISTANT}), lambda asked: answers[len(server.token_requests) - 1]
    ) as server:
        options = server.settings | {"token_store": store, "max_retries": 0}
        with InteractorClient(**options) as refused, InteractorClient(**options) as other:
            for _ in range(2):
                with pytest.raises(RateLimitError):
                    refused.assistants.get("x")
            other.assistants.get("x")
            eventually(lambda: store.saved == ["token_2"])
            refused.assistants.get("x")
    assert [asked.token for asked in server.calls] == ["token_2"] * 2
    assert len(server.token_requests) == 2


def test_lock_of_a_killed_process_is_released(store_name: str, server: FaultServer) -> None:
    store = RecordedStore()
    with InteractorClient(**settings_of(server.url, token_store=store)) as client:
        client.get_access_token()
    key = store.keys[0]
    with (
        InteractorClient(**settings_of(server.url, token_store=open_store(store_name))) as client,
        workers(1, "hold", store_name, key) as (holder,),
    ):
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held True\n"
        holder.kill()
        with open_store(store_name).lock(key, PATIENCE) as held:
            assert held
        client.assistants.get("asst_1")
    assert len(server.token_requests()) == 2


@pytest.fixture
def connection() -> Iterator[Any]:
    """A client of a Redis that is empty."""
    redis = pytest.importorskip("redis")
    with redis_server() as socket, redis.Redis(unix_socket_path=socket) as connected:
        yield connected


def test_expired_redis_lock_is_not_released_by_its_former_holder(connection: Any) -> None:
    first = RedisTokenStore(connection, lock_expiry=0.05).lock(KEY, 1)
    second = RedisTokenStore(connection, lock_expiry=300).lock(KEY, PATIENCE)
    third = RedisTokenStore(connection).lock(KEY, 0)
    assert first.__enter__()
    assert second.__enter__()
    first.__exit__(None, None, None)
    assert not third.__enter__()
    third.__exit__(None, None, None)
    second.__exit__(None, None, None)
    with RedisTokenStore(connection).lock(KEY, 0) as fourth:
        assert fourth


def test_token_in_redis_expires_with_the_token(connection: Any) -> None:
    store = RedisTokenStore(connection)
    saved = Token("t0ken", time.time() + 50, 900)
    store.save(KEY, saved)
    assert store.load(KEY) == saved
    assert 0 < connection.pttl(f"interactor:token:{KEY}") <= 51_000
    store.save(KEY, Token("expired", time.time() - 1, 900))
    assert store.load(KEY) is None
    connection.set(f"interactor:token:{KEY}", b"\xff\x00")
    with pytest.raises(ValueError, match="JSON"):
        store.load(KEY)


@pytest.mark.parametrize("expiry", [0, -1, float("nan"), float("inf")])
def test_invalid_lock_expiry_is_refused(expiry: float) -> None:
    with pytest.raises(ConfigurationError, match="lock_expiry"):
        RedisTokenStore(object(), lock_expiry=expiry)


@pytest.mark.parametrize("command", [("LPUSH", "x"), ("HSET", "f", "x"), ("SADD", "x"), ("ZADD", "1", "x")])
def test_redis_key_of_another_type_is_replaced(command: tuple[str, ...], connection: Any) -> None:
    store = RedisTokenStore(connection)
    connection.execute_command(command[0], f"interactor:token:{KEY}", *command[1:])
    with pytest.raises(ValueError, match="isn't a token"):
        store.load(KEY)
    with store.lock(KEY, 0) as held, store.lock(KEY, 0) as another:
        assert (held, another) == (True, False)
        saved = Token("t0ken", time.time() + 50, 900)
        store.save(KEY, saved)
    assert store.load(KEY) == saved
    assert connection.pttl(f"interactor:token:{KEY}:lock") < 0


@pytest.mark.full  # a cluster takes two seconds to start
def test_redis_cluster_stores_tokens() -> None:
    redis = pytest.importorskip("redis")
    with redis_cluster() as port, redis.RedisCluster(host="127.0.0.1", port=port) as cluster:
        store, saved = RedisTokenStore(cluster), Token("t0ken", time.time() + 50, 900)
        with store.lock(KEY, 1) as held:
            assert held
            store.save(KEY, saved)
        assert store.load(KEY) == saved


def test_async_redis_cluster_or_sentinel_raises_configuration_error() -> None:
    pytest.importorskip("redis")
    from redis.asyncio import RedisCluster
    from redis.asyncio.sentinel import Sentinel

    for client in (RedisCluster(host="127.0.0.1"), Sentinel([("127.0.0.1", 1)]).master_for("x")):
        with pytest.raises(ConfigurationError, match="synchronous version"):
            RedisTokenStore(client)
