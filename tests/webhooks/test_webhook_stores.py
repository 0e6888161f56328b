"""The EventStore and EventQueue protocols, with memory, SQLite, and a real Redis and PostgreSQL."""

from __future__ import annotations

import asyncio
import itertools
import math
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

from interactor_ext import ConfigurationError, WebhookStoreError, webhooks
from interactor_ext.webhooks import (
    ClaimState,
    EventQueue,
    EventStore,
    MemoryEventStore,
    PostgresEventQueue,
    PostgresEventStore,
    RedisEventStore,
    SQLiteEventQueue,
    SQLiteEventStore,
    WebhookRouter,
    WebhookVerifier,
)
from tests.support.clock import Clock
from tests.support.forks import ended_well, in_child, in_threads, needs_fork
from tests.support.postgres_server import PostgresServer
from tests.support.waiting import collect_garbage
from tests.support.webhook_deliveries import SECRET, delivery
from tests.support.webhook_stores import CONTRACTS, KINDS, OneLoop, Stores, check

pytest_plugins = ["tests.support.server_fixtures"]

CLAIMED, IN_PROGRESS, COMPLETED = ClaimState.CLAIMED, ClaimState.IN_PROGRESS, ClaimState.COMPLETED


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def place(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    match KINDS[kind].place:
        case "redis":
            return request.getfixturevalue("redis_socket")
        case "postgres":
            return request.getfixturevalue("postgres").dsn
    return tmp_path / "events.db"


@pytest.fixture
def stores(kind: str, place: Any) -> Iterator[Stores]:
    with ExitStack() as stack:
        stores = Stores(kind, place, stack)
        if KINDS[kind].place == "postgres":
            stores().create()
        yield stores


@pytest.fixture
def pass_time(stores: Stores, request: pytest.FixtureRequest) -> Callable[[float], None]:
    """The clock of a server cannot be set, so expiries and due times are moved instead."""

    def pass_time(seconds: float) -> None:
        stores.clock.now += seconds
        match stores.kind.place:
            case "redis":
                redis = request.getfixturevalue("redis")
                for key in redis.keys("*"):
                    redis.pexpire(key, max(0, int(redis.pttl(key) - 1000 * seconds)))
            case "postgres":
                moved = f"UPDATE interactor_webhook_claims SET until = until - interval '{seconds} s'"
                request.getfixturevalue("postgres").run(moved)

    return pass_time


@pytest.mark.parametrize("steps", CONTRACTS["stores"].values(), ids=CONTRACTS["stores"])
def test_store_keeps_its_contract(stores: Stores, pass_time: Callable[[float], None], steps: list[Any]) -> None:
    store = stores(ttl=300)
    assert isinstance(store.store if isinstance(store, OneLoop) else store, EventStore)
    check(store, steps, pass_time)


@pytest.mark.parametrize("kind", [name for name, kind in KINDS.items() if not kind.is_async], indirect=True)
def test_concurrent_threads_complete_each_event_once(stores: Stores) -> None:
    store = stores()

    def race(number: int) -> list[bool]:
        key, token = f"k{number % 20}", str(number)
        return [store.complete(key, token)] if store.claim(key, token, 60) == CLAIMED else []

    with ThreadPoolExecutor(8) as pool:
        outcomes = [outcome for outcomes in pool.map(race, range(400)) for outcome in outcomes]
    assert outcomes == [True] * 20


STORES = {kind.store: kind.place for kind in KINDS.values()} | {
    SQLiteEventQueue: "file",
    PostgresEventQueue: "postgres",
}
WRONG = [
    *((store, "ttl", value) for store in STORES for value in (0, -1, math.nan, "5")),
    *(
        (store, "timeout", value)
        for store in STORES
        if STORES[store] in ("file", "postgres")
        for value in (-1, math.nan, math.inf, "5")
    ),
    *((store, "ttl", math.inf) for store in STORES if STORES[store] == "redis"),
]


def place_for(store: Any) -> list[Any]:
    """Where a store of this class may be, that nobody asks."""
    match STORES[store]:
        case "redis":
            redis = pytest.importorskip("redis.asyncio" if "Async" in store.__name__ else "redis")
            return [redis.Redis()]
        case "postgres":
            pytest.importorskip("psycopg")
            return ["host=nowhere"]
    return ["events.db"] if STORES[store] else []


@pytest.mark.parametrize(("store", "setting", "value"), WRONG)
def test_setting_out_of_range_raises_configuration_error(store: Any, setting: str, value: Any) -> None:
    with pytest.raises(ConfigurationError, match=setting):
        store(*place_for(store), **{setting: value})
    if STORES[store] == "file" and value == "5":
        collect_garbage()  # pytest fails a test that leaves an error in a finalizer


@pytest.mark.parametrize("store", [store for store, place in STORES.items() if place in ("redis", "postgres")])
def test_database_of_another_kind_raises_configuration_error(store: Any) -> None:
    twin = f"Async{store.__name__}" if "Async" not in store.__name__ else store.__name__.removeprefix("Async")
    wrong: list[Any] = [None, object()]
    if "Redis" in twin:
        wrong = place_for(getattr(webhooks, twin))
    else:
        pools = pytest.importorskip("psycopg_pool")
        wrong.append((pools.AsyncConnectionPool if "Async" in twin else pools.ConnectionPool)("host=a", open=False))
    for each in wrong:
        with pytest.raises(ConfigurationError, match="needs a"):
            store(each)


@pytest.fixture
def silent_server() -> Iterator[str]:
    """The folder of a socket at which a server accepts and never answers."""
    with tempfile.TemporaryDirectory(prefix="silent-") as folder, socket.socket(socket.AF_UNIX) as server:
        server.bind(f"{folder}/.s.PGSQL.5432")
        server.listen(200)
        yield folder


@pytest.mark.parametrize("kind", ["postgres", "async postgres"])
def test_server_that_never_answers_raises_after_the_timeout_and_the_router_answers_503(
    silent_server: str, kind: str
) -> None:
    pytest.importorskip("psycopg")
    with ExitStack() as stack:
        store = Stores(kind, f"host={silent_server} user=postgres", stack)(timeout=0.05)
        for call in (lambda: store.claim("k", "t", 60), lambda: store.complete("k", "t")):
            with pytest.raises(WebhookStoreError, match=r"0\.05 s"):
                call()
        router = WebhookRouter(WebhookVerifier(SECRET), store, name="shop")
        router.on("*")(print)
        assert router.handle(*delivery()).status == 503
        if not isinstance(store, OneLoop):
            # More than there are threads for a server, and each call ends all the same.
            with ThreadPoolExecutor(70) as pool:
                calls = [pool.submit(store.claim, "k", "t", 60) for _ in range(70)]
            assert {type(each.exception()) for each in calls} == {WebhookStoreError}
            assert asyncio.run(router.ahandle(*delivery())).status == 503


# Memory


def test_memory_store_forgets_the_oldest_handled_events_and_no_claim() -> None:
    store = MemoryEventStore(max_events=50)
    store.claim("in hand", "t", 60)
    for number in range(100):
        store.complete(f"k{number}", "t")
    assert store.claim("in hand", "u", 60) == IN_PROGRESS
    assert [store.claim(key, "t", 60) for key in ("k99", "k60", "k0")] == [COMPLETED, COMPLETED, CLAIMED]


# SQLite


def test_sqlite_store_survives_restart_and_its_connection_ends_with_it(tmp_path: Path) -> None:
    path, log = tmp_path / "events.db", tmp_path / "events.db-wal"  # SQLite deletes the log with the last connection
    with SQLiteEventStore(path) as store:
        store.claim("k", "one", 60)
        store.complete("k", "one")
        assert log.exists()
    assert not log.exists()
    with SQLiteEventStore(str(path)) as store:
        assert store.claim("k", "two", 60) == COMPLETED
        store.close()
        assert store.claim("k", "two", 60) == COMPLETED
    for kind in (SQLiteEventStore, SQLiteEventQueue):
        forgotten: Any = kind(path)
        forgotten.complete("k", "t")
        assert log.exists(), kind
        del forgotten
        collect_garbage()
        assert not log.exists(), kind


def test_sqlite_store_sweeps_expired_rows(tmp_path: Path) -> None:
    clock = Clock()
    with SQLiteEventStore(tmp_path / "events.db", ttl=10, clock=clock) as store:
        for number in range(20):
            store.complete(f"k{number}", "t")
        clock.now += 4000
        store.claim("new", "t", 60)
    with sqlite3.connect(tmp_path / "events.db") as connection:
        assert connection.execute("SELECT key FROM interactor_webhook_claims").fetchall() == [("new",)]
    connection.close()


@pytest.mark.parametrize("is_new", [True, False])
def test_sqlite_locked_by_other_writer_raises_after_timeout(tmp_path: Path, is_new: bool) -> None:
    with SQLiteEventStore(tmp_path / "events.db", timeout=0.05) as store:
        if not is_new:
            store.complete("before", "t")
        other = sqlite3.connect(tmp_path / "events.db", isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            store.claim("k", "one", 60)
        other.close()
        assert store.claim("k", "one", 60) == CLAIMED


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


@pytest.mark.parametrize("kind", [SQLiteEventStore, SQLiteEventQueue])
@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="needs the modes of POSIX")
def test_sqlite_files_are_readable_by_owner_only(kind: Any, tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with kind(tmp_path / "events.db") as store:
            store.complete("k", "t")
            files = {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
    finally:
        os.umask(before)
    assert files == {"events.db": 0o600, "events.db-wal": 0o600, "events.db-shm": 0o600}


class Interrupt(Exception):
    """What a signal handler raises."""


def interrupted(number: int, call: Callable[[], object]) -> bool:
    """Whether the call was interrupted at the `number`th of the places where Python looks for signals in code of
    webhooks: where a function begins, and where one of C's has returned.
    """
    package, passed = os.path.dirname(webhooks.__file__), 0

    def profile(frame: FrameType, what: str, _: Any) -> None:
        nonlocal passed
        if frame.f_code.co_filename.startswith(package) and what in ("call", "c_return"):
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


@pytest.mark.parametrize("kind", [SQLiteEventStore, SQLiteEventQueue])
def test_sqlite_writes_are_on_disk_before_their_method_returns(kind: Any, tmp_path: Path) -> None:
    """docs/explanation/receiver.md: an event that got 200 isn't lost while the disk survives."""
    with kind(tmp_path / "webhooks.db") as store, store._transaction() as (connection, _):
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL, whatever SQLite was built with
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


# Where the signal comes right after a connection was opened, nobody has it yet, to close it: since 3.13 Python says so.
@pytest.mark.filterwarnings("ignore:Exception ignored .*<sqlite3:pytest.PytestUnraisableExceptionWarning")
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


def keys_for_another_process(path: Path) -> list[str]:
    code = "import sqlite3, sys; print(*(k for k, in sqlite3.connect(sys.argv[1]).execute(sys.argv[2])))"
    query = "SELECT key FROM interactor_webhook_claims WHERE completed ORDER BY key"
    return subprocess.check_output([sys.executable, "-I", "-c", code, str(path), query], text=True).split()


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
        assert store.claim(f"child {children[0]}", "another", 60) == IN_PROGRESS


# A hook that is registered earlier runs later before a fork.
MAKES_ONE_WHILE_FORKING = """
import os, sys, threading

def make():
    SQLiteEventStore(sys.argv[1]).complete("k", "t")

def hook():
    thread = threading.Thread(target=make, daemon=True)
    thread.start()
    thread.join(1)
    inherited.append(not thread.is_alive())

inherited = []
os.register_at_fork(before=hook)
from interactor_ext.webhooks import SQLiteEventStore

if os.fork() == 0:
    os._exit(0)
os.wait()
sys.exit(inherited != [False])
"""


@needs_fork
def test_sqlite_database_made_by_another_thread_during_a_fork_is_not_inherited(tmp_path: Path) -> None:
    """Its connection would make the child believe that it holds the parent's locks."""
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", MAKES_ONE_WHILE_FORKING, str(tmp_path / "new.db")], check=True
    )


@needs_fork
def test_sqlite_store_in_memory_works_after_fork() -> None:
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


# Redis


def test_redis_keys_have_prefix_and_expiry(redis: Any) -> None:
    store = RedisEventStore(redis, ttl=100, prefix="acme:")
    store.claim("k", "t", 60)
    assert redis.keys("*") == [b"acme:k"]
    assert 30_000 < redis.pttl("acme:k") <= 60_000
    store.complete("k", "t")
    assert 70_000 < redis.pttl("acme:k") <= 100_000
    RedisEventStore(redis).complete("k", "t")
    assert 604_000 < redis.ttl("interactor:webhook:k") <= 604_800


@pytest.mark.parametrize("kind", [name for name in KINDS if "redis" in name], indirect=True)
@pytest.mark.parametrize(("policy", "is_warned_of"), [("allkeys-lru", True), ("noeviction", False), (None, False)])
def test_redis_that_may_evict_is_warned_of_once(
    stores: Stores, redis: Any, policy: str | None, is_warned_of: bool, caplog: pytest.LogCaptureFixture
) -> None:
    try:
        if policy is None:
            redis.execute_command("ACL", "SETUSER", "default", "-info")  # which policy it has remains unknown
        else:
            redis.config_set("maxmemory-policy", policy)
        store = stores()
        for number in range(3):
            assert store.claim(f"k{number}", "t", 60) == CLAIMED
    finally:
        redis.execute_command("ACL", "SETUSER", "default", "+info")
        redis.config_set("maxmemory-policy", "noeviction")
    assert [f"maxmemory-policy {policy}" in record.message for record in caplog.records] == [True] * is_warned_of


# Queues


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["sqlite", "postgres", "postgres, pool"])
def queue(
    request: pytest.FixtureRequest, tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> Iterator[SQLiteEventQueue | PostgresEventQueue]:
    if request.param == "sqlite":
        with SQLiteEventQueue(tmp_path / "queue.db", ttl=300, clock=clock) as queue:
            yield queue
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    moved = "UPDATE interactor_webhook_queue SET at = at - interval '{0} s', since = since - interval '{0} s'"
    monkeypatch.setattr(clock, "pass_", lambda seconds: server.run(moved.format(seconds)))
    database: Any = server.dsn
    with ExitStack() as stack:
        if "pool" in request.param:
            from psycopg.rows import dict_row
            from psycopg_pool import ConnectionPool

            database = stack.enter_context(ConnectionPool(server.dsn, kwargs={"row_factory": dict_row}, open=True))
        postgres_queue = stack.enter_context(PostgresEventQueue(database, ttl=300))
        postgres_queue.create()
        yield postgres_queue


KEYS_OF_SERVICES = ("shop:a", "shop-2:a", "shop", "billing:a", "shop:b")


@pytest.mark.parametrize("steps", CONTRACTS["queues"].values(), ids=CONTRACTS["queues"])
def test_queue_keeps_its_contract(queue: EventQueue, clock: Clock, steps: list[Any]) -> None:
    assert isinstance(queue, EventQueue)
    check(queue, steps, clock.pass_)


def test_dead_letters_can_be_listed_replayed_and_discarded(queue: EventQueue, clock: Clock) -> None:
    for key in ("a", "b", "c"):
        queue.put(key, key.encode())
        queue.take("t", 60)
        assert queue.bury(key, "t", f"{key} é" + "x" * 5000) is True
        clock.pass_(1)
    assert queue.take("t", 60) is None
    letters = queue.dead_letters(2**63 - 1)  # as many as there are
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
    again = queue.take("t", 60)
    assert again is not None
    assert again[:3] == ("a", b"a", 1)
    assert 0 <= again.age < 60
    assert queue.discard("b") is True
    assert queue.discard("b") is False
    assert queue.discard("a") is False
    assert queue.put("b", b"") is False
    assert [letter.key for letter in queue.dead_letters()] == ["c"]
    assert queue.complete("c", "late worker") is True
    assert queue.dead_letters() == []


def test_stats_count_the_events_of_a_service_by_what_has_become_of_them(queue: Any, clock: Clock) -> None:
    assert queue.stats("shop") == ("shop", 0, 0, 0, 0.0, 0)
    for key in ("shop:skipped", "shop:done", "shop:dead", "shop:failed", "shop:runs", "other:new"):
        queue.put(key, b"x")
        clock.pass_(100)
        if key != "other:new":
            queue.take(key, 3600)
    queue.put_back("shop:skipped", "shop:skipped", 3600, "No handler.")
    queue.complete("shop:done", "shop:done")
    queue.bury("shop:dead", "shop:dead", "broken")
    queue.retry("shop:failed", "shop:failed", 300, "broken")
    queue.put("shop:new", b"x")
    *counts, oldest, unhandled = queue.stats("shop")
    assert (counts, unhandled) == (["shop", 2, 1, 1], 1)
    assert 200 <= oldest < 260  # of "shop:runs"
    assert queue.stats()[:4] == ("", 3, 1, 1)
    queue.replay("shop:dead")
    assert queue.stats("shop")[1:4] == (3, 1, 0)


def test_dead_letters_of_a_service_or_of_a_key_are_read_without_the_others(queue: EventQueue) -> None:
    for key in KEYS_OF_SERVICES:
        queue.put(key, key.encode())
        queue.take(key, 60)
        queue.bury(key, key, "broken")
    for arguments, found in {
        (100, "shop"): ["shop:a", "shop:b"],
        (1, "shop"): ["shop:a"],
        (1, "shop", "shop:b"): ["shop:b"],
        (1, "billing", "shop:b"): [],
        (1, "", "shop"): ["shop"],
    }.items():
        assert [letter.key for letter in queue.dead_letters(*arguments)] == found, arguments


def test_queued_events_of_one_name_are_moved_to_another_unless_they_are_known_there(queue: Any) -> None:
    keys = ("old:a", "old:known", "idem", "sha256:0", "new:known", "older:a")
    for key in keys:
        queue.put(key, b"x")
    queue.take("t", 60)  # what a worker has taken stays taken
    assert queue.overdue(0) == {"old:": 1, "": 1, "sha256:": 1, "new:": 1, "older:": 1}
    assert queue.rename("old", "new") == 1
    assert queue.rename("", "new") == 2
    assert queue.rename("old", "new") == 0
    assert sorted(queue.take(key, 60).key for key in keys[:4]) == ["new:idem", "new:known", "new:sha256:0", "older:a"]
    assert queue.take("none left", 60) is None
    assert queue.complete("new:a", "t") is True
    for old, new, problem in (
        ("old", "new'", "name must be"),
        ("new", "new", "are the same"),
        ("", "", "are the same"),
    ):
        with pytest.raises(ConfigurationError, match=problem):
            queue.rename(old, new)
    assert queue.rename("new", "newer") == 4


def test_claims_beside_a_queue_are_moved_with_its_events(
    queue: Any, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    in_sqlite = isinstance(queue, SQLiteEventQueue)
    place = tmp_path / "queue.db" if in_sqlite else request.getfixturevalue("postgres").dsn
    with (SQLiteEventStore if in_sqlite else PostgresEventStore)(place) as store:
        if not in_sqlite:
            store.create()
        store.complete("+old:a", "t")
        queue.put("old:a", b"x")
        assert queue.rename("old", "new") == 2
        assert store.claim("+new:a", "t", 60) == COMPLETED


@pytest.mark.parametrize(
    "kind", [name for name, kind in KINDS.items() if kind.place in ("file", "postgres")], indirect=True
)
def test_claims_of_one_name_are_moved_to_another_with_those_of_transactions(stores: Stores) -> None:
    store = stores()
    for key in ("old:a", "+old:b", "c", "+d", "body:0", "new:e", "older:a"):
        store.complete(key, "t")
    assert (store.rename("old", "new"), store.rename("", "new")) == (2, 3)
    moved = ("new:a", "+new:b", "new:c", "+new:d", "new:body:0", "new:e", "older:a")
    assert [store.claim(key, "u", 60) for key in moved] == [COMPLETED] * 7


def test_concurrent_threads_take_each_event_once(queue: EventQueue) -> None:
    taken, lock = list[str](), threading.Lock()
    for number in range(100):
        queue.put(f"k{number}", b"x")

    def worker(name: int) -> None:
        for attempt in itertools.count():
            event = queue.take(f"{name} {attempt}", 60)
            if event is None:
                break
            with lock:
                taken.append(event.key)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(worker, range(6)))
    assert len(taken) == len(set(taken)) == 100
