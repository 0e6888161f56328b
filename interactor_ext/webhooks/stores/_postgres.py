"""PostgresEventStore and AsyncPostgresEventStore: deduplicate events in PostgreSQL, for receivers on many machines."""

from __future__ import annotations

import inspect
import math
import socket
import threading
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar
from weakref import WeakKeyDictionary

from interactor_ext._effects import Call, Effects, run_async, run_sync
from interactor_ext._errors import ConfigurationError, InteractorError, WebhookStoreError
from interactor_ext._fork import after_fork_in_child
from interactor_ext._lazy import LazyModule
from interactor_ext._waiting.threads import DaemonThreads
from interactor_ext.webhooks._settings import above_zero
from interactor_ext.webhooks.stores._contract import DEFAULT_TIMEOUT, DEFAULT_TTL, ClaimState

if TYPE_CHECKING:
    import asyncio

    from psycopg_pool import AsyncConnectionPool, ConnectionPool
else:
    asyncio = LazyModule("asyncio")

T = TypeVar("T")

# Each statement may run twice, as the first answer may get lost: with the same token the outcome is the same.
# `until` is the end of the lease, or of the ttl once the event was handled. After it the row counts as absent.
# The clock is the server's, the same for all machines. clock_timestamp(), unlike now(), goes on while a row is locked.
_CREATED = "SELECT FROM pg_class WHERE oid = to_regclass('interactor_webhook_claims')"
SCHEMA = """
CREATE TABLE IF NOT EXISTS interactor_webhook_claims (
    key text COLLATE "C" PRIMARY KEY, token text NOT NULL, until timestamptz NOT NULL, completed boolean NOT NULL
);
CREATE INDEX IF NOT EXISTS interactor_webhook_claims_until ON interactor_webhook_claims (until);
"""
# Without the lock, two that create at once can fail in spite of IF NOT EXISTS. Statements that have no parameters go as
# one, in one transaction.
_CREATE = "SELECT pg_advisory_xact_lock(7305808869229538);" + SCHEMA
_CLAIM = """
INSERT INTO interactor_webhook_claims AS claims (key, token, until, completed)
VALUES (%(key)s, %(token)s, clock_timestamp() + make_interval(secs => %(lease)s), false)
ON CONFLICT (key) DO UPDATE SET token = excluded.token, until = excluded.until, completed = false
WHERE claims.until <= clock_timestamp() OR (claims.token = excluded.token AND NOT claims.completed)
"""
_COMPLETED = "SELECT FROM interactor_webhook_claims WHERE key = %(key)s AND completed"
_COMPLETE = """
INSERT INTO interactor_webhook_claims AS claims (key, token, until, completed)
VALUES (%(key)s, %(token)s, clock_timestamp() + make_interval(secs => %(ttl)s), true)
ON CONFLICT (key) DO UPDATE SET token = excluded.token, until = excluded.until, completed = true
WHERE NOT claims.completed OR claims.until <= clock_timestamp() OR claims.token = excluded.token
"""
_RELEASE = "DELETE FROM interactor_webhook_claims WHERE key = %(key)s AND token = %(token)s AND NOT completed"
_SWEEP = """
DELETE FROM interactor_webhook_claims WHERE key IN (
    SELECT key FROM interactor_webhook_claims WHERE until <= clock_timestamp() LIMIT %(most)s FOR UPDATE SKIP LOCKED
)
"""
_SWEEP_EVERY = 3600.0
_SWEEP_AT_MOST = 5000
# A timestamp of PostgreSQL cannot be as late as some numbers of seconds are.
_CENTURY = 100 * 365 * 86_400.0
# As many as there are threads for synchronous callers. Each connection is a process of the server.
_MOST_CONNECTIONS = 8


