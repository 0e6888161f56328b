"""The EventStore and EventQueue protocols, tested with memory, SQLite, and a real Redis and PostgreSQL."""

from __future__ import annotations

import asyncio
import itertools
import os
import socket
import sqlite3
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from interactor_ext import ConfigurationError
from interactor_ext.webhooks import (
    AsyncRedisEventStore,
    ClaimState,
    EventQueue,
    EventStore,
    MemoryEventStore,
    RedisEventStore,
    SQLiteEventQueue,
    SQLiteEventStore,
    WebhookRouter,
    WebhookVerifier,
    _database,
)
from tests.support.postgres_server import PostgresServer
from tests.support.postgres_stores import POSTGRES, OneLoop, postgres_stores
from tests.support.redis_server import redis_server
from tests.support.waiting import collect_garbage
from tests.support.webhook_deliveries import SECRET, delivery

pytest_plugins = ["tests.support.postgres_fixtures"]

CLAIMED, IN_PROGRESS, COMPLETED = ClaimState.CLAIMED, ClaimState.IN_PROGRESS, ClaimState.COMPLETED


class Clock:
    """The clock of a server cannot be set, so expiries and due times are moved instead."""

    def __init__(self, redis: Any = None, postgres: PostgresServer | None = None) -> None:
        self.redis = redis
        self.postgres = postgres
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now

    def pass_(self, seconds: float) -> None:
        for key in () if self.redis is None else self.redis.keys("*"):
            if (left := self.redis.pttl(key)) >= 0:
                self.redis.pexpire(key, max(0, int(left - 1000 * seconds)))
        if self.postgres is not None:
            self.postgres.run(f"UPDATE interactor_webhook_claims SET until = until - interval '{seconds} s'")
        self.now += seconds


@pytest.fixture(scope="module")
def redis_socket() -> Iterator[str]:
    with redis_server() as socket:
        yield socket


@pytest.fixture
def redis(redis_socket: str, request: pytest.FixtureRequest) -> Iterator[Any]:
    from redis import Redis

    with Redis(unix_socket_path=redis_socket) as client:
        client.flushall()
        yield client


Make = Callable[..., Any]


@pytest.fixture(params=["memory", "sqlite", "redis", "redis, decoded", "async redis", *POSTGRES])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Make]:
    """Makes stores of one kind; `make.clock` is theirs, and two of them share what is stored if the kind can."""
    kind: str = request.param
    server = request.getfixturevalue("postgres") if kind in POSTGRES else None
    clock, closing = Clock(request.getfixturevalue("redis") if "redis" in kind else None, server), []
    if kind == "memory":
        made = lambda ttl=1000: MemoryEventStore(ttl=ttl, clock=clock)  # noqa: E731
    elif kind == "sqlite":

        def made(ttl: float = 1000) -> SQLiteEventStore:
            store = SQLiteEventStore(tmp_path / "events.db", ttl=ttl, clock=clock)
            closing.append(store.close)
            return store
    elif kind == "async redis":
        request.getfixturevalue("redis")
        from redis.asyncio import Redis as AsyncRedis

        loop = asyncio.new_event_loop()
        client = AsyncRedis(unix_socket_path=request.getfixturevalue("redis_socket"))
        made = lambda ttl=1000: OneLoop(AsyncRedisEventStore(client, ttl=ttl), loop)  # noqa: E731
        closing += [lambda: loop.run_until_complete(client.aclose()), loop.close]
    elif kind in POSTGRES:
        opened = ExitStack()
        closing.append(opened.close)
        stores = opened.enter_context(postgres_stores(kind, server.dsn))
        stores().create()
        made = lambda ttl=1000: stores(ttl=ttl)  # noqa: E731
    else:
        request.getfixturevalue("redis")
        from redis import Redis

        sync = Redis(unix_socket_path=request.getfixturevalue("redis_socket"), decode_responses="decoded" in kind)
        made = lambda ttl=1000: RedisEventStore(sync, ttl=ttl)  # noqa: E731
        closing.append(sync.close)
    made.clock = clock  # type: ignore[attr-defined]
    yield made
    for close in closing:
        close()


