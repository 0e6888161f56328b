"""PostgresEventQueue: a durable queue of events in PostgreSQL, for receivers and workers on many machines."""

from __future__ import annotations

from typing import ClassVar

from interactor_ext.webhooks._postgres import SyncPostgresBacked
from interactor_ext.webhooks.queue._contract import QueuedEvent
from interactor_ext.webhooks.queue._sql import SQLEventQueue
from interactor_ext.webhooks.stores._postgres import OUTDATED

SCHEMA = """
CREATE TABLE IF NOT EXISTS interactor_webhook_queue (
    key text COLLATE "C" PRIMARY KEY, state text NOT NULL, at timestamptz NOT NULL, body bytea NOT NULL,
    attempts integer NOT NULL DEFAULT 0, token text NOT NULL DEFAULT '', error text NOT NULL DEFAULT '',
    since timestamptz NOT NULL
);
CREATE INDEX IF NOT EXISTS interactor_webhook_queue_at ON interactor_webhook_queue (state, at);
CREATE INDEX IF NOT EXISTS interactor_webhook_queue_service
ON interactor_webhook_queue (state, substr(key, 1, strpos(key, ':')), at);
"""
# An event whose worker does not get this answer waits for the end of its lease.
_TAKE = """
UPDATE interactor_webhook_queue SET at = {then}, attempts = attempts + 1, token = :token WHERE key = (
    SELECT key FROM interactor_webhook_queue WHERE state = 'open' AND at <= {now} {service}
    ORDER BY at LIMIT 1 FOR UPDATE SKIP LOCKED
)
RETURNING key, body, attempts, {epoch} {now}) - {epoch} since)
"""


class PostgresEventQueue(SQLEventQueue, SyncPostgresBacked):
    """See `EventQueue`. Any number of receivers and workers, on any number of machines, share one table,
    `interactor_webhook_queue`, which `create()` creates; it may be in the database of a `PostgresEventStore`.

    Arguments and errors are the same as in `PostgresEventStore`. A queued event is as durable as the server's
    `synchronous_commit` setting makes it.
    """

    _kind = "queue"
    _table = "interactor_webhook_queue"
    _schema = SCHEMA
    # Without a store, nobody else sweeps what `claim_in` has claimed.
    _outdated: ClassVar = {"interactor_webhook_queue": "state = 'done' AND at <= statement_timestamp()"} | OUTDATED

    def take(self, token: str, lease: float, service: str = "") -> QueuedEvent | None:
        """Like `EventQueue.take`."""
        taken = self._found(_TAKE, token=token, seconds=lease, service=service)
        return QueuedEvent(*taken[0]) if taken else None