class _Wire:
    """The socket of the connection that a call uses. `cut` makes the call end, whatever the server does, from any
    thread: psycopg has no time limit of its own, and closing a connection that another thread uses would crash.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self.is_cut = False

    def attach(self, connection: Any) -> None:
        # A copy of the descriptor: the number of the connection's own may belong to another file when it is cut.
        with self._lock:
            self._socket = socket.fromfd(connection.fileno(), socket.AF_INET, socket.SOCK_STREAM)
        if self.is_cut:
            self.cut()

    def detach(self) -> None:
        with self._lock:
            if self._socket is not None:
                self._socket.close()
                self._socket = None

    def cut(self) -> None:
        self.is_cut = True
        with self._lock, suppress(OSError):  # the peer may be gone
            if self._socket is not None:
                self._socket.shutdown(socket.SHUT_RDWR)


class _OwnConnections:
    """Connections to a dsn: one for each call that runs, kept for the calls that follow."""

    def __init__(self, connect: Callable[[], Any]) -> None:
        self._connect = connect
        self._idle: list[Any] = []
        after_fork_in_child(self._forget_parent)

    def take(self) -> Any:
        return self._next_idle() or self._connect()

    def give_back(self, connection: Any) -> None:
        self._idle.append(connection)

    def discard(self, connection: Any) -> Effects[None]:
        """After an error: this connection and the others may be those of a server that has restarted, or that has
        become a replica.
        """
        yield Call(connection.close)
        yield from self.close()

    def close(self) -> Effects[None]:
        while (connection := self._next_idle()) is not None:
            yield Call(connection.close)

    def _next_idle(self) -> Any:
        with suppress(IndexError):
            return self._idle.pop()
        return None

    def _forget_parent(self) -> None:
        # To close them would tell the server that the parent has gone.
        _inherited.extend(self._idle)
        self._idle = []


_inherited: list[Any] = []


class _PooledConnections:
    """Connections of the caller's pool."""

    def __init__(self, pool: Any, timeout: float) -> None:
        self._pool = pool
        self._timeout = timeout
        self._is_inherited = False
        after_fork_in_child(self._see_fork)

    def take(self) -> Any:
        if self._is_inherited:
            raise ConfigurationError(
                "The pool of a PostgresEventStore was opened before this process was forked, and its connections are "
                "the parent's: open a pool in each process, or give the store a dsn."
            )
        return self._pool.getconn(self._timeout)

    def give_back(self, connection: Any) -> Any:
        return self._pool.putconn(connection)

    def discard(self, connection: Any) -> Effects[None]:
        yield Call(connection.close)
        yield Call(self._pool.putconn, (connection,))
        yield Call(self._pool.check)

    def _see_fork(self) -> None:
        self._is_inherited = not self._pool.closed


