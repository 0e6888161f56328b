"""PostgresEventQueue: a durable queue of events in PostgreSQL, for receivers and workers on many machines."""

from __future__ import annotations

from typing import ClassVar

from interactor_ext.webhooks._postgres import SyncPostgresBacked
from interactor_ext.webhooks.queue._sql import SQLEventQueue


class PostgresEventQueue(SQLEventQueue, SyncPostgresBacked):
    """See `EventQueue`. Any number of receivers and workers, on any number of machines, share one table,
    `interactor_webhook_queue`, which `create()` creates; it may be in the database of a `PostgresEventStore`.

    Arguments and errors are the same as in `PostgresEventStore`. A queued event is as durable as the server's
    `synchronous_commit` setting makes it.
    """

    _kind = "queue"
    _table = "interactor_webhook_queue"
    _outdated: ClassVar = SyncPostgresBacked._outdated | {
        "interactor_webhook_queue": "state = 'done' AND at <= statement_timestamp()"
    }
