"""`claim_in`: the claim of an event and the effect of its handler are committed together, or not at all."""

from __future__ import annotations

import asyncio
import os
import random
import runpy
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager, nullcontext, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from interactor_ext import ConfigurationError
from interactor_ext.testing import WebhookFactory
from interactor_ext.webhooks import PostgresEventStore, SQLiteEventStore, WebhookRouter, parse_event
from tests.support.pages import BLOCK, DOCS
from tests.support.postgres_server import PostgresServer, killing
from tests.support.webhook_deliveries import body_of, delivery
from tests.support.webhook_effects import TABLE, WAYS_OF_PROCESSES, dies_late, write
from tests.support.webhook_fleet import Fleet
from tests.support.webhook_routers import make, status

pytest_plugins = ["tests.support.server_fixtures"]

INSERT = "INSERT INTO effects (id) VALUES ('effect')"
# Sizes of the storm; `make nightly` sets INTERACTOR_EXAMPLES.
EVENTS, VICTIMS, RESTARTS, PROCESSES = (600, 200, 5, 8) if "INTERACTOR_EXAMPLES" in os.environ else (24, 2, 1, 2)
# What opens a transaction that ends at the end of the block, and runs a statement in it.
Begin = Callable[[], Any]


def event(key: str = "idem_1") -> Any:
    return parse_event(body_of(key=key))


@pytest.fixture
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """That of a database for SQLAlchemy, with both tables."""
    if request.param == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres")
        with PostgresEventStore(server.dsn) as store:
            store.create()
        server.run("DROP TABLE IF EXISTS effects")
        server.run("CREATE TABLE effects (id text)")
        return server.url
    path = tmp_path / "shop.db"
    with SQLiteEventStore(path) as store:
        store.claim("any", "t", 60)
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE effects (id text)")
    return f"sqlite:///{path}"


def dsn_of(url: str) -> str:
    return url.replace("+psycopg", "")


@contextmanager
def with_sqlite3(url: str) -> Iterator[tuple[Any, Any]]:
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection, connection:
        yield connection, connection.execute


@contextmanager
def with_psycopg(url: str) -> Iterator[tuple[Any, Any]]:
    import psycopg

    with psycopg.connect(dsn_of(url)) as connection:
        yield connection, connection.execute


@contextmanager
def with_session(url: str) -> Iterator[tuple[Any, Any]]:
    from sqlalchemy import NullPool, create_engine, text
    from sqlalchemy.orm import Session

    with Session(create_engine(url, poolclass=NullPool)) as session, session.begin():
        yield session, lambda statement: session.execute(text(statement))


@contextmanager
def with_core(url: str) -> Iterator[tuple[Any, Any]]:
    from sqlalchemy import NullPool, create_engine, text

    with create_engine(url, poolclass=NullPool).begin() as connection:
        yield connection, lambda statement: connection.execute(text(statement))


WAYS = [
    pytest.param(with_sqlite3, "sqlite", id="sqlite3"),
    pytest.param(with_psycopg, "postgresql", id="psycopg"),
    pytest.param(with_session, "sqlite", id="SQLAlchemy session on SQLite"),
    pytest.param(with_session, "postgresql", id="SQLAlchemy session on PostgreSQL"),
    pytest.param(with_core, "postgresql", id="SQLAlchemy connection"),
]


@pytest.mark.parametrize(("way", "url"), WAYS, indirect=["url"])
def test_claim_and_effect_are_committed_together_or_not_at_all(way: Any, url: str) -> None:
    pytest.importorskip("sqlalchemy", reason="needs SQLAlchemy (pip install sqlalchemy)")
    router = make(name="shop")
    with suppress(LookupError), way(url) as (connection, execute):
        assert router.claim_in(event(), connection)
        execute(INSERT)
        raise LookupError
    for is_first in (True, False):
        with way(url) as (connection, execute):
            assert router.claim_in(event(), connection) is is_first
            if is_first:
                execute(INSERT)
    with way(url) as (connection, execute):
        assert router.claim_in(event("another"), connection)
        assert make(name="billing").claim_in(event(), connection)
        assert len(execute("SELECT id FROM effects").fetchall()) == 1