class _PostgresBacked:
    _takes_async: ClassVar[bool]
    is_shared = True

    def __init__(self, database: Any, *, ttl: float = DEFAULT_TTL, timeout: float = DEFAULT_TIMEOUT) -> None:
        name = type(self).__name__
        try:
            import psycopg
        except ImportError as error:
            raise ConfigurationError(f"{name} needs an extra: pip install 'interactor-sdk[postgres]'") from error
        self._psycopg = psycopg
        self.ttl: float = above_zero(ttl, "The ttl of a webhook store", endless=True)
        self._timeout: float = above_zero(timeout, "The timeout of PostgreSQL")
        self._next_sweep = 0.0
        self._own: _OwnConnections | None = None
        if isinstance(database, str):
            kind = psycopg.AsyncConnection if self._takes_async else psycopg.Connection
            self._own = _OwnConnections(partial(kind.connect, **self._settings(database)))
        elif not _is_pool(database, self._takes_async):
            raise ConfigurationError(
                "PostgresEventStore takes a dsn or a psycopg_pool.ConnectionPool, AsyncPostgresEventStore a dsn or a "
                "psycopg_pool.AsyncConnectionPool."
            )
        self._connections = self._own or _PooledConnections(database, timeout)

    def _settings(self, dsn: str) -> dict[str, Any]:
        from psycopg.conninfo import conninfo_to_dict

        try:
            given = conninfo_to_dict(dsn)
        except self._psycopg.Error:
            given = None
        # What is wrong is not quoted: it can be the password.
        if given is None or "@" in str(given.get("host", ""))[1:]:
            raise ConfigurationError(
                "The dsn is neither like postgresql://user:password@host/database, with special characters of the "
                "password as %XX, nor like 'host=... dbname=... user=...'."
            )
        return {
            "connect_timeout": math.ceil(self._timeout),
            "tcp_user_timeout": math.ceil(self._timeout * 1000),
            **given,
            "autocommit": True,
            "prepare_threshold": None,  # poolers such as PgBouncer give each statement another session
        }

    def _create(self, connection: Any) -> Effects[None]:
        # A role that may not create tables need not be able to once the table is there.
        if not (yield from _rows(connection, _CREATED)):
            yield Call(connection.execute, (_CREATE,))

    def _claim(self, key: str, token: str, lease: float, connection: Any) -> Effects[ClaimState]:
        values = {"key": key, "token": token, "lease": min(lease, _CENTURY)}
        if (yield from _rows(connection, _CLAIM, values)):
            yield from self._sweep(connection)
            return ClaimState.CLAIMED
        completed = yield from _rows(connection, _COMPLETED, {"key": key})
        return ClaimState.COMPLETED if completed else ClaimState.IN_PROGRESS

    def _complete(self, key: str, token: str, connection: Any) -> Effects[bool]:
        values = {"key": key, "token": token, "ttl": min(self.ttl, _CENTURY)}
        return bool((yield from _rows(connection, _COMPLETE, values)))

    def _release(self, key: str, token: str, connection: Any) -> Effects[None]:
        yield from _rows(connection, _RELEASE, {"key": key, "token": token})

    def _sweep(self, connection: Any) -> Effects[None]:
        now = time.monotonic()
        if now >= self._next_sweep:
            swept = yield from _rows(connection, _SWEEP, {"most": _SWEEP_AT_MOST})
            # Each claim sweeps until all is swept, so that none takes long.
            self._next_sweep = now if swept == _SWEEP_AT_MOST else now + _SWEEP_EVERY

    def _perform(self, plan: Callable[[Any], Effects[T]], wire: _Wire) -> Effects[T]:
        try:
            try:
                return (yield from self._attempt(plan, wire))
            except self._psycopg.Error:
                if wire.is_cut:
                    raise
                # The server may have restarted since this connection was made.
                return (yield from self._attempt(plan, wire))
        except InteractorError:
            raise
        except self._psycopg.errors.UndefinedTable as error:
            raise ConfigurationError(
                "The table interactor_webhook_claims is not in this database: call `create()` of the store once, when "
                "you deploy or when your application starts."
            ) from error
        except Exception as error:
            reason = str(error).partition("\n")[0] or type(error).__name__
            raise WebhookStoreError(f"The webhook store in PostgreSQL failed: {reason}") from error

    def _attempt(self, plan: Callable[[Any], Effects[T]], wire: _Wire) -> Effects[T]:
        if wire.is_cut:
            raise self._timed_out()
        connection = yield Call(self._connections.take)
        try:
            wire.attach(connection)
            result = yield from plan(connection)
            yield Call(connection.commit)  # those of a pool may not be in autocommit mode
        except GeneratorExit:  # no driver is left to carry out another effect
            raise
        except BaseException:
            yield from self._connections.discard(connection)
            raise
        finally:
            wire.detach()
        yield Call(self._connections.give_back, (connection,))
        return result

    def _timed_out(self) -> WebhookStoreError:
        return WebhookStoreError(f"PostgreSQL did not answer within {self._timeout:.3g} s.")


