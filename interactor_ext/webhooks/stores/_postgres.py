"""PostgresEventStore and AsyncPostgresEventStore: deduplicate events in PostgreSQL, for receivers on many machines."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Self, TypeVar

from interactor_ext._engine.effects import Effects, run_async
from interactor_ext._engine.lazy import asyncio
from interactor_ext.webhooks._postgres import PostgresBacked, SyncPostgresBacked
from interactor_ext.webhooks._schema import CLAIMS
from interactor_ext.webhooks.stores._contract import ClaimState
from interactor_ext.webhooks.stores._sql import CLAIM, COMPLETE, RELEASE, SQLEventStore, state_of

if TYPE_CHECKING:
    import psycopg_pool  # noqa: F401  (in a string)

T = TypeVar("T")


class _Claims:
    _kind = "store"
    _table = "interactor_webhook_claims"
    _schema = CLAIMS


class PostgresEventStore(_Claims, SQLEventStore, SyncPostgresBacked):
    """Accepts a dsn (`postgresql://...` or `host=...`) or an open `psycopg_pool.ConnectionPool`, whose connections must
    be writable; both serve any number of threads. With a dsn the store keeps up to 8 connections per process, and works
    in forked children too. `create()` creates its one table, `interactor_webhook_claims`.

    `ttl` is how long a handled event is remembered, in seconds. If PostgreSQL doesn't respond within `timeout` seconds,
    the delivery gets 503. Records are as durable as the server's `synchronous_commit` setting makes them.

    An asynchronous receiver calls it in a thread; `AsyncPostgresEventStore` needs none.

    Raises:
        WebhookStoreError: in any method: PostgreSQL is unreachable, refuses, or doesn't respond in time.
        ConfigurationError: psycopg isn't installed or a setting is wrong; in any method: the table doesn't exist.
    """


class AsyncPostgresEventStore(_Claims, PostgresBacked["psycopg_pool.AsyncConnectionPool[Any]"]):
    """`PostgresEventStore` for event loops, with a dsn or an open `psycopg_pool.AsyncConnectionPool`; the two can share
    one database. With a dsn it keeps up to 8 connections for each event loop. On Windows psycopg needs a
    `SelectorEventLoop`.
    """

    _takes_async = True

    async def create(self) -> None:
        """See `PostgresEventStore.create`."""
        await self._run(self._create)

    async def claim(self, key: str, token: str, lease: float) -> ClaimState:
        """Like `EventStore.claim`."""
        return state_of((await self._execute(CLAIM, key=key, token=token, seconds=lease))[1])

    async def complete(self, key: str, token: str) -> bool:
        """Like `EventStore.complete`."""
        return (await self._execute(COMPLETE, key=key, token=token, seconds=self.ttl))[0] > 0

    async def release(self, key: str, token: str) -> None:
        """Like `EventStore.release`."""
        await self._execute(RELEASE, key=key, token=token)

    async def rename(self, old: str, new: str) -> int:
        """See `PostgresEventStore.rename`."""
        return await self._run(partial(self._rename, old, new))

    async def aclose(self) -> None:
        """Like `PostgresEventStore.close`, but for the connections of this event loop."""
        await run_async(self._close_own())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()

    async def _execute(self, statements: str, *, seconds: float = 0.0, **values: Any) -> tuple[int, list[Any]]:
        return await self._run(partial(self._statements, statements, seconds, values))

    async def _run(self, plan: Callable[[Any], Effects[T]]) -> T:
        # In its own task: a cancelled psycopg first sends the server a cancel request, and waits for that.
        task = asyncio.ensure_future(run_async(self._perform(plan, time.monotonic() + self._timeout)))
        # Otherwise asyncio logs an exception that nothing retrieves.
        task.add_done_callback(lambda task: task.cancelled() or task.exception())
        try:
            await asyncio.wait([task], timeout=self._timeout)
            if task.done():
                return task.result()
        finally:
            task.cancel()
        self._closing = asyncio.ensure_future(self.aclose())  # as in threads
        raise self._timed_out()

    def _place(self) -> Any:
        # Connections of an event loop that has ended can't be closed there any more.
        for loop in [each for each in self._pools if each.is_closed()]:
            del self._pools[loop]
        return asyncio.get_running_loop()
