"""PostgresEventQueue: a durable queue of events in PostgreSQL, for receivers and workers on many machines."""

from __future__ import annotations

from functools import partial
from typing import Any

from interactor_ext._effects import Call, Effects
from interactor_ext.telemetry._events import WebhookQueue
from interactor_ext.webhooks._postgres import CENTURY, SyncPostgresBacked, rows
from interactor_ext.webhooks.queue._contract import MAX_ERROR_LENGTH, DeadLetter, QueuedEvent

# `at` is when an event is due, when its lease ends, when it became a dead letter, or when it may be forgotten. After
# that the row counts as absent.
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
INSERT INTO interactor_webhook_queue AS queue (key, state, at, body, since)
VALUES (%(key)s, 'open', statement_timestamp(), %(body)s, statement_timestamp())
ON CONFLICT (key) DO UPDATE SET state = 'open', at = excluded.at, body = excluded.body, since = excluded.since,
attempts = 0, token = '' WHERE queue.state = 'done' AND queue.at <= statement_timestamp()
"""
# An event whose worker does not get this answer waits for the end of its lease.
_TAKE = """
UPDATE interactor_webhook_queue
SET at = statement_timestamp() + make_interval(secs => %(seconds)s), attempts = attempts + 1, token = %(token)s
WHERE key = (
    SELECT key FROM interactor_webhook_queue WHERE state = 'open' AND at <= statement_timestamp() {}
    ORDER BY at LIMIT 1 FOR UPDATE SKIP LOCKED
)
RETURNING key, body, attempts, extract(epoch FROM statement_timestamp() - since)::float8
"""
# Two statements: a plan for both, as a prepared statement gets, would use no index of the service.
_TAKE_OF_ALL = _TAKE.format("")
_TAKE_OF_SERVICE = _TAKE.format("AND substr(key, 1, strpos(key, ':')) = %(service)s || ':'")
_OF_HOLDER = """
UPDATE interactor_webhook_queue SET at = statement_timestamp() + make_interval(secs => %(seconds)s) {}
WHERE key = %(key)s AND token = %(token)s AND state = 'open'
"""
_RENEW = _OF_HOLDER.format("")
_END = _OF_HOLDER.format(", token = '', state = %(state)s, error = %(error)s")
_PUT_BACK = _OF_HOLDER.format(", token = '', attempts = attempts - 1")
_DONE = """
UPDATE interactor_webhook_queue SET state = 'done', body = '', token = %(token)s, error = '',
at = statement_timestamp() + make_interval(secs => %(seconds)s) WHERE key = %(key)s AND
"""
# With the same token, a repeated completion is the first one still.
_COMPLETE = _DONE + "(state <> 'done' OR token = %(token)s)"
_DISCARD = _DONE + "state = 'dead'"
_DEAD = """
SELECT key, body, attempts, error, extract(epoch FROM at)::float8
FROM interactor_webhook_queue WHERE state = 'dead' ORDER BY at LIMIT %(limit)s
"""
_STATS = """
SELECT count(*) FILTER (WHERE state = 'open' AND error = ''), count(*) FILTER (WHERE state = 'open' AND error <> ''),
    count(*) FILTER (WHERE state = 'dead'), extract(epoch FROM coalesce(
        statement_timestamp() - min(since) FILTER (WHERE state = 'open' AND error = ''), interval '0'))::float8
FROM interactor_webhook_queue
WHERE state IN ('open', 'dead') AND (%(service)s = '' OR substr(key, 1, strpos(key, ':')) = %(service)s || ':')
"""
_REPLAY = """
UPDATE interactor_webhook_queue SET state = 'open', at = statement_timestamp(), since = statement_timestamp(),
attempts = 0 WHERE key = %(key)s AND state = 'dead'
"""


class PostgresEventQueue(SyncPostgresBacked):
    """See `EventQueue`. Any number of receivers and workers, on any number of machines, share one table,
    `interactor_webhook_queue`, which `create()` creates; it may be in the database of a `PostgresEventStore`.

    Arguments and errors are the same as in `PostgresEventStore`. A queued event is as durable as the server's
    `synchronous_commit` setting makes it.
    """

    _kind = "queue"
    _table = "interactor_webhook_queue"
    _schema = SCHEMA
    _outdated = "state = 'done' AND at <= statement_timestamp()"

    def put(self, key: str, body: bytes) -> bool:
        """Like `EventQueue.put`."""
        return self._run(partial(self._put, key, body))

    def take(self, token: str, lease: float, service: str = "") -> QueuedEvent | None:
        """Like `EventQueue.take`."""
        statement = _TAKE_OF_SERVICE if service else _TAKE_OF_ALL
        taken = self._fetch(statement, token=token, seconds=min(lease, CENTURY), service=service)
        return QueuedEvent(*taken[0]) if taken else None

    def renew(self, key: str, token: str, lease: float) -> bool:
        """Like `EventQueue.renew`."""
        return self._write(_RENEW, key=key, token=token, seconds=lease)

    def complete(self, key: str, token: str) -> bool:
        """Like `EventQueue.complete`."""
        return self._write(_COMPLETE, key=key, token=token, seconds=self.ttl)

    def retry(self, key: str, token: str, delay: float, error: str) -> bool:
        """Like `EventQueue.retry`."""
        return self._end_attempt("open", key, token, delay, error)

    def put_back(self, key: str, token: str, delay: float) -> bool:
        """Like `EventQueue.put_back`."""
        return self._write(_PUT_BACK, key=key, token=token, seconds=delay)

    def bury(self, key: str, token: str, error: str) -> bool:
        """Like `EventQueue.bury`."""
        return self._end_attempt("dead", key, token, 0.0, error)

    def dead_letters(self, limit: int = 100) -> list[DeadLetter]:
        """Like `EventQueue.dead_letters`."""
        return [DeadLetter(*row) for row in self._fetch(_DEAD, limit=limit)]

    def stats(self, service: str = "") -> WebhookQueue:
        """How many events of this service, or of all, are in the queue, and how old they are."""
        [row] = self._fetch(_STATS, service=service)
        return WebhookQueue(service, *row)

    def replay(self, key: str) -> bool:
        """Like `EventQueue.replay`."""
        return self._write(_REPLAY, key=key)

    def discard(self, key: str) -> bool:
        """Like `EventQueue.discard`."""
        return self._write(_DISCARD, key=key, token="", seconds=self.ttl)

    def _end_attempt(self, state: str, key: str, token: str, delay: float, error: str) -> bool:
        # PostgreSQL takes no NUL in a text.
        error = error.replace("\0", "\\0")[:MAX_ERROR_LENGTH]
        return self._write(_END, state=state, key=key, token=token, seconds=delay, error=error)

    def _put(self, key: str, body: bytes, connection: Any) -> Effects[bool]:
        is_new = yield from rows(connection, _PUT, {"key": key, "body": body})
        if is_new:
            yield from self._sweep(connection)
        return is_new > 0

    def _write(self, statement: str, *, seconds: float = 0.0, **values: Any) -> bool:
        values["seconds"] = min(seconds, CENTURY)
        return self._run(partial(rows, statement=statement, values=values)) > 0

    def _fetch(self, statement: str, **values: Any) -> list[Any]:
        from psycopg.rows import tuple_row

        def plan(connection: Any) -> Effects[list[Any]]:
            # The connections of a pool may make something else of rows.
            cursor = connection.cursor(row_factory=tuple_row)
            yield Call(cursor.execute, (statement, values))
            found: list[Any] = yield Call(cursor.fetchall)
            return found

        return self._run(plan)