@pytest.mark.parametrize("kind", ["psycopg", "session", "connection"])
@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
async def test_async_claim_and_effect_are_committed_together_or_not_at_all(kind: str, url: str) -> None:
    router = make(name="shop")

    async def attempt(*, fails: bool = False) -> bool:
        if kind == "psycopg":
            import psycopg

            async with await psycopg.AsyncConnection.connect(dsn_of(url)) as connection:
                return await claim(connection, fails)
        asyncio_of_sqlalchemy = pytest.importorskip(
            "sqlalchemy.ext.asyncio", reason="needs SQLAlchemy (pip install 'sqlalchemy[asyncio]')"
        )
        engine = asyncio_of_sqlalchemy.create_async_engine(url)
        try:
            if kind == "session":
                async with asyncio_of_sqlalchemy.AsyncSession(engine) as session, session.begin():
                    return await claim(session, fails)
            async with engine.begin() as connection:
                return await claim(connection, fails)
        finally:
            await engine.dispose()

    async def claim(connection: Any, fails: bool) -> bool:
        is_first = await router.aclaim_in(event(), connection)
        if fails:
            raise LookupError
        return is_first

    with pytest.raises(LookupError):
        await attempt(fails=True)
    assert [await attempt() for _ in range(2)] == [True, False]


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
async def test_second_transaction_waits_for_the_first_and_finds_the_event_claimed(url: str) -> None:
    router = make(name="shop")

    def second() -> bool:
        with with_psycopg(url) as (connection, _):
            return router.claim_in(event(), connection)

    with with_psycopg(url) as (connection, _):
        assert router.claim_in(event(), connection)
        waiting = asyncio.create_task(asyncio.to_thread(second))
        await asyncio.sleep(0)
    assert await waiting is False


def sessionmaker_of(url: str, **options: Any) -> Any:
    from sqlalchemy import NullPool, create_engine
    from sqlalchemy.orm import Session, sessionmaker

    class OwnSession(Session):
        """As SQLModel's is."""

    return sessionmaker(create_engine(url, poolclass=NullPool, **options), class_=OwnSession)


def async_engine_of(url: str, **options: Any) -> Any:
    from sqlalchemy import NullPool
    from sqlalchemy.ext.asyncio import create_async_engine

    return create_async_engine(url, poolclass=NullPool, **options)


def async_sessionmaker_of(url: str, **options: Any) -> Any:
    from sqlalchemy.ext.asyncio import async_sessionmaker

    return async_sessionmaker(async_engine_of(url, **options))


def psycopg_of(url: str) -> Any:
    import psycopg

    class OwnConnection(psycopg.Connection[Any]):
        pass

    return lambda: OwnConnection.connect(dsn_of(url))


def async_pool_of(url: str) -> Any:
    from psycopg_pool import AsyncConnectionPool

    @asynccontextmanager
    async def connection() -> AsyncIterator[Any]:
        async with AsyncConnectionPool(dsn_of(url), open=False) as pool, pool.connection() as connection:
            yield connection

    return connection


def written_by(name: str, ran: list[str], *, is_async: bool, fails_until: int = 0) -> Callable[..., Any]:
    """A handler that writes a row, and then raises until so many have run."""

    def statement(connection: Any) -> Any:
        from sqlalchemy import text

        return INSERT if isinstance(connection, sqlite3.Connection) or hasattr(connection, "pgconn") else text(INSERT)

    def note() -> None:
        ran.append(name)
        if len(ran) < fails_until:
            raise LookupError

    def handler(event: Any, connection: Any) -> None:
        connection.execute(statement(connection))
        note()

    async def ahandler(event: Any, connection: Any) -> None:
        await connection.execute(statement(connection))
        note()

    chosen = ahandler if is_async else handler
    chosen.__qualname__ = name
    return chosen


def connect_sqlite3(url: str) -> Any:
    @contextmanager
    def begin() -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection, connection:
            yield connection

    return begin


ONCE = [
    pytest.param(connect_sqlite3, "sqlite", id="sqlite3"),
    pytest.param(psycopg_of, "postgresql", id="psycopg"),
    pytest.param(async_pool_of, "postgresql", id="async pool of psycopg"),
    pytest.param(sessionmaker_of, "sqlite", id="sessionmaker on SQLite"),
    pytest.param(sessionmaker_of, "postgresql", id="sessionmaker"),
    pytest.param(lambda url: sessionmaker_of(url).begin, "postgresql", id="begin of a sessionmaker"),
    pytest.param(lambda url: sessionmaker_of(url).kw["bind"], "postgresql", id="engine"),
    pytest.param(async_sessionmaker_of, "postgresql", id="async sessionmaker"),
    pytest.param(async_engine_of, "postgresql", id="async engine"),
]


