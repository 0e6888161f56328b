"""Event stores in PostgreSQL with synchronous methods: sync and async ones, with a dsn and with a pool."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from interactor_ext.webhooks import AsyncPostgresEventStore, AsyncRedisEventStore, PostgresEventStore

Make = Callable[..., Any]
POSTGRES = ["postgres", "postgres, pool", "async postgres", "async postgres, pool"]


class OneLoop:
    """An asynchronous store with synchronous methods, for tests."""

    def __init__(self, store: AsyncRedisEventStore | AsyncPostgresEventStore, loop: asyncio.AbstractEventLoop) -> None:
        self.store, self.loop = store, loop

    def __getattr__(self, name: str) -> Any:
        value = getattr(self.store, name)
        return (lambda *args: self.loop.run_until_complete(value(*args))) if callable(value) else value


@contextmanager
def postgres_stores(kind: str, dsn: str) -> Iterator[Make]:
    """Makes stores of one kind, which share a database, with synchronous methods. Its table is not there yet."""
    from psycopg_pool import AsyncConnectionPool, ConnectionPool

    with ExitStack() as stack:
        if "async" not in kind:
            pool = stack.enter_context(ConnectionPool(dsn, open=True)) if "pool" in kind else None
            yield lambda **options: stack.enter_context(PostgresEventStore(pool or dsn, **options))
            return
        runner = stack.enter_context(asyncio.Runner())
        async_pool = AsyncConnectionPool(dsn, open=False) if "pool" in kind else None
        if async_pool is not None:
            runner.run(async_pool.open())
            stack.callback(lambda: runner.run(async_pool.close()))

        def make(**options: Any) -> OneLoop:
            store = AsyncPostgresEventStore(async_pool or dsn, **options)
            stack.callback(lambda: runner.run(store.aclose()))
            return OneLoop(store, runner.get_loop())

        yield make
