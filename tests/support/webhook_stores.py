"""Event stores of every kind, all with synchronous methods, and calls with the results that they must have."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from interactor_ext.webhooks import (
    AsyncPostgresEventStore,
    AsyncRedisEventStore,
    MemoryEventStore,
    PostgresEventStore,
    QueuedEvent,
    RedisEventStore,
    SQLiteEventStore,
)

POSTGRES = ["postgres", "postgres, pool", "async postgres", "async postgres, pool"]
REDIS = ["redis", "redis, decoded", "async redis"]
Step = tuple[str, tuple[Any, ...], Any]


class OneLoop:
    """An asynchronous store with synchronous methods, for tests."""

    def __init__(self, store: Any, runner: asyncio.Runner) -> None:
        self.store, self._runner = store, runner

    def __getattr__(self, name: str) -> Any:
        value = getattr(self.store, name)
        return (lambda *args: self._runner.run(value(*args))) if callable(value) else value


class Clock:
    """A clock that passes when it is told to."""

    def __init__(self, now: float = 1_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def pass_(self, seconds: float) -> None:
        self.now += seconds


class Stores:
    """Makes stores of one kind, which share what they store if the kind can. Nothing is created in PostgreSQL.

    `place` is the folder of the file, the socket of Redis or the dsn.
    """

    def __init__(self, kind: str, place: Any, stack: ExitStack) -> None:
        self.kind, self.place, self._stack = kind, place, stack
        self.clock = Clock()
        self._runner = stack.enter_context(asyncio.Runner()) if "async" in kind else None
        self._client = self._connect()

    def __call__(self, **options: Any) -> Any:
        if self.kind == "memory":
            return MemoryEventStore(clock=self.clock, **options)
        if self.kind == "sqlite":
            path = Path(self.place, "events.db")
            return self._stack.enter_context(SQLiteEventStore(path, clock=self.clock, **options))
        if self._runner is None:
            kind: Any = RedisEventStore if "redis" in self.kind else PostgresEventStore
            store = kind(self._client, **options)
            return self._stack.enter_context(store) if kind is PostgresEventStore else store
        if "redis" in self.kind:
            return OneLoop(AsyncRedisEventStore(self._client, **options), self._runner)
        store = OneLoop(AsyncPostgresEventStore(self._client, **options), self._runner)
        self._stack.callback(store.aclose)
        return store

    def _connect(self) -> Any:
        if self.kind in ("memory", "sqlite"):
            return None
        if "redis" in self.kind:
            import redis.asyncio

            decoded = "decoded" in self.kind
            if self._runner is None:
                return self._stack.enter_context(redis.Redis(unix_socket_path=self.place, decode_responses=decoded))
            client = OneLoop(redis.asyncio.Redis(unix_socket_path=self.place), self._runner)
            self._stack.callback(client.aclose)
            return client.store
        if "pool" not in self.kind:
            return self.place
        from psycopg_pool import AsyncConnectionPool, ConnectionPool

        if self._runner is None:
            return self._stack.enter_context(ConnectionPool(self.place, open=True))
        pool = OneLoop(AsyncConnectionPool(self.place, open=False), self._runner)
        pool.open()
        self._stack.callback(pool.close)
        return pool.store


def claim(key: str, token: str, state: Any, lease: float = 60) -> Step:
    return "claim", (key, token, lease), state


def complete(key: str, token: str, is_first: bool) -> Step:
    return "complete", (key, token), is_first


def release(key: str, token: str) -> Step:
    return "release", (key, token), None


def check(target: Any, steps: Iterable[Step | float], pass_time: Callable[[float], None]) -> None:
    """Make the calls in their order, and compare what each returns. A number is of seconds that pass."""
    for number, step in enumerate(steps):
        if isinstance(step, int | float):
            pass_time(step)
        else:
            method, arguments, result = step
            returned = getattr(target, method)(*arguments)
            if isinstance(returned, QueuedEvent):
                returned = tuple(returned[:3])
            assert (number, method, returned) == (number, method, result)
            assert not isinstance(returned, int) or type(returned) is type(result)
