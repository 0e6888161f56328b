"""Alembic's autogenerate with the hook of docs/how-to/stores.md."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from interactor_ext.webhooks import SQLiteEventQueue, SQLiteEventStore
from tests.support.pages import DOCS, blocks

sqlalchemy = pytest.importorskip("sqlalchemy", reason="pip install sqlalchemy")
autogenerate = pytest.importorskip("alembic.autogenerate", reason="pip install alembic")
migration = pytest.importorskip("alembic.runtime.migration")


# Without the hook, it reads the queue's table.
@pytest.mark.filterwarnings("ignore:Skipped unsupported reflection of expression-based index")
def test_autogenerate_leaves_the_tables_of_stores_and_queues_alone(tmp_path: Path) -> None:
    (block,) = [block for block in blocks(DOCS / "how-to" / "stores.md") if block.title == "include_name.py"]
    hook: dict[str, Any] = {}
    exec(block.code, hook)
    with SQLiteEventStore(tmp_path / "shop.db") as store, SQLiteEventQueue(tmp_path / "shop.db") as queue:
        store.claim("key", "token", 1)
        queue.put("key", b"{}")
    engine = sqlalchemy.create_engine(f"sqlite:///{tmp_path / 'shop.db'}")
    with engine.connect() as connection:
        connection.execute(sqlalchemy.text("CREATE TABLE orders (id INTEGER PRIMARY KEY)"))

        def removed(**options: Any) -> set[str]:
            context = migration.MigrationContext.configure(connection, opts=options)
            changes = autogenerate.compare_metadata(context, sqlalchemy.MetaData())
            return {each[1].name for each in changes if each[0] == "remove_table"}

        assert removed() == {"orders", "interactor_webhook_claims", "interactor_webhook_queue"}
        assert removed(include_name=hook["include_name"]) == {"orders"}
    engine.dispose()
