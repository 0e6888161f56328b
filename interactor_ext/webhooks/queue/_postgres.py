"""PostgresEventQueue: a durable queue of events in PostgreSQL, for receivers and workers on many machines."""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar

from interactor_ext._effects import Call, Effects
from interactor_ext.webhooks._postgres import CENTURY, SyncPostgresBacked
from interactor_ext.webhooks.queue._contract import QueuedEvent
from interactor_ext.webhooks.queue._sql import COMPLETE, DELETE, Dialect, SQLEventQueue, check_values
from interactor_ext.webhooks.stores._postgres import OUTDATED

# After `at`, the row of a handled event counts as absent.
# The clock is the server's, the same for all machines. statement_timestamp(), unlike clock_timestamp(), lets an index
# find what is due.
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
_PUT = """
INSERT INTO interactor_webhook_queue AS queue (key, state, at, body, since) VALUES (:key, 'open', {now}, :body, {now})
ON CONFLICT (key) DO UPDATE SET state = 'open', at = excluded.at, body = excluded.body, since = excluded.since,
attempts = 0, token = '' WHERE queue.state = 'done' AND queue.at <= {now}
"""
# An event whose worker does not get this answer waits for the end of its lease.
_TAKE = """
UPDATE interactor_webhook_queue SET at = {then}, attempts = attempts + 1, token = :token WHERE key = (
    SELECT key FROM interactor_webhook_queue WHERE state = 'open' AND at <= {now} {service}
    ORDER BY at LIMIT 1 FOR UPDATE SKIP LOCKED
)
RETURNING key, body, attempts, {epoch} {now}) - {epoch} since)
"""
_NOW, _SECONDS = "statement_timestamp()", "make_interval(secs => :seconds)"


class PostgresEventQueue(SQLEventQueue, SyncPostgresBacked):
    """See `EventQueue`. Any number of receivers and workers, on any number of machines, share one table,
    `interactor_webhook_queue`, which `create()` creates; it may be in the database of a `PostgresEventStore`.

    Arguments and errors are the same as in `PostgresEventStore`. A queued event is as durable as the server's
    `synchronous_commit` setting makes it.
    """

    _dialect = Dialect(
        _NOW, f"{_NOW} + {_SECONDS}", f"{_NOW} - {_SECONDS}", "strpos(key, ':')", "date_part('epoch',", r"%(\1)s"
    )
    _kind = "queue"
    _table = "interactor_webhook_queue"
    _schema = SCHEMA
    # Without a store, nobody else sweeps what `claim_in` has claimed.
    _outdated: ClassVar = {"interactor_webhook_queue": "state = 'done' AND at <= statement_timestamp()"} | OUTDATED

    def put(self, key: str, body: bytes) -> bool:
        """Like `EventQueue.put`."""
        return self._run(partial(self._put, key, body))

    def take(self, token: str, lease: float, service: str = "") -> QueuedEvent | None:
        """Like `EventQueue.take`."""
        taken = self._fetch(_TAKE, token=token, seconds=lease, service=service)
        return QueuedEvent(*taken[0]) if taken else None

    def check(self) -> None:
        """Like `EventQueue.check`."""
        self._write(";".join((_PUT, COMPLETE, DELETE)), **check_values())  # one transaction

    def _put(self, key: str, body: bytes, connection: Any) -> Effects[bool]:
        is_new = yield from self._rows(connection, self._text(_PUT), {"key": key, "body": body})
        if is_new:
            yield from self._sweep(connection)
        return is_new > 0

    def _write(self, statement: str, *, seconds: float = 0.0, **values: Any) -> bool:
        values["seconds"] = min(seconds, CENTURY)
        return self._run(partial(self._rows, statement=self._text(statement), values=values)) > 0

    def _fetch(self, statement: str, *, seconds: float = 0.0, **values: Any) -> list[Any]:
        values["seconds"] = min(seconds, CENTURY)

        def plan(connection: Any) -> Effects[list[Any]]:
            cursor = yield from self._execute(connection, self._text(statement, values.get("service", "")), values)
            found: list[Any] = yield Call(cursor.fetchall)
            return found

        return self._run(plan)