@pytest.mark.parametrize(("once", "url"), ONCE, indirect=["url"])
async def test_effect_of_each_once_handler_happens_once_through_failures_and_redeliveries(once: Any, url: str) -> None:
    pytest.importorskip("sqlalchemy", reason="needs SQLAlchemy (pip install 'sqlalchemy[asyncio]')")
    ran: list[str] = []
    is_async = "async" in once.__name__
    router: WebhookRouter = make(name="shop", around=nullcontext)
    forgetful: WebhookRouter = make(name="shop")
    for each in (router, forgetful):
        each.on("*", once=once(url))(written_by("first", ran, is_async=is_async))
        each.on("*", once=once(url))(written_by("second", ran, is_async=is_async, fails_until=4))
    answers = [status(await each.ahandle(*delivery())) for each in (router, router, router, router, forgetful)]
    failed, handled = (500, "handler_failed"), (200, "handled")
    assert answers == [failed, failed, handled, (200, "duplicate"), handled]
    assert ran == ["first", "second", "second", "second"]
    with (with_psycopg if url.startswith("postgresql") else with_sqlite3)(url) as (_, execute):
        assert len(execute("SELECT id FROM effects").fetchall()) == 2


@pytest.mark.parametrize(("once", "url"), ONCE[:2], indirect=["url"])
def test_each_handler_that_claims_has_a_claim_of_its_own(once: Any, url: str) -> None:
    claimed: list[bool] = []
    router: WebhookRouter = make(name="shop")

    def first(event: Any) -> None:
        with once(url)() as connection:
            claimed.append(router.claim_in(event, connection))

    def second(event: Any) -> None:
        first(event)

    router.on("*")(first)
    router.on("*")(second)
    assert status(router.handle(*delivery())) == (200, "handled")
    assert claimed == [True, True]


def autocommit_session(url: str) -> Any:
    return sessionmaker_of(url, isolation_level="AUTOCOMMIT")


def async_autocommit_session(url: str) -> Any:
    return async_sessionmaker_of(url, isolation_level="AUTOCOMMIT")


def session_without_transaction(url: str) -> Any:
    return lambda: sessionmaker_of(url)()


@pytest.mark.parametrize(
    ("once", "url", "problem"),
    [
        (autocommit_session, "sqlite", "autocommit"),
        (autocommit_session, "postgresql", "autocommit"),
        (async_autocommit_session, "postgresql", "autocommit"),
        (session_without_transaction, "postgresql", "nothing would be committed"),
        (lambda url: lambda: nullcontext("no connection"), "sqlite", "not in a str"),
    ],
    indirect=["url"],
)
async def test_event_is_not_claimed_where_its_claim_would_be_committed_without_the_effect_or_not_at_all(
    once: Any, url: str, problem: str, caplog: pytest.LogCaptureFixture
) -> None:
    ran: list[str] = []
    router: WebhookRouter = make()
    router.on("*", once=once(url))(written_by("first", ran, is_async="async" in once.__name__))
    assert [status(await router.ahandle(*delivery()))[0] for _ in range(2)] == [500, 500]
    assert ran == []
    assert problem in caplog.text


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("is_async", [False, True])
def test_claim_is_taken_back_if_the_handler_returns_a_generator(url: str, is_async: bool) -> None:
    async def later(event: Any) -> Any:
        return (each for each in "")

    router = make()
    router.on("*", once=connect_sqlite3(url))(later if is_async else lambda event: (each for each in ""))
    assert [status(router.handle(*delivery()))[0] for _ in range(2)] == [500, 500]


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
async def test_check_claims_an_event_for_each_once_handler_and_takes_it_back(
    url: str, postgres: PostgresServer
) -> None:
    router: WebhookRouter = make()
    router.on("*", once=sessionmaker_of(url))(written_by("first", [], is_async=False))
    router.on("*", once=async_sessionmaker_of(url))(written_by("second", [], is_async=True))
    router.check()
    await router.acheck()
    assert postgres.run("SELECT key FROM interactor_webhook_claims") == []
    postgres.run("DROP TABLE interactor_webhook_claims")
    with pytest.raises(ConfigurationError, match=r"once= of first can't be used: .*interactor_webhook_claims"):
        router.check()
    with pytest.raises(ConfigurationError, match=r"(?s)once= of first can't be used.*once= of second can't be used"):
        await router.acheck()


