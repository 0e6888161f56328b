"""SQLiteEventQueue: a durable queue of events in a SQLite file, shared by the processes of one machine."""

from __future__ import annotations

from interactor_ext.webhooks._database import SQLiteBacked
from interactor_ext.webhooks.queue._sql import SQLEventQueue


class SQLiteEventQueue(SQLEventQueue, SQLiteBacked):
    """See `EventQueue`. Every write is on disk before its method returns, and survives a power failure.

    `path` may be the file of a `SQLiteEventStore`; `ttl` and `timeout` mean the same as there.
    """

    _sweep = "DELETE FROM interactor_webhook_queue WHERE state = 'done' AND at <= :now"
