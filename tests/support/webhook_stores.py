"""Event stores of every kind, all with synchronous methods, and calls with their expected results."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from interactor_ext.webhooks import (
    AsyncPostgresEventStore,
    AsyncRedisEventStore,
    ClaimState,
    MemoryEventStore,
    PostgresEventStore,
    QueuedEvent,
    RedisEventStore,
    SQLiteEventStore,
)
from tests.support.clock import Clock

FOLDER = Path(__file__).parents[1] / "webhooks"


class OneLoop:
    """An asynchronous store with synchronous methods, for tests."""

    def __init__(self, store: Any, runner: asyncio.Runner) -> None:
        self.store, self._runner = store, runner

    def __getattr__(self, name: str) -> Any:
        value = getattr(self.store, name)
        return (lambda *args: self._runner.run(value(*args))) if callable(value) else value


def redis_client(place: str, stack: ExitStack, runner: asyncio.Runner | None, **options: Any) -> Any:
    import redis.asyncio

    if runner is None:
        return stack.enter_context(redis.Redis(unix_socket_path=place, **options))
    client = OneLoop(redis.asyncio.Redis(unix_socket_path=place, **options), runner)
    stack.callback(client.aclose)
    return client.store


def postgres_pool(place: str, stack: ExitStack, runner: asyncio.Runner | None) -> Any:
    from psycopg_pool import AsyncConnectionPool, ConnectionPool

    if runner is None:
        return stack.enter_context(ConnectionPool(place, open=True))
    pool = OneLoop(AsyncConnectionPool(place, open=False), runner)
    pool.open()
    stack.callback(pool.close)
    return pool.store


class Kind(NamedTuple):
    """A class of stores, where they store (`file`, `redis`, `postgres`, or "" for their own memory), and a function
    that makes their first argument from that place's path, socket or dsn.
    """

    store: Any
    place: str = ""
    connect: Callable[..., Any] = lambda place, *_: place

    @property
    def is_async(self) -> bool:
        return inspect.iscoroutinefunction(self.store.claim)


KINDS = {
    "memory": Kind(MemoryEventStore),
    "sqlite": Kind(SQLiteEventStore, "file"),
    "redis": Kind(RedisEventStore, "redis", redis_client),
    "redis, decoded": Kind(RedisEventStore, "redis", partial(redis_client, decode_responses=True)),
    "async redis": Kind(AsyncRedisEventStore, "redis", redis_client),
    "postgres": Kind(PostgresEventStore, "postgres"),
    "postgres, pool": Kind(PostgresEventStore, "postgres", postgres_pool),
    "async postgres": Kind(AsyncPostgresEventStore, "postgres"),
    "async postgres, pool": Kind(AsyncPostgresEventStore, "postgres", postgres_pool),
}
"""The implementations of the event store contract: a new store is a line here. One with a new server also needs a
fixture in server_fixtures.py, and a case in the fixtures `place` and `pass_time` of
tests/webhooks/test_webhook_stores.py.
"""
POSTGRES = [name for name, kind in KINDS.items() if kind.place == "postgres"]


class Stores:
    """Makes stores of one kind, which share their content if the kind can. Nothing is created in PostgreSQL."""

    def __init__(self, kind: str, place: Any, stack: ExitStack) -> None:
        self.kind, self._stack = KINDS[kind], stack
        self.clock = Clock()
        self._runner = stack.enter_context(asyncio.Runner()) if self.kind.is_async else None
        self._arguments = [self.kind.connect(place, stack, self._runner)] if self.kind.place else []

    def __call__(self, **options: Any) -> Any:
        if "clock" in inspect.signature(self.kind.store).parameters:
            options["clock"] = self.clock
        store = self.kind.store(*self._arguments, **options)
        if self._runner is not None:
            store = OneLoop(store, self._runner)
        if close := getattr(store, "aclose" if self._runner else "close", None):
            self._stack.callback(close)
        return store


CONTRACTS: dict[str, dict[str, list[Any]]] = json.loads((FOLDER / "contracts.json").read_text())
"""Calls of stores and queues that remember handled events for 300 s, with their results. A queue's `take` returns the
key, the body and the number of the attempt. A plain number lets this many seconds pass.
"""


def check(target: Any, steps: Iterable[Any], pass_time: Callable[[float], None]) -> None:
    """Make the calls of a contract in their order, and compare what each returns."""
    for number, step in enumerate(steps):
        if isinstance(step, int | float):
            pass_time(step)
            continue
        method, *arguments, _, expected = step
        if method == "put":
            arguments[1] = arguments[1].encode()
        returned = getattr(target, method)(*arguments)
        if isinstance(returned, QueuedEvent):
            returned = [returned.key, returned.body.decode(), returned.attempt]
        elif isinstance(returned, ClaimState):
            returned = returned.name
        assert (number, method, returned) == (number, method, expected)
        assert type(returned) is type(expected)  # True, not 1
