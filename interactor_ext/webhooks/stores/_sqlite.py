"""SQLiteEventStore: deduplicates events in a SQLite file, the default for the processes of one machine."""

from __future__ import annotations

from interactor_ext.webhooks._database import SQLiteBacked
from interactor_ext.webhooks.stores._contract import ClaimState

# `until` is the end of the lease, or of the ttl once the event was handled. After it the row counts as absent.
SCHEMA = """
CREATE TABLE IF NOT EXISTS interactor_webhook_claims (
    key TEXT PRIMARY KEY, token TEXT NOT NULL, until REAL NOT NULL, completed INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS interactor_webhook_claims_until ON interactor_webhook_claims (until);
"""
_CLAIM = """
INSERT INTO interactor_webhook_claims (key, token, until, completed) VALUES (:key, :token, :until, 0)
ON CONFLICT (key) DO UPDATE SET token = excluded.token, until = excluded.until, completed = 0
WHERE interactor_webhook_claims.until <= :now
OR (interactor_webhook_claims.token = excluded.token AND interactor_webhook_claims.completed = 0)
"""
_COMPLETE = """
INSERT INTO interactor_webhook_claims (key, token, until, completed) VALUES (:key, '', :until, 1)
ON CONFLICT (key) DO UPDATE SET token = '', until = excluded.until, completed = 1
WHERE interactor_webhook_claims.completed = 0 OR interactor_webhook_claims.until <= :now
"""
_RELEASE = "DELETE FROM interactor_webhook_claims WHERE key = :key AND token = :token AND completed = 0"
_STATE = "SELECT completed FROM interactor_webhook_claims WHERE key = :key"


class SQLiteEventStore(SQLiteBacked):
    """Shared by all threads and processes of one machine that open `path`; SQLite's locks don't work over a network.

    `ttl` is how many seconds a handled event is remembered; `timeout` how many seconds to wait for another writer
    before the router responds with 503. `clock` returns the time of day, which all processes must share.
    """

    _schema = SCHEMA
    _sweep = "DELETE FROM interactor_webhook_claims WHERE until <= :now"

    def claim(self, key: str, token: str, lease: float) -> ClaimState:
        """Like `EventStore.claim`."""
        with self._transaction() as (connection, now):
            claim = {"key": key, "token": token, "until": now + lease, "now": now}
            if connection.execute(_CLAIM, claim).rowcount:
                return ClaimState.CLAIMED
            (completed,) = connection.execute(_STATE, {"key": key}).fetchone()
            return ClaimState.COMPLETED if completed else ClaimState.IN_PROGRESS

    def complete(self, key: str, token: str) -> bool:
        """Like `EventStore.complete`."""
        with self._transaction() as (connection, now):
            done = {"key": key, "until": now + self.ttl, "now": now}
            return connection.execute(_COMPLETE, done).rowcount > 0

    def release(self, key: str, token: str) -> None:
        """Like `EventStore.release`."""
        with self._transaction() as (connection, _):
            connection.execute(_RELEASE, {"key": key, "token": token})
