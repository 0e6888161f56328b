"""Stores and queues on a real PostgreSQL: the tables, restarts, time limits, forks, errors and settings."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from typing import Any

import pytest

from interactor_ext import ConfigurationError, WebhookStoreError
from interactor_ext.webhooks import (
    AsyncPostgresEventStore,
    ClaimState,
    PostgresEventQueue,
    PostgresEventStore,
    WebhookRouter,
    WebhookVerifier,
    parse_event,
)
from tests.support.forks import ended_well, in_child, in_threads, needs_fork
from tests.support.postgres_server import PostgresServer
from tests.support.terminal import COMMAND
from tests.support.waiting import eventually
from tests.support.webhook_deliveries import SECRET, body_of, delivery
from tests.support.webhook_stores import POSTGRES, Stores

pytest_plugins = ["tests.support.server_fixtures"]

CLAIMED, IN_PROGRESS, COMPLETED = ClaimState.CLAIMED, ClaimState.IN_PROGRESS, ClaimState.COMPLETED
COUNT = "SELECT count(*) FROM interactor_webhook_claims"
OTHERS = "FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"


@pytest.fixture(params=POSTGRES)
def make(request: pytest.FixtureRequest, postgres: PostgresServer) -> Iterator[Stores]:
    with ExitStack() as stack:
        yield Stores(request.param, postgres.dsn, stack)


@pytest.fixture
def store(make: Stores) -> Any:
    """A store whose table is there."""
    store = make()
    store.create()
    return store


@pytest.fixture
def queue(postgres: PostgresServer) -> Iterator[PostgresEventQueue]:
    with PostgresEventQueue(postgres.dsn) as queue:
        queue.create()
        yield queue


with_dsn = pytest.mark.parametrize("make", ["postgres", "async postgres"], indirect=True)


# The table


def test_without_create_each_method_says_to_call_it_and_the_router_answers_503(make: Stores) -> None:
    store = make()
    for call in (
        lambda: store.claim("k", "t", 60),
        lambda: store.complete("k", "t"),
        lambda: store.release("k", "t"),
    ):
        with pytest.raises(ConfigurationError, match=r"is missing from this database\. Call `create\(\)`"):
            call()
    router = WebhookRouter(WebhookVerifier(SECRET), store, name="shop")
    router.on("*")(print)
    assert router.handle(*delivery()).status == 503
    store.create()
    assert router.handle(*delivery()).status == 200


def test_queue_without_create_says_to_call_it_and_the_router_answers_503(postgres: PostgresServer) -> None:
    with PostgresEventQueue(postgres.dsn) as queue:
        with pytest.raises(
            ConfigurationError, match=r"interactor_webhook_queue is missing from .*`create\(\)` of the queue"
        ):
            queue.take("t", 60)
        router = WebhookRouter(WebhookVerifier(SECRET), queue=queue, name="shop")
        assert router.handle(*delivery()).status == 503
        queue.create()
        assert router.handle(*delivery()).status == 200


@pytest.mark.parametrize("kind", [PostgresEventStore, PostgresEventQueue])
def test_table_is_created_by_many_at_once(kind: Any, postgres: PostgresServer) -> None:
    with ThreadPoolExecutor(6) as pool, kind(postgres.dsn) as store:
        for _ in range(5):
            postgres.run("DROP TABLE IF EXISTS interactor_webhook_claims, interactor_webhook_queue")
            all_ready = threading.Barrier(6)

            def create(_: int, all_ready: threading.Barrier = all_ready) -> None:
                all_ready.wait()
                store.create()

            list(pool.map(create, range(6)))
            assert store.put("k", b"x") if kind is PostgresEventQueue else store.complete("k", "t")
            store.create()  # which keeps what is stored
            assert store.complete("k", "u") is (kind is PostgresEventQueue)


def test_printed_schema_makes_the_tables(postgres: PostgresServer) -> None:
    pytest.importorskip("typer")
    command = [*COMMAND, "webhooks", "schema", "--dialect"]
    postgres.run(subprocess.check_output([*command, "postgresql"], text=True))
    with PostgresEventStore(postgres.dsn) as store, PostgresEventQueue(postgres.dsn) as queue:
        assert (store.claim("k", "t", 60), queue.put("k", b"x")) == (CLAIMED, True)
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(subprocess.check_output([*command, "sqlite"], text=True))
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").fetchall()
    assert tables == [("interactor_webhook_claims",), ("interactor_webhook_queue",)]


TABLES: dict[Any, str] = {
    PostgresEventStore: "interactor_webhook_claims",
    AsyncPostgresEventStore: "interactor_webhook_claims",
    PostgresEventQueue: "interactor_webhook_queue",
}


@pytest.mark.parametrize("kind", [PostgresEventStore, PostgresEventQueue])
def test_create_says_that_a_table_has_another_version(kind: Any, postgres: PostgresServer) -> None:
    with kind(postgres.dsn) as store:
        store.create()
        postgres.run(f"ALTER TABLE {TABLES[kind]} DROP COLUMN token")
        for call in (store.create, lambda: store.complete("k", "t")):
            with pytest.raises(
                ConfigurationError, match=rf'{TABLES[kind]} .* another version: column "token" .*Rename'
            ):
                call()


def test_role_without_the_right_to_create_tables_can_call_create_and_use_the_table(postgres: PostgresServer) -> None:
    with PostgresEventStore(postgres.dsn) as owner:
        postgres.run("DROP ROLE IF EXISTS app")
        postgres.run("CREATE ROLE app LOGIN")
        with PostgresEventStore(f"{postgres.dsn} user=app") as app:
            with pytest.raises(WebhookStoreError, match="permission denied for schema public"):
                app.create()
            owner.create()
            postgres.run("GRANT SELECT, INSERT, UPDATE, DELETE ON interactor_webhook_claims TO app")
            app.create()
            assert app.claim("k", "t", 60) == CLAIMED
            app.release("k", "t")
            assert app.complete("k", "t") is True
    postgres.run("DROP OWNED BY app")


def test_expired_rows_are_swept_by_a_claim(postgres: PostgresServer, store: Any) -> None:
    postgres.run(
        "INSERT INTO interactor_webhook_claims SELECT 'old' || n, '', now() - interval '1 s', n % 2 = 0 "
        "FROM generate_series(1, 25) AS n"
    )
    assert store.claim("new", "t", 60) == CLAIMED
    assert postgres.run(COUNT) == [(1,)]


def test_handled_events_are_swept_from_a_queue_by_a_new_one(
    queue: PostgresEventQueue, postgres: PostgresServer
) -> None:
    postgres.run(
        "INSERT INTO interactor_webhook_queue (key, state, at, body, since) "
        "SELECT 'old' || n, 'done', now() - interval '1 s', '', now() FROM generate_series(1, 25) AS n"
    )
    assert queue.put("new", b"x") is True
    assert postgres.run("SELECT key FROM interactor_webhook_queue") == [("new",)]


def test_queue_sweeps_the_claims_of_transactions_beside_it_once_an_hour(
    queue: PostgresEventQueue, postgres: PostgresServer
) -> None:
    with PostgresEventStore(postgres.dsn) as store:
        store.create()
    for key, left in (("new", 0), ("newer", 1)):
        postgres.run("INSERT INTO interactor_webhook_claims VALUES ('+old', '', now() - interval '1 s', true)")
        queue.put(key, b"x")
        assert postgres.run(COUNT) == [(left,)]


def test_take_finds_the_events_of_a_service_by_their_index(postgres: PostgresServer, queue: PostgresEventQueue) -> None:
    postgres.run(
        "INSERT INTO interactor_webhook_queue SELECT 'other:' || i, 'open', now(), '', 0, '', '', now() "
        "FROM generate_series(1, 1000) i; ANALYZE interactor_webhook_queue"
    )
    assert queue.take("t", 60, "shop") is None
    queue.close()  # which is when PostgreSQL counts
    scans = "SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelname = 'interactor_webhook_queue_service'"
    eventually(lambda: postgres.run(scans) > [(0,)], "a scan of the index")  # PostgreSQL 18 counts two


def test_calls_are_read_committed_in_a_server_whose_default_is_serializable(
    make: Stores, queue: PostgresEventQueue, postgres: PostgresServer
) -> None:
    """Where concurrent deliveries would collide."""
    postgres.run("ALTER ROLE postgres SET default_transaction_isolation = 'serializable'")
    try:
        store = make()
        store.create()
        for table in set(TABLES.values()):
            level = "level text DEFAULT current_setting('transaction_isolation')"
            postgres.run(f"ALTER TABLE {table} ADD COLUMN {level}")
        queue.close()
        assert (store.claim("k", "t", 60), queue.put("k", b"x")) == (CLAIMED, True)
    finally:
        postgres.run("ALTER ROLE postgres RESET default_transaction_isolation")
    for table in TABLES.values():
        assert postgres.run(f"SELECT level FROM {table}") == [("read committed",)]


# Servers that go away


def test_completion_whose_answer_got_lost_can_be_repeated(store: Any, queue: PostgresEventQueue) -> None:
    queue.put("k", b"x")
    for each in (store, queue):
        for _ in range(2):
            assert each.complete("k", "one") is True
        assert each.complete("k", "two") is False


@with_dsn
def test_unreachable_server_raises_and_the_next_call_connects_again(store: Any, postgres: PostgresServer) -> None:
    postgres.kill()
    try:
        with pytest.raises(WebhookStoreError, match=r"The webhook store in PostgreSQL failed: .*connection"):
            store.claim("k", "t", 60)
    finally:
        postgres.start()
    assert store.claim("k", "t", 60) == CLAIMED


async def test_calls_that_wait_for_a_connection_tell_why_there_is_none() -> None:
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, AsyncPostgresEventStore(f"host=127.0.0.1 port={port} user=postgres", timeout=60) as store:
        errors = await asyncio.gather(*(store.claim(f"k{n}", "t", 60) for n in range(3)), return_exceptions=True)
    assert ["server closed the connection" in str(error) for error in errors] == [True] * 3, errors


def test_connection_to_a_server_that_became_read_only_is_replaced(postgres: PostgresServer) -> None:
    from psycopg_pool import ConnectionPool

    with ConnectionPool(postgres.dsn, min_size=1, max_size=1, open=True) as pool:
        store = PostgresEventStore(pool)
        store.create()
        with pool.connection() as connection:
            connection.execute("SET default_transaction_read_only = on")
        assert store.claim("k", "t", 60) == CLAIMED


# Poolers


@pytest.mark.parametrize("kind", TABLES)
def test_pooler_of_transactions_may_give_each_call_another_connection(kind: Any, postgres: PostgresServer) -> None:
    import psycopg

    keys = [f"k{number % 100}" for number in range(200)]  # each event twice
    tokens = [f"t{number}" for number in range(200)]

    async def complete_all(dsn: str) -> list[bool]:
        async with kind(dsn) as store:
            await store.create()
            return await asyncio.gather(*map(store.complete, keys, tokens))

    with postgres.pooler() as dsn:
        if kind is AsyncPostgresEventStore:
            firsts = asyncio.run(complete_all(dsn))
        else:
            with kind(dsn) as store, ThreadPoolExecutor(6) as pool:
                store.create()
                calls = {"put": (keys, [b"x"] * 200), "complete": (keys, tokens)}
                name = "put" if kind is PostgresEventQueue else "complete"
                firsts = list(pool.map(getattr(store, name), *calls[name]))
        assert firsts.count(True) == 100
        with PostgresEventStore(dsn) as creator:
            creator.create()
        router = WebhookRouter(WebhookVerifier(SECRET), name="shop")
        with psycopg.connect(dsn, prepare_threshold=None) as connection:
            claims = [router.claim_in(parse_event(body_of(key=key)), connection) for key in keys]
        assert claims == [True] * 100 + [False] * 100


def test_pooler_that_supports_prepared_statements_needs_no_other_settings(postgres: PostgresServer) -> None:
    import psycopg

    PostgresEventStore(postgres.dsn).create()
    router = WebhookRouter(WebhookVerifier(SECRET), name="shop")

    def claim_all(dsn: str) -> int:
        with psycopg.connect(dsn, prepare_threshold=0) as connection:
            claims = 0
            for number in range(100):
                claims += router.claim_in(parse_event(body_of(key=f"k{number}")), connection)
                connection.commit()
            return claims

    with postgres.pooler(prepared=100) as dsn, ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(claim_all, [dsn] * 6)) == 100


# Time limits


@pytest.mark.parametrize(
    "make", [POSTGRES[0], *(pytest.param(each, marks=pytest.mark.full) for each in POSTGRES[1:])], indirect=True
)
def test_server_that_hangs_in_a_call_raises_after_timeout_and_later_calls_work(
    make: Stores, postgres: PostgresServer
) -> None:
    import psycopg

    store, patient = make(timeout=0.2), make(timeout=60)
    patient.create()
    with psycopg.connect(postgres.dsn) as other:
        other.execute("LOCK TABLE interactor_webhook_claims")
        for number in range(10):  # more than there are connections
            with pytest.raises(WebhookStoreError, match=r"within 0\.2 s"):
                store.claim(f"k{number}", "t", 60)
    assert patient.claim("new", "t", 60) == CLAIMED


async def test_cancelled_call_ends_at_once_and_later_calls_work(postgres: PostgresServer) -> None:
    import psycopg

    async with AsyncPostgresEventStore(postgres.dsn, timeout=60) as store:
        await store.create()
        with psycopg.connect(postgres.dsn) as other:
            other.execute("LOCK TABLE interactor_webhook_claims")
            call = asyncio.ensure_future(store.claim("k", "t", 60))
            waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            await asyncio.to_thread(eventually, lambda: postgres.run(waiting) == [(1,)])
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
        assert await store.claim("new", "t", 60) == CLAIMED


async def test_more_calls_than_connections_wait_for_their_turn(postgres: PostgresServer) -> None:
    ours = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'crowd'"
    async with AsyncPostgresEventStore(f"{postgres.dsn} application_name=crowd", timeout=60) as store:
        await store.create()
        states = await asyncio.gather(*(store.claim(f"k{number % 10}", f"{number}", 60) for number in range(200)))
        assert sorted(states) == [CLAIMED] * 10 + [IN_PROGRESS] * 190
        assert 1 <= postgres.run(ours)[0][0] <= 8  # the pool opens more in the background
    eventually(lambda: postgres.run(ours) == [(0,)], "the end of the connections")
    with (
        PostgresEventStore(f"{postgres.dsn} application_name=crowd", timeout=60) as one,
        ThreadPoolExecutor(32) as pool,
    ):
        list(pool.map(lambda number: one.claim(f"k{number}", "t", 60), range(200)))
        assert postgres.run(ours) <= [(8,)]


def test_store_serves_one_event_loop_after_the_other(postgres: PostgresServer) -> None:
    store = AsyncPostgresEventStore(postgres.dsn)
    asyncio.run(store.create())
    for number in range(3):
        assert asyncio.run(store.claim(f"{number}", "t", 60)) == CLAIMED
    asyncio.run(store.aclose())


@pytest.mark.parametrize(
    "use",
    [
        "PostgresEventStore(dsn); store.claim('k', 't', 60)",
        "AsyncPostgresEventStore(dsn); asyncio.run(store.claim('k', 't', 60))",
        "PostgresEventQueue(dsn); store.take('t', 60)",
    ],
)
def test_process_that_leaves_its_store_open_ends_without_a_warning(use: str, postgres: PostgresServer) -> None:
    for kind in (PostgresEventStore, PostgresEventQueue):
        with kind(postgres.dsn) as creator:
            creator.create()
    code = f"import asyncio; from interactor_ext.webhooks import *; dsn = {postgres.dsn!r}; store = {use}"
    done = subprocess.run([sys.executable, "-W", "error", "-X", "dev", "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


# Forks


@with_dsn
@needs_fork
@in_threads
def test_store_with_dsn_works_in_forked_child_whose_end_leaves_the_parents_connection(
    store: Any, postgres: PostgresServer
) -> None:
    assert store.claim("parent", "t", 60) == CLAIMED
    connections = postgres.run(f"SELECT pid {OTHERS}")
    assert len(connections) == 1

    async def in_another_loop(store: AsyncPostgresEventStore) -> bool:
        async with store:
            return await store.claim("parent", "u", 60) == IN_PROGRESS

    def work() -> bool:
        if not isinstance(store, PostgresEventStore):
            return asyncio.run(in_another_loop(store.store))
        with store:
            return store.claim("parent", "u", 60) == IN_PROGRESS and store.claim("child", "t", 60) == CLAIMED

    assert ended_well(in_child(work))
    eventually(lambda: postgres.run(f"SELECT pid {OTHERS}") == connections, "the parent's connection alone")
    assert store.complete("parent", "t") is True
    assert set(postgres.run(f"SELECT pid {OTHERS}")) >= set(connections)


@needs_fork
@in_threads
def test_pool_that_was_opened_before_a_fork_raises_in_the_child(postgres: PostgresServer) -> None:
    from psycopg_pool import ConnectionPool

    with ConnectionPool(postgres.dsn, open=True) as pool, ConnectionPool(postgres.dsn, open=False) as later:
        later.close()
        store = PostgresEventStore(pool)
        store.create()

        def work() -> bool:
            with pytest.raises(ConfigurationError, match="opened before the process was forked"):
                store.claim("k", "t", 60)
            return True

        assert ended_well(in_child(work))
        assert store.claim("k", "t", 60) == CLAIMED


# Errors and settings


def test_error_of_a_handler_may_hold_what_the_database_does_not_take(queue: PostgresEventQueue) -> None:
    queue.put("k", b"x")
    queue.take("t", 60)
    assert queue.bury("k", "t", "ends in \0") is True
    assert [letter.error for letter in queue.dead_letters()] == [r"ends in \0"]


@pytest.mark.parametrize("kind", [PostgresEventStore, PostgresEventQueue])
def test_url_of_sqlalchemy_is_read(kind: Any, postgres: PostgresServer) -> None:
    with kind(postgres.url) as store:
        store.create()
        assert store.complete("k", "t") is (kind is PostgresEventStore)


def test_error_of_the_server_is_named(postgres: PostgresServer) -> None:
    with (
        PostgresEventStore(f"{postgres.dsn} dbname=nowhere") as store,
        pytest.raises(WebhookStoreError, match='database "nowhere" does not exist') as caught,
    ):
        store.claim("k", "t", 60)
    assert "\n" not in str(caught.value)
    assert caught.value.code == "WEBHOOK_STORE_ERROR"


@pytest.mark.parametrize(
    "dsn", ["postgresql://user:pass-s3cret@word@host/db", "host=db s3cret", "mysql://user:s3cret@host/db"]
)
@pytest.mark.parametrize("kind", [PostgresEventStore, AsyncPostgresEventStore])
def test_invalid_dsn_raises_configuration_error_that_does_not_quote_it(kind: Any, dsn: str) -> None:
    pytest.importorskip("psycopg")
    with pytest.raises(ConfigurationError, match="must look like postgresql://user:password@host/database") as caught:
        kind(dsn).claim("k", "t", 60)
    assert "s3cret" not in repr(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize("kind", [PostgresEventStore, AsyncPostgresEventStore])
def test_dsn_of_asyncpg_is_refused_with_what_to_write(kind: Any) -> None:
    pytest.importorskip("psycopg")
    with pytest.raises(ConfigurationError, match=r"'ssl'.* write sslmode=require\.") as caught:
        kind("postgresql+asyncpg://user:s3cret@host/db?ssl=require")
    assert "s3cret" not in str(caught.value)


def test_receiver_warns_without_a_name_as_others_can_share_the_database() -> None:
    pytest.importorskip("psycopg")
    with pytest.warns(UserWarning, match=r'share the same PostgresEventStore|Pass name="..."'):
        WebhookRouter(WebhookVerifier(SECRET), PostgresEventStore("host=nowhere"))
