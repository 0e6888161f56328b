"""SQLiteEventStore: deduplicates events in a SQLite file, the default for the processes of one machine."""

from __future__ import annotations

from interactor_ext.webhooks._database import SQLiteBacked
from interactor_ext.webhooks.stores._sql import SQLEventStore


class SQLiteEventStore(SQLEventStore, SQLiteBacked):
    """Shared by all threads and processes of one machine that open `path`; SQLite's locks don't work over a network.

    `ttl` is how many seconds a handled event is remembered; `timeout` how many seconds to wait for another writer
    before the router responds with 503. `clock` returns the time of day, which all processes must share.
    """

    _sweep = "DELETE FROM interactor_webhook_claims WHERE until <= :now"
