"""Alembic's autogenerate with the hook of docs/how-to/stores.md."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from interactor_ext.webhooks import SQLiteEventQueue, SQLiteEventStore
from tests.support.pages import DOCS, blocks

sqlalchemy = pytest.importorskip("sqlalchemy", reason="pip install sqlalchemy")
pytest.importorskip("alembic", reason="pip install alembic")


def changes(folder: Path, **options: Any) -> set[tuple[str, str]]:
    """What autogenerate would do in a database with an `orders` table that no model has, and those of the SDK."""
    from alembic.autogenerate import compare_metadata
    from alembic.runtime.migration import MigrationContext

    engine = sqlalchemy.create_engine(f"sqlite:///{folder / 'shop.db'}")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts=options)
        found: list[Any] = compare_metadata(context, sqlalchemy.MetaData())
    engine.dispose()
    return {(each[0], each[1].name) for each in found}


# Without the hook, it reads the queue's table.
@pytest.mark.filterwarnings("ignore:Skipped unsupported reflection of expression-based index")
def test_autogenerate_leaves_the_tables_of_stores_and_queues_alone(tmp_path: Path) -> None:
    with SQLiteEventStore(tmp_path / "shop.db") as store, SQLiteEventQueue(tmp_path / "shop.db") as queue:
        store.claim("key", "token", 1)
        queue.put("key", b"{}")
    with sqlalchemy.create_engine(f"sqlite:///{tmp_path / 'shop.db'}").begin() as connection:
        connection.execute(sqlalchemy.text("CREATE TABLE orders (id INTEGER PRIMARY KEY)"))
    assert ("remove_table", "interactor_webhook_claims") in changes(tmp_path)
    (block,) = blocks(DOCS / "how-to" / "stores.md")
    names: dict[str, Any] = {}
    exec(block.code, names)
    assert changes(tmp_path, include_name=names["include_name"]) == {("remove_table", "orders")}
