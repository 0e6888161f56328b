"""SQLiteEventStore: deduplicates events in a SQLite file, the default for the processes of one machine."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from interactor_ext.webhooks._database import Database, SQLiteBacked, StoredClock
from interactor_ext.webhooks._settings import above_zero
from interactor_ext.webhooks.stores._contract import DEFAULT_TTL, ClaimState

# `until` is the end of the lease, or of the ttl once the event was handled. After it the row counts as absent.
_SCHEMA = """
CREATE TABLE IF NOT EXISTS interactor_webhook_claims (
    key TEXT PRIMARY KEY, token TEXT NOT NULL, until REAL NOT NULL, completed INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS interactor_webhook_claims_until ON interactor_webhook_claims (until)
"""
_CLAIM = """
INSERT INTO interactor_webhook_claims (key, token, until, completed) VALUES (:key, :token, :until, 0)
ON CONFLICT (key) DO UPDATE SET token = excluded.token, until = excluded.until, completed = 0
WHERE interactor_webhook_claims.until <= :now
"""
_COMPLETE = """
INSERT INTO interactor_webhook_claims (key, token, until, completed) VALUES (:key, '', :until, 1)
ON CONFLICT (key) DO UPDATE SET token = '', until = excluded.until, completed = 1
WHERE interactor_webhook_claims.completed = 0 OR interactor_webhook_claims.until <= :now
"""
_RELEASE = "DELETE FROM interactor_webhook_claims WHERE key = :key AND token = :token AND completed = 0"
_STATE = "SELECT completed FROM interactor_webhook_claims WHERE key = :key"
_SWEEP = "DELETE FROM interactor_webhook_claims WHERE until <= :now"
_SWEEP_EVERY = 3600.0
_SHIFT = "UPDATE interactor_webhook_claims SET until = until + :by WHERE completed = 0"


class SQLiteEventStore(SQLiteBacked):
    """Shared by every thread and process of one machine that opens `path`; SQLite's locks do not work over a network.

    `ttl` is how many seconds a handled event is remembered; `timeout` how many seconds to wait for another writer
    before the router answers 503. `clock` is the time of day, which the processes must share.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        ttl: float = DEFAULT_TTL,
        timeout: float = 5.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._clock = StoredClock(clock, "interactor_webhook_claims_clock", _SHIFT)
        self._database = Database(path, f"{_SCHEMA};{self._clock.schema}", timeout=timeout)
        self.ttl: float = above_zero(ttl, "The ttl of a webhook store", endless=True)
        self._next_sweep = 0.0

    def claim(self, key: str, token: str, lease: float) -> ClaimState:
        """As `EventStore.claim`."""
        with self._database.transaction() as connection:
            now = self._clock.now(connection)
            if now >= self._next_sweep:
                connection.execute(_SWEEP, {"now": now})
                self._next_sweep = now + _SWEEP_EVERY
            claim = {"key": key, "token": token, "until": now + lease, "now": now}
            if connection.execute(_CLAIM, claim).rowcount:
                return ClaimState.CLAIMED
            (completed,) = connection.execute(_STATE, {"key": key}).fetchone()
            return ClaimState.COMPLETED if completed else ClaimState.IN_PROGRESS

    def complete(self, key: str, token: str) -> bool:
        """As `EventStore.complete`."""
        with self._database.transaction() as connection:
            now = self._clock.now(connection)
            done = {"key": key, "until": now + self.ttl, "now": now}
            return connection.execute(_COMPLETE, done).rowcount > 0

    def release(self, key: str, token: str) -> None:
        """As `EventStore.release`."""
        with self._database.transaction() as connection:
            connection.execute(_RELEASE, {"key": key, "token": token})