def test_two_handlers_of_one_name_whose_claims_would_be_the_same_are_refused(tmp_path: Path) -> None:
    once = connect_sqlite3(str(tmp_path / "shop.db"))
    router: WebhookRouter = make()
    first, second = (written_by("save", [], is_async=False) for _ in range(2))
    router.on("a", once=once)(first)
    router.on("b", once=once)(first)
    with pytest.raises(ConfigurationError, match="two handlers named 'save'"):
        router.on("c", once=once)(second)
    with pytest.raises(ConfigurationError, match="once= must be a function that returns a context manager"):
        router.on("d", once=once())(second)


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_session_or_connection_in_place_of_what_opens_one_is_refused(url: str) -> None:
    scoped_session = pytest.importorskip("sqlalchemy.orm").scoped_session
    sessions, router = sessionmaker_of(url), make()
    with closing(sessions.kw["bind"].connect()) as connection:
        for once in (sessions(), scoped_session(sessions), connection):
            with pytest.raises(ConfigurationError, match="Write once=Session"):
                router.on("*", once=once)(written_by("save", [], is_async=False))
    scope: WebhookRouter = make()
    scope.on("*", once=scoped_session(sessions).session_factory)(written_by("save", [], is_async=False))
    assert status(scope.handle(*delivery())) == (200, "handled")


def test_connection_outside_of_a_transaction_is_refused(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "shop.db", isolation_level=None)
    with closing(connection), pytest.raises(ConfigurationError, match="Begin a transaction"):
        make().claim_in(event(), connection)
    with pytest.raises(ConfigurationError, match="not in a dict"):
        make().claim_in(event(), {})


@pytest.mark.parametrize("url", ["sqlite", "postgresql"], indirect=True)
def test_session_that_commits_each_statement_is_refused(url: str) -> None:
    with autocommit_session(url)() as session, pytest.raises(ConfigurationError, match="Begin a transaction"):
        make().claim_in(event(), session)


def test_application_of_the_guide_in_25_lines_has_its_effect_once_though_its_store_forgets(
    postgres: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("fastapi", "sqlalchemy.ext.asyncio"):
        pytest.importorskip(module, reason="needs FastAPI and SQLAlchemy (pip install fastapi 'sqlalchemy[asyncio]')")
    _, section, *_ = (DOCS / "how-to" / "webhook-setups.md").read_text().split("\n## ")
    files = {block["title"]: block["code"] for block in BLOCK.finditer(section)}
    assert sum(bool(line.strip()) for code in files.values() for line in code.splitlines()) <= 25
    for name, code in files.items():
        (tmp_path / name).write_text(code)
    monkeypatch.setenv("DATABASE_URL", postgres.url)
    monkeypatch.setenv("INTERACTOR_WEBHOOK_SECRET", "whsec_example")
    monkeypatch.syspath_prepend(tmp_path)
    postgres.run("DROP TABLE IF EXISTS reminders")
    subprocess.run([sys.executable, "models.py"], cwd=tmp_path, check=True)
    served = runpy.run_path(str(tmp_path / "fastapi_shop.py"))
    signed = WebhookFactory("whsec_example")("credential.expired", {"credential_id": "cred_7"})
    with asyncio.Runner() as runner:  # whose loop the engine's connections belong to
        for _ in range(2):
            answer = runner.run(signed.asend(served["app"], "/webhooks/interactor"))
            assert status(answer) == (200, "handled")
            postgres.run("DELETE FROM interactor_webhook_claims WHERE key NOT LIKE '+%'")
        runner.run(served["Session"].kw["bind"].dispose())
    served["store"].close()
    assert postgres.run("SELECT credential_id FROM reminders") == [("cred_7",)]


@pytest.mark.full
@pytest.mark.parametrize("way", WAYS_OF_PROCESSES)
def test_every_effect_happens_once_though_processes_and_the_server_are_killed_around_the_commit(
    way: str, postgres: PostgresServer
) -> None:
    pytest.importorskip(way.rpartition(" ")[2].lower())
    with PostgresEventStore(postgres.dsn) as store:
        store.create()
    postgres.run(TABLE)
    chance = random.Random(7)
    keys = [f"k{number}" for number in range(EVENTS)]
    doomed = chance.sample([key for key in keys if not dies_late(key)], VICTIMS)
    doomed += chance.sample([key for key in keys if dies_late(key)], VICTIMS // 20 + 1)
    jobs = [body_of(key=key) for key in chance.sample(keys * 2, EVENTS * 2)]
    restarts = [len(jobs) * number // (RESTARTS + 1) for number in range(1, RESTARTS + 1)]
    kill = killing(postgres, restarts)
    fleet = Fleet(partial(write, way), postgres.dsn, size=PROCESSES, lease=2, victims=doomed)

    def done() -> bool:
        kill(fleet.answers[200])
        return fleet.answers[200] == len(jobs)

    fleet.run(jobs, done)
    fleet.close()
    assert (fleet.kills, restarts) == (Counter(doomed), [])
    assert Counter(row[0] for row in postgres.run("SELECT id FROM effects")) == Counter(keys)
