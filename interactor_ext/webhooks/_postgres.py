"""One PostgreSQL database for many machines: connections, a table, and calls that end in time."""

from __future__ import annotations

import inspect
import math
import re
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

from interactor_ext._effects import Call, Effects, run_sync
from interactor_ext._errors import ConfigurationError, InteractorError, WebhookStoreError
from interactor_ext._fork import after_fork_in_child
from interactor_ext._waiting.threads import DaemonThreads
from interactor_ext.webhooks._settings import above_zero
from interactor_ext.webhooks.stores._contract import DEFAULT_TIMEOUT, DEFAULT_TTL

if TYPE_CHECKING:
    from psycopg_pool import ConnectionPool

T = TypeVar("T")

# As many as there are threads for synchronous callers. Each connection is a process of the server.
MOST_CONNECTIONS = 8
# A timestamp of PostgreSQL cannot be as late as some numbers of seconds are.
CENTURY = 100 * 365 * 86_400.0
_IS_THERE = "SELECT FROM pg_class WHERE oid = to_regclass(%(table)s)"
# Without it, two that create at once can fail in spite of IF NOT EXISTS. Statements that have no parameters go as one,
# in one transaction.
_LOCK = "SELECT pg_advisory_xact_lock(7305808869229538);"
_SWEEP = """
DELETE FROM {table} WHERE key IN (
    SELECT key FROM {table} WHERE {outdated} LIMIT %(most)s FOR UPDATE SKIP LOCKED
)
"""
_SWEEP_EVERY = 3600.0
_SWEEP_AT_MOST = 5000
# A URL of SQLAlchemy names the driver too.
_WITH_DRIVER = re.compile(r"^postgresql\+\w+:")


class Wire:
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
                "This connection pool was opened before this process was forked, and its connections are the parent's: "
                "open a pool in each process, or pass a dsn in its place."
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


class PostgresBacked:
    """Base of stores and queues in PostgreSQL: their settings, their table, and what a call does in a connection.

    Each call may run twice, as the first answer may get lost. It leaves nothing in the session, since a pooler such as
    PgBouncer may give the next call another one.
    """

    _kind: ClassVar[str]
    """What errors call it."""
    _table: ClassVar[str]
    _schema: ClassVar[str]
    _outdated: ClassVar[str]
    """Which rows of the table may be deleted."""
    _takes_async: ClassVar[bool] = False
    is_shared = True

    def __init__(self, database: Any, *, ttl: float = DEFAULT_TTL, timeout: float = DEFAULT_TIMEOUT) -> None:
        name = type(self).__name__
        try:
            import psycopg
        except ImportError as error:
            raise ConfigurationError(f"{name} needs an extra: pip install 'interactor-sdk[postgres]'") from error
        self._psycopg = psycopg
        self.ttl: float = above_zero(ttl, f"The ttl of a {name}", endless=True)
        self._timeout: float = above_zero(timeout, "The timeout of PostgreSQL")
        self._next_sweep = 0.0
        self._own: _OwnConnections | None = None
        if isinstance(database, str):
            kind = psycopg.AsyncConnection if self._takes_async else psycopg.Connection
            self._own = _OwnConnections(partial(kind.connect, **self._settings(database)))
        elif not _is_pool(database, self._takes_async):
            pool = "AsyncConnectionPool" if self._takes_async else "ConnectionPool"
            raise ConfigurationError(f"{name} takes a dsn or a psycopg_pool.{pool}, not {type(database).__name__!r}.")
        self._connections = self._own or _PooledConnections(database, timeout)

    def _settings(self, dsn: str) -> dict[str, Any]:
        from psycopg.conninfo import conninfo_to_dict

        try:
            given = conninfo_to_dict(_WITH_DRIVER.sub("postgresql:", dsn))
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
            "prepare_threshold": None,
        }

    def _create(self, connection: Any) -> Effects[None]:
        # A role that may not create tables need not be able to once the table is there.
        if not (yield from rows(connection, _IS_THERE, {"table": self._table})):
            yield Call(connection.execute, (_LOCK + self._schema,))

    def _sweep(self, connection: Any) -> Effects[None]:
        now = time.monotonic()
        if now >= self._next_sweep:
            statement = _SWEEP.format(table=self._table, outdated=self._outdated)
            swept = yield from rows(connection, statement, {"most": _SWEEP_AT_MOST})
            # Each call sweeps until all is swept, so that none takes long.
            self._next_sweep = now if swept == _SWEEP_AT_MOST else now + _SWEEP_EVERY

    def _perform(self, plan: Callable[[Any], Effects[T]], wire: Wire) -> Effects[T]:
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
                f"The table {self._table} is not in this database: call `create()` of the {self._kind} once, when you "
                "deploy or when your application starts."
            ) from error
        except Exception as error:
            reason = str(error).partition("\n")[0] or type(error).__name__
            raise WebhookStoreError(f"The webhook {self._kind} in PostgreSQL failed: {reason}") from error

    def _attempt(self, plan: Callable[[Any], Effects[T]], wire: Wire) -> Effects[T]:
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


class SyncPostgresBacked(PostgresBacked):
    """`PostgresBacked` for synchronous callers: calls run in threads of their own, which they can be left to."""

    def __init__(
        self, database: str | ConnectionPool[Any], *, ttl: float = DEFAULT_TTL, timeout: float = DEFAULT_TIMEOUT
    ) -> None:
        super().__init__(database, ttl=ttl, timeout=timeout)
        self._threads = DaemonThreads("interactor-webhook-postgres", most=MOST_CONNECTIONS)

    def create(self) -> None:
        """Create the table, or bring it up to date. Can be called at every start, by any number of processes at once.

        The role must be allowed to create tables only if the table is not there yet.
        """
        self._run(self._create)

    def close(self) -> None:
        """Close the connections that were made for a dsn; the next call opens one again. A pool stays open."""
        if self._own is not None:
            run_sync(self._own.close())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _run(self, plan: Callable[[Any], Effects[T]]) -> T:
        wire = Wire()
        try:
            return self._threads.call(lambda: run_sync(self._perform(plan, wire)), self._timeout)
        except TimeoutError:
            raise self._timed_out() from None
        finally:
            wire.cut()


def _is_pool(database: Any, takes_async: bool) -> bool:
    take = getattr(database, "getconn", None)
    return callable(take) and inspect.iscoroutinefunction(take) is takes_async


def rows(connection: Any, statement: str, values: dict[str, Any] | None = None) -> Effects[int]:
    """How many rows the statement found or changed."""
    cursor = yield Call(connection.execute, (statement, values))
    count: int = cursor.rowcount
    return count
