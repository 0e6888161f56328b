"""SQLiteEventQueue: a durable queue of events in a SQLite file, for the processes of one machine."""

from __future__ import annotations

from interactor_ext.webhooks._database import SQLiteBacked
from interactor_ext.webhooks._sql import SQLITE, rendered
from interactor_ext.webhooks.queue._contract import QueuedEvent
from interactor_ext.webhooks.queue._sql import SQLEventQueue

SCHEMA = """
CREATE TABLE IF NOT EXISTS interactor_webhook_queue (
    key TEXT PRIMARY KEY, state TEXT NOT NULL, at REAL NOT NULL, body BLOB NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0, token TEXT NOT NULL DEFAULT '', error TEXT NOT NULL DEFAULT '',
    since REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS interactor_webhook_queue_at ON interactor_webhook_queue (state, at);
CREATE INDEX IF NOT EXISTS interactor_webhook_queue_service
ON interactor_webhook_queue (state, substr(key, 1, instr(key, ':')), at);
"""
_NEXT = """
SELECT key, body, attempts, since FROM interactor_webhook_queue WHERE state = 'open' AND at <= :now {service}
ORDER BY at LIMIT 1
"""
_TAKE = "UPDATE interactor_webhook_queue SET at = :until, attempts = attempts + 1, token = :token WHERE key = :key"


class SQLiteEventQueue(SQLEventQueue, SQLiteBacked):
    """See `EventQueue`. Every write is on disk before its method returns, and survives a power failure.

    `path` may be that of a `SQLiteEventStore`; `ttl` and `timeout` mean the same as there.
    """

    _schema = SCHEMA
    _sweep = "DELETE FROM interactor_webhook_queue WHERE state = 'done' AND at <= :now"

    def take(self, token: str, lease: float, service: str = "") -> QueuedEvent | None:
        """Like `EventQueue.take`."""
        with self._transaction() as (connection, now):
            values = {"now": now, "service": service}
            row = connection.execute(rendered(_NEXT, SQLITE, bool(service)), values).fetchone()
            if row is None:
                return None
            key, body, attempts, since = row
            connection.execute(_TAKE, {"key": key, "token": token, "until": now + lease})
            return QueuedEvent(key, body, attempts + 1, now - since)
