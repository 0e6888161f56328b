"""The statements that queues in SQLite and PostgreSQL share, and the methods that run one statement each."""

from __future__ import annotations

import secrets

from interactor_client.advised import Advised
from interactor_ext._engine.telemetry_events import WebhookQueue
from interactor_ext.webhooks._schema import QUEUE
from interactor_ext.webhooks._sql import SQLBacked
from interactor_ext.webhooks.queue._contract import MAX_ERROR_LENGTH, DeadLetter, QueuedEvent

_OF_HOLDER = """
UPDATE interactor_webhook_queue SET at = {now} + {seconds} %s WHERE key = :key AND token = :token AND state = 'open'
"""
# After `at`, the row of a handled event counts as deleted.
_PUT = """
INSERT INTO interactor_webhook_queue (key, state, at, body, since) VALUES (:key, 'open', {now}, :body, {now})
ON CONFLICT (key) DO UPDATE SET state = 'open', at = excluded.at, body = excluded.body, since = excluded.since,
attempts = 0, token = '' WHERE interactor_webhook_queue.state = 'done' AND interactor_webhook_queue.at <= {now}
"""
# In one transaction, so the second statement finds the row that the first has locked, by an index. If the response gets
# lost, the event waits for the end of its lease.
_TAKE = """
UPDATE interactor_webhook_queue SET at = {now} + {seconds}, attempts = attempts + 1, token = :token WHERE key = (
    SELECT key FROM interactor_webhook_queue WHERE state = 'open' AND at <= {now} {service}
    ORDER BY at LIMIT 1 {skip_locked}
);
SELECT key, body, attempts, {epoch} {now}) - {epoch} since) FROM interactor_webhook_queue
WHERE state = 'open' AND at = {now} + {seconds} AND token = :token
"""
_RENEW = _OF_HOLDER % ""
_END = _OF_HOLDER % ", token = '', state = :state, error = :error"
_PUT_BACK = _OF_HOLDER % (
    ", token = '', attempts = attempts - 1, error = CASE attempts WHEN 1 THEN :error ELSE error END"
)
_DONE = """
UPDATE interactor_webhook_queue SET state = 'done', at = {now} + {seconds}, body = '', token = :token, error = ''
WHERE key = :key AND
"""
# With the same token, a repeated completion still counts as the first.
_COMPLETE = _DONE + "(state <> 'done' OR token = :token)"
_DISCARD = _DONE + "state = 'dead'"
_CHECK = ";".join((_PUT, _COMPLETE, "DELETE FROM interactor_webhook_queue WHERE key = :key"))
_REPLAY = """
UPDATE interactor_webhook_queue SET state = 'open', at = {now}, since = {now}, attempts = 0, error = ''
WHERE key = :key AND state = 'dead'
"""
_DEAD = """
SELECT key, body, attempts, error, {epoch} at) FROM interactor_webhook_queue WHERE state = 'dead' {service}
ORDER BY at LIMIT :limit
"""
_DEAD_WITH_KEY = _DEAD.replace("ORDER BY", "AND key = :key ORDER BY")
_STATS = """
SELECT count(CASE WHEN state = 'open' AND error = '' THEN 1 END),
    count(CASE WHEN state = 'open' AND error <> '' AND attempts > 0 THEN 1 END),
    count(CASE WHEN state = 'dead' THEN 1 END),
    coalesce({epoch} {now}) - {epoch} min(CASE WHEN state = 'open' AND error = '' THEN since END)), 0.0),
    count(CASE WHEN state = 'open' AND error <> '' AND attempts = 0 THEN 1 END)
FROM interactor_webhook_queue WHERE state IN ('open', 'dead') {service}
"""
_OVERDUE = """
SELECT substr(key, 1, {colon}), count(*) FROM interactor_webhook_queue
WHERE state = 'open' AND at <= {now} - {seconds} GROUP BY 1
"""


class SQLEventQueue(Advised, SQLBacked):
    """A queue in the table `interactor_webhook_queue`. `at` is when an event is due, when its lease ends, when it
    became a dead letter, or when it may be deleted. If no attempt has been made, `error` says that the event has no
    handler.
    """

    _schema = QUEUE

    def put(self, key: str, body: bytes) -> bool:
        """Like `EventQueue.put`."""
        return self._changes(_PUT, key=key, body=body)

    def take(self, token: str, lease: float, service: str = "") -> QueuedEvent | None:
        """Like `EventQueue.take`."""
        found = self._found(_TAKE, token=token, seconds=lease, service=service)
        return QueuedEvent(*found[0]) if found else None

    def renew(self, key: str, token: str, lease: float) -> bool:
        """Like `EventQueue.renew`."""
        return self._changes(_RENEW, key=key, token=token, seconds=lease)

    def complete(self, key: str, token: str) -> bool:
        """Like `EventQueue.complete`."""
        return self._changes(_COMPLETE, key=key, token=token, seconds=self.ttl)

    def retry(self, key: str, token: str, delay: float, error: str) -> bool:
        """Like `EventQueue.retry`."""
        return self._changes(_END, state="open", key=key, token=token, seconds=delay, error=_storable(error))

    def put_back(self, key: str, token: str, delay: float, error: str = "") -> bool:
        """Like `EventQueue.put_back`."""
        return self._changes(_PUT_BACK, key=key, token=token, seconds=delay, error=_storable(error))

    def bury(self, key: str, token: str, error: str) -> bool:
        """Like `EventQueue.bury`."""
        return self._changes(_END, state="dead", key=key, token=token, error=_storable(error))

    def dead_letters(self, limit: int = 100, service: str = "", key: str = "") -> list[DeadLetter]:
        """Like `EventQueue.dead_letters`."""
        found = self._found(_DEAD_WITH_KEY if key else _DEAD, limit=limit, service=service, key=key)
        return [DeadLetter(*row) for row in found]

    def stats(self, service: str = "") -> WebhookQueue:
        """Return how many events are in the queue, of this service or of all, and how old they are."""
        [row] = self._found(_STATS, service=service)
        return WebhookQueue(service, *row)

    def overdue(self, seconds: float) -> dict[str, int]:
        """Like `EventQueue.overdue`."""
        return dict(self._found(_OVERDUE, seconds=seconds))

    def replay(self, key: str) -> bool:
        """Like `EventQueue.replay`."""
        return self._changes(_REPLAY, key=key)

    def discard(self, key: str) -> bool:
        """Like `EventQueue.discard`."""
        return self._changes(_DISCARD, key=key, token="", seconds=self.ttl)

    def check(self) -> None:
        """Like `EventQueue.check`."""
        self._changes(_CHECK, key=f"check:{secrets.token_hex(8)}", body=b"{}", token="", seconds=self.ttl)


def _storable(error: str) -> str:
    # PostgreSQL doesn't accept NUL in text.
    return error.replace("\0", "\\0")[:MAX_ERROR_LENGTH]
