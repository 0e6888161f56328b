"""One PostgreSQL database for many machines: connections, a table, and calls with a time limit."""

from __future__ import annotations

import math
import re
import time
import weakref
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from interactor_ext._engine.arguments import above_zero
from interactor_ext._engine.effects import Effects, Invoke, run_sync
from interactor_ext._engine.errors import ConfigurationError, InteractorError, WebhookStoreError
from interactor_ext._engine.fork import after_fork_in_child
from interactor_ext._engine.waiting.threads import DaemonThreads
from interactor_ext.webhooks._names import TABLES, renaming
from interactor_ext.webhooks._sql import SQLBacked, rendered
from interactor_ext.webhooks.stores._contract import DEFAULT_TIMEOUT, DEFAULT_TTL

if TYPE_CHECKING:
    import psycopg_pool  # noqa: F401  (in a string)

T = TypeVar("T")
Pool = TypeVar("Pool")

# As many as there are threads for synchronous callers. Each connection is a server process.
_MAX_CONNECTIONS = 8
# A PostgreSQL timestamp can't represent every number of seconds.
_CENTURY = 100 * 365 * 86_400.0
_IS_THERE = "SELECT FROM pg_class WHERE oid = to_regclass(:table)"
_CAN_SWEEP = _IS_THERE + " AND has_table_privilege(oid, 'DELETE')"
_HAS_COLUMNS = "SELECT {columns} FROM {table} LIMIT 0"
# Without this lock, two concurrent creations can fail despite IF NOT EXISTS.
_LOCK = "SELECT pg_advisory_xact_lock(7305808869229538);"
_SWEEP = """
DELETE FROM {table} WHERE key IN (
    SELECT key FROM {table} WHERE {outdated} LIMIT :most FOR UPDATE SKIP LOCKED
)
"""
_SWEEP_EVERY = 3600.0
_SWEEP_AT_MOST = 5000
# With `serializable`, which may be the server's default, concurrent deliveries would fail.
_ISOLATION = "SET TRANSACTION ISOLATION LEVEL READ COMMITTED;"
# A SQLAlchemy URL also names the driver.
_WITH_DRIVER = re.compile(r"^postgresql\+\w+:")
_UNKNOWN_PARAMETER = re.compile(r'invalid URI query parameter: "(\w+)"')