def pass_time(make: Make, seconds: float) -> None:
    make.clock.pass_(seconds)  # type: ignore[attr-defined]


def test_every_store_implements_event_store_protocol(make: Make) -> None:
    assert isinstance(make(), EventStore | OneLoop)


def test_event_is_claimed_once_and_completed_once(make: Make) -> None:
    store = make()
    assert store.claim("k", "one", 60) == CLAIMED
    assert store.claim("k", "two", 60) == IN_PROGRESS
    assert store.claim("other", "two", 60) == CLAIMED
    assert store.complete("k", "one") is True
    assert store.claim("k", "two", 60) == COMPLETED
    assert store.complete("k", "two") is False
    assert isinstance(store.claim("k", "two", 60), ClaimState)


def test_released_event_can_be_claimed_again(make: Make) -> None:
    store = make()
    store.claim("k", "one", 60)
    store.release("k", "one")
    assert store.claim("k", "two", 60) == CLAIMED


def test_only_claim_holder_can_release(make: Make) -> None:
    store = make()
    store.claim("k", "one", 60)
    store.release("k", "two")
    store.release("unknown", "two")
    assert store.claim("k", "two", 60) == IN_PROGRESS


def test_completed_event_cannot_be_released(make: Make) -> None:
    store = make()
    store.claim("k", "one", 60)
    store.complete("k", "one")
    store.release("k", "one")
    assert store.claim("k", "two", 60) == COMPLETED


def test_claim_expires_with_its_lease(make: Make) -> None:
    store = make()
    store.claim("k", "one", 300)
    assert store.claim("k", "two", 60) == IN_PROGRESS
    pass_time(make, 301)
    assert store.claim("k", "two", 60) == CLAIMED
    store.release("k", "one")
    assert store.claim("k", "three", 60) == IN_PROGRESS


def test_services_with_different_names_share_a_store(make: Make) -> None:
    store = make()
    for name in ("shop", "billing"):
        assert store.claim(f"{name}:k", "t", 60) == CLAIMED
        assert store.complete(f"{name}:k", "t") is True
        assert store.claim(f"{name}:k", "t", 60) == COMPLETED


def test_first_completion_counts_regardless_of_claim_holder(make: Make) -> None:
    store = make()
    store.claim("k", "slow", 300)
    pass_time(make, 301)
    assert store.claim("k", "fast", 60) == CLAIMED
    assert store.complete("k", "slow") is True
    assert store.complete("k", "fast") is False
    store.release("k", "fast")
    assert store.claim("k", "late", 60) == COMPLETED


def test_completion_without_claim_counts(make: Make) -> None:
    store = make()
    assert store.complete("k", "token") is True
    assert store.claim("k", "late", 60) == COMPLETED


def test_completed_event_is_forgotten_after_ttl(make: Make) -> None:
    store = make(ttl=300)
    store.claim("k", "one", 60)
    store.complete("k", "one")
    assert store.claim("k", "two", 60) == COMPLETED
    pass_time(make, 301)
    assert store.claim("k", "two", 60) == CLAIMED


def test_concurrent_threads_complete_each_event_once(make: Make) -> None:
    store = make()
    if isinstance(store, OneLoop):
        pytest.skip("one event loop has one thread")

    def race(number: int) -> list[bool]:
        key, token = f"k{number % 20}", str(number)
        return [store.complete(key, token)] if store.claim(key, token, 60) == CLAIMED else []

    with ThreadPoolExecutor(8) as pool:
        outcomes = [outcome for outcomes in pool.map(race, range(400)) for outcome in outcomes]
    assert outcomes == [True] * 20


# What is particular to one of them


def test_memory_store_sweeps_expired_entries_and_is_bounded() -> None:
    clock = Clock()
    store = MemoryEventStore(ttl=10, max_events=50, clock=clock)
    for number in range(100):
        store.claim(f"k{number}", "t", 60)
        store.complete(f"k{number}", "t")
    assert len(store._entries) == 50
    assert store.claim("k99", "t", 60) == COMPLETED
    assert store.claim("k0", "t", 60) == CLAIMED
    clock.now += 100
    for number in range(2000):
        store.claim(f"new{number}", "t", 0)
    assert not [key for key in store._entries if key.startswith("k")]


