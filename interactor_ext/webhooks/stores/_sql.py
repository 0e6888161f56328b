"""The statements and methods that stores in SQLite and PostgreSQL share.

`until` is the end of the lease, or of the ttl once the event was handled. After that the row counts as deleted. A call
may run twice, because the first response may get lost: with the same token the outcome is the same.
"""

from __future__ import annotations

from typing import Any

from interactor_ext.webhooks._schema import CLAIMS
from interactor_ext.webhooks._sql import SQLBacked
from interactor_ext.webhooks.stores._contract import ClaimState

_INSERT = """
INSERT INTO interactor_webhook_claims AS claims (key, token, until, completed)
VALUES (:key, :token, {clock} + {seconds}, %s)
ON CONFLICT (key) DO UPDATE SET token = excluded.token, until = excluded.until, completed = excluded.completed
WHERE claims.until <= {clock} OR %s
"""
# The numbers are the values of ClaimState.
_STATE = """
SELECT CASE WHEN completed THEN 3 WHEN token = :token THEN 1 ELSE 2 END FROM interactor_webhook_claims WHERE key = :key
"""
CLAIM = ";".join((_INSERT % ("false", "(claims.token = excluded.token AND NOT claims.completed)"), _STATE))
COMPLETE = _INSERT % ("true", "NOT claims.completed OR claims.token = excluded.token")
RELEASE = "DELETE FROM interactor_webhook_claims WHERE key = :key AND token = :token AND NOT completed"


def state_of(found: list[Any]) -> ClaimState:
    """Return the state that `CLAIM` found. It finds no row if another claim was released between its two statements."""
    return ClaimState(found[0][0]) if found else ClaimState.IN_PROGRESS


class SQLEventStore(SQLBacked):
    """A store in the table `interactor_webhook_claims`."""

    _schema = CLAIMS

    def claim(self, key: str, token: str, lease: float) -> ClaimState:
        """Like `EventStore.claim`."""
        return state_of(self._found(CLAIM, key=key, token=token, seconds=lease))

    def complete(self, key: str, token: str) -> bool:
        """Like `EventStore.complete`."""
        return self._changes(COMPLETE, key=key, token=token, seconds=self.ttl)

    def release(self, key: str, token: str) -> None:
        """Like `EventStore.release`."""
        self._changes(RELEASE, key=key, token=token)