class PostgresBacked(Generic[Pool]):
    """Base of stores and queues in PostgreSQL: settings, the table, and how a call runs in a connection.

    Each call may run twice, because the first response may get lost. It leaves nothing in the session, because a pooler
    such as PgBouncer may use another session for the next call.
    """

    _kind: ClassVar[str]
    """The word for it in errors."""
    _table: ClassVar[str]
    _schema: ClassVar[str]
    _outdated: ClassVar = {"interactor_webhook_claims": "until <= statement_timestamp()"}
    """The condition of expired rows, by table. Includes claims by `claim_in`, which nothing else deletes."""
    _takes_async: ClassVar[bool] = False
    is_shared = True

    def __init__(self, database: str | Pool, *, ttl: float = DEFAULT_TTL, timeout: float = DEFAULT_TIMEOUT) -> None:
        name = type(self).__name__
        try:
            import psycopg
            import psycopg_pool
            from psycopg.rows import tuple_row
        except ImportError as error:
            raise ConfigurationError(f"{name} needs an extra: pip install 'interactor-sdk[postgres]'") from error
        self._psycopg = psycopg
        cursor = psycopg.AsyncClientCursor if self._takes_async else psycopg.ClientCursor
        self._new_cursor: Callable[[Any], Any] = partial(cursor, row_factory=tuple_row)
        self.ttl: float = above_zero(ttl, f"The ttl of a {name}", endless=True)
        self._timeout: float = above_zero(timeout, "The timeout of PostgreSQL")
        self._identity = hash(database)
        self._next_sweep = 0.0
        connection = psycopg.AsyncConnection if self._takes_async else psycopg.Connection
        kind = psycopg_pool.AsyncConnectionPool if self._takes_async else psycopg_pool.ConnectionPool
        self._given: Any = None if isinstance(database, str) else database
        if isinstance(database, str):
            settings = self._settings(database)
            self._connect = partial(connection.connect, **settings)
            self._new_pool = partial(kind, kwargs=settings, min_size=0, max_size=_MAX_CONNECTIONS, num_workers=1)
        elif not isinstance(database, kind):
            expected = f"a dsn or a psycopg_pool.{kind.__name__}"
            raise ConfigurationError(f"{name} needs {expected}, not {type(database).__name__!r}.")
        # Pools created for a dsn, by event loop; None is the key for threads.
        self._pools: dict[Any, Any] = {}
        self._threads = DaemonThreads("interactor-webhook-postgres", max_threads=_MAX_CONNECTIONS)
        if not self._takes_async:
            # Also at interpreter exit, where an open pool would wait for its threads in vain.
            weakref.finalize(self, _close_all, self._pools)
        self._is_inherited = False
        after_fork_in_child(self._forget_parent)

    def _settings(self, dsn: str) -> dict[str, Any]:
        from psycopg.conninfo import conninfo_to_dict

        try:
            given = conninfo_to_dict(_WITH_DRIVER.sub("postgresql:", dsn))
        except self._psycopg.Error as error:
            given = None
            if unknown := _UNKNOWN_PARAMETER.search(str(error)):
                raise ConfigurationError(
                    f"The dsn has a parameter that PostgreSQL doesn't know, {unknown[1]!r}. To require TLS, which "
                    "asyncpg calls ssl=require, write sslmode=require."
                ) from None
        # Doesn't quote the wrong part, which can be the password.
        if given is None or "@" in str(given.get("host", ""))[1:]:
            raise ConfigurationError(
                "The dsn must look like postgresql://user:password@host/database, with special characters of "
                "the password as %XX, or like 'host=... dbname=... user=...'."
            )
        seconds = math.ceil(self._timeout)
        return {
            "connect_timeout": seconds,
            # Ends abandoned calls when the server's machine is gone.
            "tcp_user_timeout": seconds * 1000,
            "keepalives_idle": seconds,
            "keepalives_interval": seconds,
            **given,
            "autocommit": True,
            "prepare_threshold": None,
        }

    def _statements(
        self, statements: str, seconds: float, values: dict[str, Any], connection: Any
    ) -> Effects[tuple[int, list[Any]]]:
        """See `SQLBacked._execute`."""
        text = _ISOLATION + rendered(statements, "postgresql", bool(values.get("service")))
        cursor = self._new_cursor(connection)
        yield Invoke(cursor.execute, (text, values | {"seconds": min(seconds, _CENTURY)}))
        while cursor.nextset():  # several statements go as one query, in one transaction
            pass
        found = (yield Invoke(cursor.fetchall)) if cursor.description else []
        if statements.lstrip().startswith("INSERT"):  # other statements add no rows
            yield from self._sweep(connection)
        return cursor.rowcount, found

    def _rows(self, connection: Any, statements: str, **values: Any) -> Effects[int]:
        """Return how many rows the last statement found or changed."""
        return (yield from self._statements(statements, 0.0, values, connection))[0]

    def _create(self, connection: Any) -> Effects[None]:
        # Once the table exists, the role doesn't need the right to create tables.
        if (yield from self._rows(connection, _IS_THERE, table=self._table)):
            columns = self._schema.partition("(")[2].partition("\n);")[0].split(",")
            names = ", ".join(column.split()[0] for column in columns)
            yield from self._rows(connection, _HAS_COLUMNS.format(columns=names, table=self._table))
        else:
            yield from self._rows(connection, _LOCK + self._schema)

    def _rename(self, old: str, new: str, connection: Any) -> Effects[int]:
        moved = 0
        for table in TABLES:  # a queue's database may also hold claims
            if (yield from self._rows(connection, _IS_THERE, table=table)):
                moved += yield from self._rows(connection, ";".join(renaming(table, old, new)))
        return moved

    def _sweep(self, connection: Any) -> Effects[None]:
        now = time.monotonic()
        if now < self._next_sweep:
            return
        self._next_sweep = now + _SWEEP_EVERY
        for table, outdated in self._outdated.items():
            if (yield from self._rows(connection, _CAN_SWEEP, table=table)):
                statement = _SWEEP.format(table=table, outdated=outdated)
                if (yield from self._rows(connection, statement, most=_SWEEP_AT_MOST)) == _SWEEP_AT_MOST:
                    self._next_sweep = now  # each call deletes some, so none takes long

    def _perform(self, plan: Callable[[Any], Effects[T]], ends_at: float) -> Effects[T]:
        try:
            try:
                return (yield from self._attempt(plan, ends_at))
            except self._psycopg.Error as error:
                if time.monotonic() >= ends_at:
                    raise self._timed_out() from error
                # The server may have restarted since this connection was opened.
                return (yield from self._attempt(plan, ends_at))
        except InteractorError:
            raise
        except self._psycopg.errors.UndefinedTable as error:
            raise ConfigurationError(
                f"The table {self._table} is missing from this database. Call `create()` of the {self._kind} once, "
                "when you deploy or when your application starts."
            ) from error
        except self._psycopg.errors.UndefinedColumn as error:
            raise ConfigurationError(
                f"The table {self._table} in this database has another version: {_first_line(error)}. Rename or drop "
                "it, then call `create()` again."
            ) from error
        except Exception as error:
            raise WebhookStoreError(f"The webhook {self._kind} in PostgreSQL failed: {_first_line(error)}") from error

    def _attempt(self, plan: Callable[[Any], Effects[T]], ends_at: float) -> Effects[T]:
        pool = yield from self._open()
        connection = yield Invoke(pool.getconn, (max(0.0, ends_at - time.monotonic()),))
        try:
            result = yield from plan(connection)
            yield Invoke(connection.commit)  # a connection from a caller's pool may not be in autocommit mode
        except GeneratorExit:  # no driver is left to run another effect
            raise
        except BaseException:
            yield Invoke(connection.close)
            # The other connections may be broken too: the server may have restarted or become a replica.
            yield from self._close_own(pool)
            yield Invoke(pool.putconn, (connection,))
            if pool is self._given:
                yield Invoke(pool.check)
            raise
        yield Invoke(pool.putconn, (connection,))
        return result

    def _open(self) -> Effects[Any]:
        if self._given is not None:
            if self._is_inherited:
                raise ConfigurationError(
                    "This connection pool was opened before the process was forked, and its connections belong "
                    "to the parent. Open a pool in each process, or pass a dsn instead."
                )
            return self._given
        pool = self._pools.get(place := self._place())
        if pool is None:
            # Connecting raises an error with the cause. A pool keeps trying silently.
            connection = yield Invoke(self._connect)
            yield Invoke(connection.close)
            pool = self._pools.setdefault(place, self._new_pool(open=False))
        yield Invoke(pool.open)  # does nothing if already open
        return pool

    def _close_own(self, pool: Any = None) -> Effects[None]:
        """Close the pool created for a dsn, if it is still this one; the next call opens another."""
        own = self._pools.get(place := self._place())
        if own is not None and pool in (None, own):
            self._pools.pop(place, None)
            yield Invoke(own.close)

    def _place(self) -> Any:
        return None

    def _forget_parent(self) -> None:
        # Closing them would tell the server that the parent has disconnected.
        _inherited.extend(self._pools.values())
        self._pools.clear()
        self._is_inherited = self._given is not None and not self._given.closed

    def _timed_out(self) -> WebhookStoreError:
        return WebhookStoreError(f"PostgreSQL didn't respond within {self._timeout:.3g} s.")


