"""SQLiteEventQueue: a durable queue of events in a SQLite file, for the processes of one machine."""

from __future__ import annotations

from typing import Any

from interactor_ext.telemetry._events import WebhookQueue
from interactor_ext.webhooks._database import SQLiteBacked
from interactor_ext.webhooks.queue._contract import MAX_ERROR_LENGTH, DeadLetter, QueuedEvent

# `at` is when an event is due, when its lease ends, when it became a dead letter, or when it may be forgotten.
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
_PUT = """
INSERT INTO interactor_webhook_queue (key, state, at, body, since) VALUES (:key, 'open', :now, :body, :now)
ON CONFLICT DO NOTHING
"""
_NEXT = """
SELECT key, body, attempts, since FROM interactor_webhook_queue WHERE state = 'open' AND at <= :now {}
ORDER BY at LIMIT 1
"""
_NEXT_OF_ALL = _NEXT.format("")
_NEXT_OF_SERVICE = _NEXT.format("AND substr(key, 1, instr(key, ':')) = :service || ':'")
_TAKE = "UPDATE interactor_webhook_queue SET at = :until, attempts = attempts + 1, token = :token WHERE key = :key"
_OF_HOLDER = """
UPDATE interactor_webhook_queue SET at = :now + :seconds {} WHERE key = :key AND token = :token AND state = 'open'
"""
_RENEW = _OF_HOLDER.format("")
_END = _OF_HOLDER.format(", token = '', state = :state, error = :error")
_PUT_BACK = _OF_HOLDER.format(", token = '', attempts = attempts - 1")
_DONE = """
UPDATE interactor_webhook_queue SET state = 'done', at = :now + :ttl, body = '', token = '', error = ''
WHERE key = :key AND state
"""
_COMPLETE = _DONE + "<> 'done'"
_DISCARD = _DONE + "= 'dead'"
_DEAD = """
SELECT key, body, attempts, error, at FROM interactor_webhook_queue WHERE state = 'dead' ORDER BY at LIMIT :limit
"""
_STATS = """
SELECT count(CASE WHEN state = 'open' AND error = '' THEN 1 END),
    count(CASE WHEN state = 'open' AND error <> '' THEN 1 END), count(CASE WHEN state = 'dead' THEN 1 END),
    coalesce(:now - min(CASE WHEN state = 'open' AND error = '' THEN since END), 0.0)
FROM interactor_webhook_queue
WHERE state IN ('open', 'dead') AND (:service = '' OR substr(key, 1, instr(key, ':')) = :service || ':')
"""
_REPLAY = (
    "UPDATE interactor_webhook_queue SET state = 'open', at = :now, since = :now, attempts = 0 "
    "WHERE key = :key AND state = 'dead'"
)


class SQLiteEventQueue(SQLiteBacked):
    """See `EventQueue`. Every write is on disk before its method returns, and survives a power failure.

    `path` may be that of a `SQLiteEventStore`; `ttl` and `timeout` mean the same as there.
    """

    _schema = SCHEMA
    _sweep = "DELETE FROM interactor_webhook_queue WHERE state = 'done' AND at <= :now"

    def put(self, key: str, body: bytes) -> bool:
        """Like `EventQueue.put`."""
        return self._write(_PUT, key=key, body=body)

    def take(self, token: str, lease: float, service: str = "") -> QueuedEvent | None:
        """Like `EventQueue.take`."""
        with self._transaction() as (connection, now):
            statement = _NEXT_OF_SERVICE if service else _NEXT_OF_ALL
            row = connection.execute(statement, {"now": now, "service": service}).fetchone()
            if row is None:
                return None
            key, body, attempts, since = row
            connection.execute(_TAKE, {"key": key, "token": token, "until": now + lease})
            return QueuedEvent(key, body, attempts + 1, now - since)

    def renew(self, key: str, token: str, lease: float) -> bool:
        """Like `EventQueue.renew`."""
        return self._write(_RENEW, key=key, token=token, seconds=lease)

    def complete(self, key: str, token: str) -> bool:
        """Like `EventQueue.complete`."""
        return self._write(_COMPLETE, key=key, ttl=self.ttl)

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
        with self._transaction() as (connection, _):
            return [DeadLetter(*row) for row in connection.execute(_DEAD, {"limit": limit})]

    def stats(self, service: str = "") -> WebhookQueue:
        """How many events of this service, or of all, are in the queue, and how old they are."""
        with self._transaction() as (connection, now):
            row = connection.execute(_STATS, {"service": service, "now": now}).fetchone()
            return WebhookQueue(service, *row)

    def replay(self, key: str) -> bool:
        """Like `EventQueue.replay`."""
        return self._write(_REPLAY, key=key)

    def discard(self, key: str) -> bool:
        """Like `EventQueue.discard`."""
        return self._write(_DISCARD, key=key, ttl=self.ttl)

    def _end_attempt(self, state: str, key: str, token: str, delay: float, error: str) -> bool:
        return self._write(_END, state=state, key=key, token=token, seconds=delay, error=error[:MAX_ERROR_LENGTH])

    def _write(self, statement: str, **values: Any) -> bool:
        with self._transaction() as (connection, now):
            return connection.execute(statement, {**values, "now": now}).rowcount > 0
