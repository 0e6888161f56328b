"""The tables of stores and queues, as statements for migrations."""

from __future__ import annotations

from interactor_ext._engine.errors import ConfigurationError
from interactor_ext.webhooks._sql import DATABASES, statements_of

CLAIMS = """
CREATE TABLE IF NOT EXISTS interactor_webhook_claims (
    key {key} PRIMARY KEY, token TEXT NOT NULL, until {time} NOT NULL, completed BOOLEAN NOT NULL
) {clustered};
CREATE INDEX IF NOT EXISTS interactor_webhook_claims_until ON interactor_webhook_claims (until);
"""
QUEUE = """
CREATE TABLE IF NOT EXISTS interactor_webhook_queue (
    key {key} PRIMARY KEY, state TEXT NOT NULL, at {time} NOT NULL, body {bytes} NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0, token TEXT NOT NULL DEFAULT '', error TEXT NOT NULL DEFAULT '',
    since {time} NOT NULL
);
CREATE INDEX IF NOT EXISTS interactor_webhook_queue_at ON interactor_webhook_queue (state, at);
CREATE INDEX IF NOT EXISTS interactor_webhook_queue_service
ON interactor_webhook_queue (state, substr(key, 1, {colon}), at);
"""


def schema_statements(dialect: str) -> list[str]:
    """Return the statements that create the tables of stores and queues, in `postgresql` or `sqlite`. Execute them one
    by one: most drivers accept only one at a time. Existing tables stay unchanged.

        for statement in schema_statements(op.get_context().dialect.name):  # in a migration of Alembic
            op.execute(statement)

    Raises ConfigurationError for another database.
    """
    if dialect not in DATABASES:
        raise ConfigurationError(f"Stores and queues are in PostgreSQL or SQLite, not in {dialect!r}.")
    return statements_of(CLAIMS + QUEUE, dialect)
