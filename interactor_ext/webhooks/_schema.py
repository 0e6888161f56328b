"""The tables of stores and queues, for migrations."""

from __future__ import annotations

from interactor_ext._errors import ConfigurationError
from interactor_ext.webhooks.queue import _postgres as postgres_queue
from interactor_ext.webhooks.queue import _sqlite as sqlite_queue
from interactor_ext.webhooks.stores import _postgres as postgres_store
from interactor_ext.webhooks.stores import _sqlite as sqlite_store

_SCHEMAS = {
    "postgresql": postgres_store.SCHEMA + postgres_queue.SCHEMA,
    "sqlite": sqlite_store.SCHEMA + sqlite_queue.SCHEMA,
}


def schema_statements(dialect: str) -> list[str]:
    """The statements that create the tables of stores and queues, in `postgresql` or `sqlite`. Execute them one by one:
    most drivers take no more at once. Nothing happens to tables that exist.

        for statement in schema_statements(op.get_context().dialect.name):  # in a migration of Alembic
            op.execute(statement)

    Raises ConfigurationError for another database.
    """
    if dialect not in _SCHEMAS:
        raise ConfigurationError(f"Stores and queues are in PostgreSQL or SQLite, not in {dialect!r}.")
    return [statement.strip() for statement in _SCHEMAS[dialect].split(";") if statement.strip()]