class PostgresEventStore(_PostgresBacked):
    """Takes a dsn (`postgresql://...` or `host=...`) or an open `psycopg_pool.ConnectionPool`, whose connections must
    be allowed to write; both serve any number of threads. With a dsn the store keeps up to 8 connections a process, and
    works in forked children too. `create()` makes its one table, `interactor_webhook_claims`.

    `ttl` is how long a handled event is remembered, in seconds. After `timeout` seconds without an answer of PostgreSQL
    the router answers 503. What has been recorded is as durable as the server's `synchronous_commit` says.

    An asynchronous receiver calls it in a thread; `AsyncPostgresEventStore` needs none.

    Raises:
        WebhookStoreError: of each method: PostgreSQL is unreachable, refuses, or does not answer in time.
        ConfigurationError: psycopg is not installed, a setting is wrong; of each method: the table is not there.
    """

    _takes_async = False

    def __init__(
        self, database: str | ConnectionPool[Any], *, ttl: float = DEFAULT_TTL, timeout: float = DEFAULT_TIMEOUT
    ) -> None:
        super().__init__(database, ttl=ttl, timeout=timeout)
        self._threads = DaemonThreads("interactor-webhook-postgres", most=_MOST_CONNECTIONS)

    def create(self) -> None:
        """Create the table, or bring it up to date. Can be called at every start, by any number of processes at once.

        The role must be allowed to create tables only if the table is not there yet.
        """
        self._run(self._create)

    def claim(self, key: str, token: str, lease: float) -> ClaimState:
        """As `EventStore.claim`."""
        return self._run(partial(self._claim, key, token, lease))

    def complete(self, key: str, token: str) -> bool:
        """As `EventStore.complete`."""
        return self._run(partial(self._complete, key, token))

    def release(self, key: str, token: str) -> None:
        """As `EventStore.release`."""
        self._run(partial(self._release, key, token))

    def close(self) -> None:
        """Close the connections that were made for a dsn; the next call opens one again. A pool stays open."""
        if self._own is not None:
            run_sync(self._own.close())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _run(self, plan: Callable[[Any], Effects[T]]) -> T:
        wire = _Wire()
        try:
            return self._threads.call(lambda: run_sync(self._perform(plan, wire)), self._timeout)
        except TimeoutError:
            raise self._timed_out() from None
        finally:
            wire.cut()


class AsyncPostgresEventStore(_PostgresBacked):
    """`PostgresEventStore` for event loops, with a dsn or an open `psycopg_pool.AsyncConnectionPool`; the two can share
    one database. On Windows psycopg needs a `SelectorEventLoop`.
    """

    _takes_async = True

    def __init__(
        self, database: str | AsyncConnectionPool[Any], *, ttl: float = DEFAULT_TTL, timeout: float = DEFAULT_TIMEOUT
    ) -> None:
        super().__init__(database, ttl=ttl, timeout=timeout)
        self._places: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()

    async def create(self) -> None:
        """See `PostgresEventStore.create`."""
        await self._run(self._create)

    async def claim(self, key: str, token: str, lease: float) -> ClaimState:
        """As `EventStore.claim`."""
        return await self._run(partial(self._claim, key, token, lease))

    async def complete(self, key: str, token: str) -> bool:
        """As `EventStore.complete`."""
        return await self._run(partial(self._complete, key, token))

    async def release(self, key: str, token: str) -> None:
        """As `EventStore.release`."""
        await self._run(partial(self._release, key, token))

    async def aclose(self) -> None:
        """Close the connections that were made for a dsn; the next call opens one again. A pool stays open."""
        if self._own is not None:
            await run_async(self._own.close())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()

    async def _run(self, plan: Callable[[Any], Effects[T]]) -> T:
        wire = _Wire()
        # A task of its own: a cancelled psycopg would first ask the server to cancel, and wait for that.
        task = asyncio.ensure_future(self._in_turn(self._perform(plan, wire)))
        try:
            await asyncio.wait([task], timeout=self._timeout)
        finally:
            wire.cut()
            task.add_done_callback(_take_error)
        if not task.done():
            raise self._timed_out()
        return task.result()

    async def _in_turn(self, effects: Effects[T]) -> T:
        async with self._place():
            return await run_async(effects)

    def _place(self) -> AbstractAsyncContextManager[object]:
        if self._own is None:
            return nullcontext()
        return self._places.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(_MOST_CONNECTIONS))


def _is_pool(database: Any, takes_async: bool) -> bool:
    take = getattr(database, "getconn", None)
    return callable(take) and inspect.iscoroutinefunction(take) is takes_async


def _rows(connection: Any, statement: str, values: dict[str, Any] | None = None) -> Effects[int]:
    """How many rows the statement found or changed."""
    cursor = yield Call(connection.execute, (statement, values))
    rows: int = cursor.rowcount
    return rows


def _take_error(task: asyncio.Task[Any]) -> None:
    """Nobody waits for this task: asyncio would log that its error was never retrieved."""
    if not task.cancelled():
        task.exception()