class SyncPostgresBacked(PostgresBacked["psycopg_pool.ConnectionPool[Any]"], SQLBacked):
    """`PostgresBacked` for synchronous callers: calls run in their own threads, so a caller can give up waiting."""

    def _execute(self, statements: str, *, seconds: float = 0.0, **values: Any) -> tuple[int, list[Any]]:
        return self._run(partial(self._statements, statements, seconds, values))

    def create(self) -> None:
        """Create the table. Can be called at every start, by any number of processes at once.

        The role only needs the right to create tables if the table doesn't exist yet. Raises ConfigurationError if a
        table of that name lacks a column.
        """
        self._run(self._create)

    def rename(self, old: str, new: str) -> int:
        """Rename the service `old` to `new` in this database, and return the number of changed rows. "" is a service
        without a name. An event stored under both names is deleted under `old`.
        """
        return self._run(partial(self._rename, old, new))

    def close(self) -> None:
        """Close the connections opened for a dsn; the next call opens new ones. A pool passed in stays open."""
        run_sync(self._close_own())

    def _run(self, plan: Callable[[Any], Effects[T]]) -> T:
        ends_at = time.monotonic() + self._timeout
        try:
            return self._threads.call(lambda: run_sync(self._perform(plan, ends_at)), self._timeout)
        except TimeoutError:
            # The server may hang permanently: the next call reconnects, perhaps to its replacement.
            self._threads.submit(self.close)
            raise self._timed_out() from None


_inherited: list[Any] = []


def _close_all(pools: dict[Any, Any]) -> None:
    for pool in pools.values():
        pool.close()


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0] or type(error).__name__
