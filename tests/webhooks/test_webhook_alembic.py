"""SQLAlchemy in docs/how-to/webhook-once.md: the migration of Alembic, its hook, and engines behind PgBouncer."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from interactor_ext import ConfigurationError
from interactor_ext.webhooks import (
    ClaimState,
    PostgresEventQueue,
    PostgresEventStore,
    SQLiteEventQueue,
    SQLiteEventStore,
    schema_statements,
)
from tests.support.pages import DOCS, blocks
from tests.support.postgres_server import PostgresServer

sqlalchemy = pytest.importorskip("sqlalchemy", reason="pip install sqlalchemy")
engines = pytest.importorskip("sqlalchemy.ext.asyncio")
autogenerate = pytest.importorskip("alembic.autogenerate", reason="pip install alembic")
migration = pytest.importorskip("alembic.runtime.migration")
operations = pytest.importorskip("alembic.operations")

pytest_plugins = ["tests.support.server_fixtures"]


def block_of_the_page(title: str) -> dict[str, Any]:
    (block,) = [block for block in blocks(DOCS / "how-to" / "webhook-once.md") if block.title == title]
    names: dict[str, Any] = {}
    exec(block.code, names)
    return names


def migrate(connection: Any) -> None:
    with operations.Operations.context(migration.MigrationContext.configure(connection)):
        for _ in range(2):  # what is there is left alone
            page = block_of_the_page("versions/0001_interactor_webhooks.py")
            for step in ("upgrade", "downgrade", "upgrade"):
                page[step]()


def url_of(server: PostgresServer, driver: str, query: str = "") -> str:
    pytest.importorskip(driver)
    return f"postgresql+{driver}://postgres@/postgres?host={server.folder}{query}"


def test_migration_creates_the_tables_in_sqlite(tmp_path: Path) -> None:
    engine = sqlalchemy.create_engine(f"sqlite:///{tmp_path / 'shop.db'}")
    with engine.begin() as connection:
        migrate(connection)
    assert set(sqlalchemy.inspect(engine).get_table_names()) == {
        "interactor_webhook_claims",
        "interactor_webhook_queue",
    }
    engine.dispose()
    with SQLiteEventStore(tmp_path / "shop.db") as store, SQLiteEventQueue(tmp_path / "shop.db") as queue:
        assert (store.claim("k", "t", 60), queue.put("k", b"x")) == (ClaimState.CLAIMED, True)


@pytest.mark.parametrize("driver", ["psycopg", "asyncpg"])
def test_migration_creates_the_tables_in_postgres(postgres: PostgresServer, driver: str) -> None:
    async def run() -> None:
        engine = engines.create_async_engine(url_of(postgres, driver))
        async with engine.begin() as connection:
            await connection.run_sync(migrate)
        await engine.dispose()

    asyncio.run(run())
    with PostgresEventStore(postgres.dsn) as store, PostgresEventQueue(postgres.dsn) as queue:
        assert (store.claim("k", "t", 60), queue.put("k", b"x")) == (ClaimState.CLAIMED, True)


def test_schema_of_another_database_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="not in 'mysql'"):
        schema_statements("mysql")


@pytest.mark.parametrize(("driver", "arguments"), [("psycopg", "PSYCOPG"), ("asyncpg", "ASYNCPG")])
def test_async_engines_of_the_page_work_behind_a_pooler_of_transactions(
    postgres: PostgresServer, driver: str, arguments: str
) -> None:
    async def run() -> None:
        options = block_of_the_page("engines.py")[arguments]
        engine = engines.create_async_engine(url_of(postgres, driver, "&port=6432"), connect_args=options)

        async def one(number: int) -> None:
            for _ in range(8):
                async with engine.begin() as connection:
                    statement = sqlalchemy.text(f"SELECT CAST(:n AS integer) + {number}")
                    assert (await connection.execute(statement, {"n": 1})).scalar() == number + 1

        await asyncio.gather(*map(one, range(5)))
        await engine.dispose()

    with postgres.pooler():
        asyncio.run(run())


# Without the hook, it reads the queue's table.
@pytest.mark.filterwarnings("ignore:Skipped unsupported reflection of expression-based index")
def test_autogenerate_leaves_the_tables_of_stores_and_queues_alone(tmp_path: Path) -> None:
    hook = block_of_the_page("include_name.py")["include_name"]
    engine = sqlalchemy.create_engine(f"sqlite:///{tmp_path / 'shop.db'}")
    with engine.connect() as connection:
        migrate(connection)
        connection.execute(sqlalchemy.text("CREATE TABLE orders (id INTEGER PRIMARY KEY)"))

        def removed(**options: Any) -> set[str]:
            context = migration.MigrationContext.configure(connection, opts=options)
            changes = autogenerate.compare_metadata(context, sqlalchemy.MetaData())
            return {each[1].name for each in changes if each[0] == "remove_table"}

        assert removed() == {"orders", "interactor_webhook_claims", "interactor_webhook_queue"}
        assert removed(include_name=hook) == {"orders"}
    engine.dispose()