def test_memory_store_never_evicts_claims() -> None:
    store = MemoryEventStore(max_events=1)
    store.claim("in hand", "t", 60)
    for number in range(5):
        store.complete(f"k{number}", "t")
    assert store.claim("in hand", "u", 60) == IN_PROGRESS


def test_sqlite_store_survives_restart_and_uses_wal(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    with SQLiteEventStore(path) as store:
        store.claim("k", "one", 60)
        store.complete("k", "one")
        assert (tmp_path / "events.db-wal").exists()
    with SQLiteEventStore(str(path)) as store:
        assert store.claim("k", "two", 60) == COMPLETED
        store.close()
        assert store.claim("k", "two", 60) == COMPLETED


def test_sqlite_store_sweeps_expired_rows(tmp_path: Path) -> None:
    clock = Clock()
    with SQLiteEventStore(tmp_path / "events.db", ttl=10, clock=clock) as store:
        for number in range(20):
            store.complete(f"k{number}", "t")
        clock.now += 4000
        store.claim("new", "t", 60)
        with store._database.transaction() as connection:
            assert connection.execute("SELECT count(*) FROM interactor_webhook_claims").fetchone() == (1,)


def test_sqlite_locked_by_other_writer_raises_after_timeout(tmp_path: Path) -> None:
    with (
        SQLiteEventStore(tmp_path / "events.db", timeout=0.05) as store,
        sqlite3.connect(tmp_path / "events.db") as other,
    ):
        store.claim("k", "one", 60)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            store.claim("k", "one", 60)
        other.rollback()
        assert store.claim("other", "one", 60) == CLAIMED
    other.close()


def test_sqlite_new_file_locked_raises_after_timeout(tmp_path: Path) -> None:
    with SQLiteEventStore(tmp_path / "events.db", timeout=0.05) as store:
        other = sqlite3.connect(tmp_path / "events.db")
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            store.claim("k", "one", 60)
        other.close()
        assert store.claim("k", "one", 60) == CLAIMED


def test_sqlite_rolls_back_failed_transaction(tmp_path: Path) -> None:
    with SQLiteEventStore(tmp_path / "events.db") as store:

        def fail_halfway() -> None:
            with store._database.transaction() as connection:
                connection.execute("INSERT INTO interactor_webhook_claims VALUES ('k', 't', 9e9, 1)")
                raise LookupError

        with pytest.raises(LookupError):
            fail_halfway()
        assert store.claim("k", "one", 60) == CLAIMED


@pytest.mark.parametrize("kind", [SQLiteEventStore, SQLiteEventQueue])
def test_sqlite_connection_is_closed_by_collector(tmp_path: Path, kind: Any) -> None:
    store = kind(tmp_path / "events.db")
    with store._database.transaction() as connection:
        connection.execute("SELECT 1")
    del store
    collect_garbage()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        connection.execute("SELECT 1")


def test_sqlite_store_failing_in_init_raises_nothing_in_del(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError):
        SQLiteEventStore(tmp_path / "events.db", timeout=-1)
    collect_garbage()  # pytest fails a test that leaves an error in a finalizer


def test_sqlite_connection_of_invalid_file_is_closed(tmp_path: Path) -> None:
    (tmp_path / "events.db").write_text("no database, but text of some length" * 100)
    store = SQLiteEventStore(tmp_path / "events.db")
    for _ in range(2):
        with pytest.raises(sqlite3.DatabaseError):
            store.claim("k", "one", 60)


@pytest.mark.parametrize("kind", [SQLiteEventStore, SQLiteEventQueue])
@pytest.mark.parametrize("timeout", [-1, float("nan"), float("inf"), "5"])
def test_sqlite_invalid_timeout_raises_configuration_error(kind: Any, timeout: Any) -> None:
    with pytest.raises(ConfigurationError, match="timeout"):
        kind("events.db", timeout=timeout)


def test_sqlite_timeout_is_shared_by_waiting_threads(tmp_path: Path) -> None:
    def waited(number: int) -> float:
        began = time.monotonic()
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            store.claim(f"k{number}", "t", 60)
        return time.monotonic() - began

    with SQLiteEventStore(tmp_path / "events.db", timeout=1) as store, ThreadPoolExecutor(40) as pool:
        store.claim("k", "one", 60)
        other = sqlite3.connect(tmp_path / "events.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        assert max(pool.map(waited, range(40))) < 20
        other.close()
        assert store.claim("k0", "one", 60) == CLAIMED


def test_sqlite_path_survives_change_of_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    with SQLiteEventStore("events.db") as store, SQLiteEventStore(":memory:") as private:
        monkeypatch.chdir(tmp_path / "elsewhere")
        assert store.claim("k", "one", 60) == CLAIMED
        assert private.claim("k", "one", 60) == CLAIMED
    assert (tmp_path / "events.db").exists()
    assert os.listdir(tmp_path / "elsewhere") == []


class Interrupt(Exception):
    """What a signal handler raises."""


def interrupted(number: int, call: Callable[[], object]) -> bool:
    """Whether the call was interrupted at the `number`th of the places where Python looks for signals in the store's
    code: where a function begins, and where one of C's has returned.
    """
    passed = 0

    def profile(frame: FrameType, what: str, _: Any) -> None:
        nonlocal passed
        if frame.f_code.co_filename == _database.__file__ and what in ("call", "c_return"):
            passed += 1
            if passed == number:
                raise Interrupt

    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        call()
    except Interrupt:
        return True
    finally:
        sys.setprofile(before)
    return False


# Where the signal comes right after a connection was opened, nobody has it yet, to close it: since 3.13 Python says so.
@pytest.mark.filterwarnings("ignore:Exception ignored in. <sqlite3:pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("is_new", [True, False])
def test_sqlite_survives_interrupt_in_every_line(tmp_path: Path, is_new: bool) -> None:
    with ThreadPoolExecutor(1) as other_thread:
        for number in itertools.count(1):
            with SQLiteEventStore(tmp_path / "events.db", timeout=60) as store:
                if not is_new:
                    store.claim("before", "t", 60)
                hit = interrupted(number, lambda store=store: store.claim("k", "t", 60))  # type: ignore[misc]
                assert store.complete("k", "t"), number
                store.release("before", "t")
                assert other_thread.submit(store.claim, "k", "u", 60).result(60) == COMPLETED
                with sqlite3.connect(tmp_path / "events.db", timeout=0) as another:
                    another.execute("DELETE FROM interactor_webhook_claims")
                another.close()
            if not hit:
                break
    collect_garbage()
    assert number > 10


needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
in_threads = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


def in_child(work: Callable[[], object]) -> int:
    """Fork a child that exits with 0 if the work returns something true; returns its process id."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = 0 if work() else 2
        finally:
            os._exit(code)
    return child


def ended_well(child: int) -> bool:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def keys_for_another_process(path: Path) -> list[str]:
    code = "import sqlite3, sys; print(*(k for k, in sqlite3.connect(sys.argv[1]).execute(sys.argv[2])))"
    query = "SELECT key FROM interactor_webhook_claims WHERE completed ORDER BY key"
    return subprocess.check_output([sys.executable, "-I", "-c", code, str(path), query], text=True).split()


@needs_fork
def test_sqlite_store_works_after_fork(tmp_path: Path) -> None:
    with SQLiteEventStore(tmp_path / "events.db") as store:
        assert store.claim("parent", "t", 60) == CLAIMED
        child = in_child(
            lambda: store.claim("parent", "u", 60) == IN_PROGRESS and store.claim("child", "t", 60) == CLAIMED
        )
        assert ended_well(child)
        assert store.claim("child", "u", 60) == IN_PROGRESS


@needs_fork
def test_sqlite_writes_of_forked_child_survive_parent_close(tmp_path: Path) -> None:
    """If the parent's connection were open across the fork, its close would delete the child's write-ahead log."""
    path = tmp_path / "events.db"
    (child_has_begun, begun), (parent_has_closed, closed) = os.pipe(), os.pipe()
    with SQLiteEventStore(path) as store:
        store.complete("before", "t")

        def work() -> bool:
            store.complete("child 1", "t")
            os.write(begun, b"x")
            os.read(parent_has_closed, 1)
            store.complete("child_2", "t")
            return "child_2" in keys_for_another_process(path)

        child = in_child(work)
        os.read(child_has_begun, 1)
    os.write(closed, b"x")
    assert ended_well(child)
    with SQLiteEventStore(path) as store:
        assert store.claim("child_2", "t", 60) == COMPLETED
    for descriptor in (child_has_begun, begun, parent_has_closed, closed):
        os.close(descriptor)


@needs_fork
@in_threads
def test_sqlite_forked_child_of_writing_threads_can_write(tmp_path: Path) -> None:
    with SQLiteEventStore(tmp_path / "events.db", timeout=60) as store, ThreadPoolExecutor(2) as pool:
        stop = threading.Event()

        def write(name: int) -> int:
            number = 0
            while not stop.is_set():
                number += store.complete(f"{name} {number}", "t")
            return number

        writing = [pool.submit(write, name) for name in range(2)]
        try:
            children = [in_child(lambda: store.claim(f"child {os.getpid()}", "t", 60) == CLAIMED) for _ in range(5)]
        finally:
            stop.set()
        assert all(ended_well(child) for child in children)
        assert all(thread.result() for thread in writing)
        assert store.claim(f"child {children[0]}", "t", 60) == IN_PROGRESS


@needs_fork
def test_memory_store_works_after_fork() -> None:
    with SQLiteEventStore(":memory:") as store:
        store.claim("k", "t", 60)
        assert ended_well(in_child(lambda: store.claim("k", "u", 60) == CLAIMED))
        assert store.claim("k", "u", 60) == IN_PROGRESS


def test_concurrent_processes_open_new_sqlite_file(tmp_path: Path) -> None:
    code = (
        "import sys; from interactor_ext.webhooks import SQLiteEventStore\n"
        "with SQLiteEventStore(sys.argv[1], timeout=60) as store: print(store.claim('k', sys.argv[2], 60).name)"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "new.db"), str(number)], stdout=subprocess.PIPE)
        for number in range(6)
    ]
    said = sorted(process.communicate(timeout=60)[0].decode().strip() for process in processes)
    assert said == ["CLAIMED"] + ["IN_PROGRESS"] * 5


def test_redis_keys_have_prefix_and_expiry(redis: Any) -> None:
    store = RedisEventStore(redis, ttl=100, prefix="acme:")
    store.claim("k", "t", 60)
    assert redis.keys("*") == [b"acme:k"]
    assert 30_000 < redis.pttl("acme:k") <= 60_000
    store.complete("k", "t")
    assert 70_000 < redis.pttl("acme:k") <= 100_000


@pytest.mark.parametrize("kind", [SQLiteEventStore, SQLiteEventQueue])
@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="needs the modes of POSIX")
def test_sqlite_files_are_readable_by_owner_only(kind: Any, tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with kind(tmp_path / "events.db") as store:
            if kind is SQLiteEventQueue:
                store.put("k", b"body")
            else:
                store.claim("k", "t", 60)
            files = {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
    finally:
        os.umask(before)
    assert files == {"events.db": 0o600, "events.db-wal": 0o600, "events.db-shm": 0o600}


@pytest.mark.parametrize("command", [("LPUSH", "x"), ("HSET", "f", "x"), ("SADD", "x"), ("ZADD", "1", "x")])
def test_redis_key_of_other_type_is_replaced(redis: Any, command: tuple[str, ...]) -> None:
    store, name = RedisEventStore(redis), "interactor:webhook:k"
    for step in (
        lambda: store.claim("k", "t", 60) == ClaimState.CLAIMED,
        lambda: store.complete("k", "t"),
        lambda: store.release("k", "t") is None,
    ):
        redis.delete(name)
        redis.execute_command(command[0], name, *command[1:])
        assert step()
    redis.delete(name)
    assert store.claim("k", "t", 60) == ClaimState.CLAIMED
    assert store.claim("k", "u", 60) == ClaimState.IN_PROGRESS


def test_redis_ttl_defaults_to_seven_days(redis: Any) -> None:
    RedisEventStore(redis).complete("k", "t")
    assert 604_000 < redis.ttl("interactor:webhook:k") <= 604_800


def test_redis_store_with_wrong_sync_or_async_client_raises(redis: Any) -> None:
    from redis.asyncio import Redis as AsyncRedis

    for wrong in (
        lambda: RedisEventStore(AsyncRedis()),
        lambda: AsyncRedisEventStore(redis),
        lambda: RedisEventStore(redis, ttl=0),
    ):
        with pytest.raises(ConfigurationError):
            wrong()


# Queues


@pytest.fixture
def make_queue(tmp_path: Path) -> Iterator[Make]:
    clock, closing = Clock(), []

    def made(ttl: float = 1000) -> EventQueue:
        queue = SQLiteEventQueue(tmp_path / "queue.db", ttl=ttl, clock=clock)
        closing.append(queue.close)
        return queue

    made.clock = clock  # type: ignore[attr-defined]
    yield made
    for close in closing:
        close()


def test_queue_implements_event_queue_protocol(make_queue: Make) -> None:
    assert isinstance(make_queue(), EventQueue)


def test_queued_event_is_taken_once_and_completed_once(make_queue: Make) -> None:
    queue = make_queue()
    assert queue.take("t", 60) is None
    assert queue.put("k", "é".encode()) is True
    assert queue.put("k", b"other bytes") is False
    assert queue.take("one", 60) == ("k", "é".encode(), 1)
    assert queue.take("two", 60) is None
    assert queue.put("k", b"") is False
    assert queue.complete("k", "one") is True
    assert queue.complete("k", "two") is False
    assert queue.put("k", b"") is False
    assert queue.take("two", 60) is None


def test_longest_due_event_is_taken_first(make_queue: Make) -> None:
    queue = make_queue()
    for key in "abc":
        queue.put(key, b"")
        pass_time(make_queue, 1)
    assert [queue.take(token, 60).key for token in "123"] == ["a", "b", "c"]


def test_retried_event_is_taken_when_due(make_queue: Make) -> None:
    queue = make_queue()
    queue.put("k", b"x")
    queue.take("one", 60)
    assert queue.retry("k", "one", 300, "broken") is True
    assert queue.take("two", 60) is None
    pass_time(make_queue, 301)
    assert queue.take("two", 60) == ("k", b"x", 2)


def test_put_back_event_is_taken_again_without_counting_an_attempt(make_queue: Make) -> None:
    queue = make_queue()
    queue.put("k", b"x")
    for number in range(3):
        assert queue.take(f"{number}", 60) == ("k", b"x", 1)
        assert queue.put_back("k", "another", 0) is False
        assert queue.put_back("k", f"{number}", 300) is True
        assert queue.put_back("k", f"{number}", 300) is False
        assert queue.take("t", 60) is None
        pass_time(make_queue, 301)
    assert queue.take("last", 60) == ("k", b"x", 1)
    assert queue.complete("k", "last") is True
    assert queue.put_back("k", "last", 0) is False


def test_worker_with_expired_lease_can_only_complete(make_queue: Make) -> None:
    queue = make_queue()
    queue.put("k", b"x")
    queue.take("slow", 300)
    pass_time(make_queue, 301)
    assert queue.take("fast", 60) == ("k", b"x", 2)
    assert queue.retry("k", "slow", 0, "") is False
    assert queue.bury("k", "slow", "") is False
    assert queue.take("third", 60) is None
    assert queue.complete("k", "slow") is True
    assert queue.complete("k", "fast") is False
    assert queue.retry("k", "fast", 0, "") is False


def test_dead_letters_can_be_listed_replayed_and_discarded(make_queue: Make) -> None:
    queue = make_queue()
    for key in ("a", "b", "c"):
        queue.put(key, key.encode())
        queue.take("t", 60)
        assert queue.bury(key, "t", f"{key} é" + "x" * 5000) is True
        pass_time(make_queue, 1)
    assert queue.take("t", 60) is None
    letters = queue.dead_letters()
    assert [(letter.key, letter.body, letter.attempts) for letter in letters] == [
        ("a", b"a", 1),
        ("b", b"b", 1),
        ("c", b"c", 1),
    ]
    assert letters[0].error.startswith("a éx")
    assert len(letters[0].error) == 1000
    assert 0 <= letters[1].failed_at - letters[0].failed_at < 60
    assert [letter.key for letter in queue.dead_letters(limit=2)] == ["a", "b"]
    assert queue.put("a", b"") is False

    assert queue.replay("a") is True
    assert queue.replay("a") is False
    assert queue.take("t", 60) == ("a", b"a", 1)
    assert queue.discard("b") is True
    assert queue.discard("b") is False
    assert queue.discard("a") is False
    assert queue.put("b", b"") is False
    assert [letter.key for letter in queue.dead_letters()] == ["c"]
    assert queue.complete("c", "late worker") is True
    assert queue.dead_letters() == []


def test_completed_queued_event_is_forgotten_after_ttl(make_queue: Make) -> None:
    queue = make_queue(ttl=300)
    queue.put("k", b"x")
    queue.take("t", 60)
    queue.complete("k", "t")
    pass_time(make_queue, 4000)
    queue.take("t", 60)
    assert queue.put("k", b"y") is True


def test_concurrent_threads_take_each_event_once(make_queue: Make) -> None:
    queue, taken, lock = make_queue(), [], threading.Lock()
    for number in range(100):
        queue.put(f"k{number}", b"x")

    def worker(name: int) -> None:
        for attempt in itertools.count():
            event = queue.take(f"{name} {attempt}", 60)
            if event is None:
                break
            with lock:
                taken.append(event.key)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(worker, range(4)))
    assert len(taken) == len(set(taken)) == 100


@pytest.fixture
def evicting(redis: Any) -> Iterator[Any]:
    redis.config_set("maxmemory-policy", "allkeys-lru")
    yield redis
    redis.config_set("maxmemory-policy", "noeviction")


def test_redis_eviction_policy_warns_once(evicting: Any, redis_socket: str, caplog: pytest.LogCaptureFixture) -> None:
    store = RedisEventStore(evicting)
    for number in range(3):
        assert store.claim(f"k{number}", "t", 60) == CLAIMED
    assert caplog.text.count("maxmemory-policy allkeys-lru") == 1

    async def with_async_client() -> None:
        from redis.asyncio import Redis as AsyncRedis

        async with AsyncRedis(unix_socket_path=redis_socket) as client:
            asynchronous = AsyncRedisEventStore(client)
            for number in range(3):
                assert await asynchronous.claim(f"a{number}", "t", 60) == CLAIMED

    asyncio.run(with_async_client())
    assert caplog.text.count("maxmemory-policy allkeys-lru") == 2


def test_redis_noeviction_policy_does_not_warn(redis: Any, caplog: pytest.LogCaptureFixture) -> None:
    RedisEventStore(redis).claim("k", "t", 60)
    assert caplog.records == []


def test_redis_with_unknown_eviction_policy_is_used(redis: Any, caplog: pytest.LogCaptureFixture) -> None:
    redis.execute_command("ACL", "SETUSER", "default", "-info")
    try:
        assert RedisEventStore(redis).claim("k", "t", 60) == CLAIMED
    finally:
        redis.execute_command("ACL", "SETUSER", "default", "+info")
    assert caplog.records == []


def test_redis_claim_without_expiry_gets_one(redis: Any) -> None:
    store = RedisEventStore(redis, prefix="s:")
    store.claim("k", "dead", 60)
    redis.persist("s:k")
    assert store.claim("k", "two", 0.05) == IN_PROGRESS
    time.sleep(0.1)
    assert store.claim("k", "two", 60) == CLAIMED


@pytest.fixture
def silent_redis() -> Iterator[str]:
    """The socket of a server that accepts and never answers."""
    with tempfile.TemporaryDirectory(prefix="redis-") as folder, socket.socket(socket.AF_UNIX) as server:
        server.bind(f"{folder}/s")
        server.listen(200)
        yield f"{folder}/s"


def test_hanging_redis_raises_after_timeout(silent_redis: str) -> None:
    from redis import Redis

    client = Redis(unix_socket_path=silent_redis, socket_timeout=None)
    store = RedisEventStore(client, timeout=0.05)
    for call in (
        lambda: store.claim("k", "t", 60),
        lambda: store.complete("k", "t"),
    ):
        with pytest.raises(TimeoutError, match=r"did not end within 0\.05 s"):
            call()

    def hangs(_: int) -> bool:
        with pytest.raises(TimeoutError):
            store.claim("k", "t", 60)
        return True

    with ThreadPoolExecutor(70) as pool:  # more than there are threads for Redis
        assert all(pool.map(hangs, range(70)))
    router = WebhookRouter(WebhookVerifier(SECRET), store, name="shop")
    router.on("*")(print)
    assert router.handle(*delivery()).status == 503
    assert asyncio.run(router.ahandle(*delivery())).status == 503


async def test_hanging_redis_raises_after_timeout_for_async_callers(silent_redis: str) -> None:
    from redis.asyncio import Redis as AsyncRedis

    client = AsyncRedis(unix_socket_path=silent_redis, socket_timeout=None)
    store = AsyncRedisEventStore(client, timeout=0.05)
    with pytest.raises(TimeoutError):
        await store.claim("k", "t", 60)
    router = WebhookRouter(WebhookVerifier(SECRET), store, name="shop")
    router.on("*")(print)
    assert (await router.ahandle(*delivery())).status == 503
    await client.aclose()


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf"), "5"])
def test_redis_invalid_timeout_raises_configuration_error(redis: Any, timeout: Any) -> None:
    with pytest.raises(ConfigurationError, match="timeout"):
        RedisEventStore(redis, timeout=timeout)


@pytest.fixture
def losing_redis(redis: Any, redis_socket: str) -> Iterator[tuple[Any, list[str]]]:
    """A client, and the commands whose response is lost once, after Redis has executed them."""
    from redis import ConnectionError as RedisConnectionError
    from redis import ConnectionPool, Redis, UnixDomainSocketConnection
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    to_lose: list[str] = []

    class Losing(UnixDomainSocketConnection):
        sent = ""

        def send_command(self, *args: Any, **options: Any) -> None:
            self.sent = str(args[0])
            super().send_command(*args, **options)

        def read_response(self, *args: Any, **options: Any) -> Any:
            answer = super().read_response(*args, **options)
            if self.sent in to_lose:
                to_lose.remove(self.sent)
                self.disconnect()
                raise RedisConnectionError("Connection closed by server.")
            return answer

    pool = ConnectionPool(
        connection_class=Losing,
        path=redis_socket,
        retry=Retry(NoBackoff(), 3),
        retry_on_error=[RedisConnectionError],  # as redis-py 6 and newer do by themselves
    )
    with Redis(connection_pool=pool) as client:
        yield client, to_lose
    pool.disconnect()


def test_redis_claim_with_lost_response_can_be_repeated(losing_redis: tuple[Any, list[str]]) -> None:
    client, to_lose = losing_redis
    store = RedisEventStore(client)
    to_lose.append("EVAL")
    assert store.claim("k", "one", 60) == CLAIMED
    assert to_lose == []
    assert store.claim("k", "two", 60) == IN_PROGRESS
    assert 30_000 < client.pttl("interactor:webhook:k") <= 60_000
    store.release("k", "one")
    assert store.claim("k", "two", 60) == CLAIMED


@pytest.mark.parametrize("ttl", [0, -1, float("nan"), float("inf")])
def test_redis_invalid_ttl_raises_configuration_error(redis: Any, ttl: float) -> None:
    with pytest.raises(ConfigurationError, match="ttl"):
        RedisEventStore(redis, ttl=ttl)
