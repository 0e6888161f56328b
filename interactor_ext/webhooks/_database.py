"""One SQLite file for many threads and processes: one connection per process, WAL, and short write transactions."""

from __future__ import annotations

import os
import sqlite3
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, ClassVar

from interactor_ext._engine.arguments import above_zero, at_least
from interactor_ext._engine.fork import after_fork_in_child, fork_safe_lock, notice_fork
from interactor_ext.webhooks._names import TABLES, renaming
from interactor_ext.webhooks._sql import SQLBacked, rendered, statements_of
from interactor_ext.webhooks.stores._contract import DEFAULT_TTL

_SWEEP_EVERY = 3600.0
# Databases without a file, which vanish with their connection.
_WITHOUT_FILE = (":memory:", "")


class SQLiteBacked(SQLBacked):
    """Base of stores and queues in SQLite. Opens its connection at first use and closes it during a fork, so both
    parent and child can use it; deletes expired rows.

    A child that inherits an open SQLite file also inherits the record of held locks, but not the locks. It would then
    write without locks, even through a new connection. https://www.sqlite.org/howtocorrupt.html (2.6)
    """

    _sweep: ClassVar[str]
    """Statement that deletes the rows expired at `:now`."""

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        ttl: float = DEFAULT_TTL,
        timeout: float = 5.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        path = os.fspath(path)
        self.is_shared: bool = path not in _WITHOUT_FILE
        """Whether other processes can open the same database."""
        # Absolute, because it is reopened after a fork, when a daemon may have changed its working directory.
        self._path = os.path.abspath(path) if self.is_shared else path
        self._identity = hash(self._path) if self.is_shared else id(self)
        self._timeout: float = at_least(0, timeout, "The timeout of a SQLite database")
        self._clock = clock
        self.ttl: float = above_zero(ttl, f"The ttl of a {type(self).__name__}", endless=True)
        self._next_sweep = 0.0
        self._lock = fork_safe_lock()
        self._connection: sqlite3.Connection | None = None
        after_fork_in_child(self._forget_parent)
        with _forking:  # waits for the end of a fork, which doesn't pause this database
            _databases.add(self)

    def rename(self, old: str, new: str) -> int:
        """Rename the service `old` to `new` in this database, and return the number of changed rows. "" is a service
        without a name. An event stored under both names is deleted under `old`.
        """
        there = {name for (name,) in self._found("SELECT name FROM sqlite_master")}
        return sum([self._execute(";".join(renaming(each, old, new)))[0] for each in TABLES if each in there])

    def close(self) -> None:
        """Close this process's connection; the next call opens it again."""
        with self._lock:
            self._close()

    def __del__(self) -> None:
        # Nothing else can use the connection, and Python 3.13 and newer warn of one that isn't closed.
        connection = getattr(self, "_connection", None)
        if connection is not None:
            connection.close()

    def _execute(self, statements: str, *, seconds: float = 0.0, **values: Any) -> tuple[int, list[Any]]:
        text = rendered(statements, "sqlite", bool(values.get("service")))
        with self._transaction() as (connection, now):
            values |= {"now": now, "seconds": seconds}
            *_, last = [connection.execute(each, values) for each in text.split(";")]
            return last.rowcount, last.fetchall()

    @contextmanager
    def _transaction(self) -> Iterator[tuple[sqlite3.Connection, float]]:
        """Yield the connection and the time in a write transaction, committed at the end of the block. Waits `timeout`
        seconds for writers in other threads and processes.
        """
        notice_fork()
        deadline = time.monotonic() + self._timeout
        # Not acquire(timeout=): a signal handler that raises right after it would leave the lock taken. The holder
        # gives up at its own deadline, and a thread past its deadline doesn't wait for SQLite's lock.
        with self._lock:
            if self._connection is None:
                self._connection = self._open(deadline)
            connection = self._connection
            # A signal handler can raise anywhere, even in the previous rollback.
            if connection.in_transaction:
                connection.rollback()
            try:
                connection.execute(f"PRAGMA busy_timeout = {_milliseconds_until(deadline)}")
                # IMMEDIATE acquires the write lock first: a transaction that reads and then writes could fail instead
                # of waiting.
                connection.execute("BEGIN IMMEDIATE")
                now = self._clock()
                if now >= self._next_sweep:
                    connection.execute(self._sweep, {"now": now})
                    self._next_sweep = now + _SWEEP_EVERY
                yield connection, now
                connection.commit()
            except BaseException:
                connection.rollback()
                raise

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open(self, deadline: float) -> sqlite3.Connection:
        if self.is_shared:
            self._create_file()
        left = _milliseconds_until(deadline) / 1000
        connection = sqlite3.connect(self._path, timeout=left, isolation_level=None, check_same_thread=False)
        try:
            self._prepare(connection, deadline)
        except BaseException:
            connection.close()
            raise
        return connection

    def _create_file(self) -> None:
        """Create the file with access for its owner only, because it holds customer data; SQLite copies the mode."""
        with suppress(OSError):  # the file exists, or SQLite reports the error
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))

    def _prepare(self, connection: sqlite3.Connection, deadline: float) -> None:
        while True:
            try:
                connection.execute("PRAGMA journal_mode=WAL")
                break
            except sqlite3.OperationalError as error:
                # SQLite doesn't wait for its lock when several processes switch a new file to WAL at once.
                if "locked" not in str(error) or time.monotonic() > deadline:
                    raise
                time.sleep(0.01)
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("BEGIN IMMEDIATE")
        for statement in statements_of(self._schema, "sqlite"):
            connection.execute(statement)
        connection.commit()

    def _forget_parent(self) -> None:
        if self._connection is not None:
            _inherited.append(self._connection)
            self._connection = None


def _milliseconds_until(deadline: float) -> int:
    # SQLite accepts a 32-bit int.
    return min(max(0, round((deadline - time.monotonic()) * 1000)), 0x7FFFFFFF)


# SQLite forbids a child to use its parent's connection, and even to close it.
_inherited: list[sqlite3.Connection] = []


_databases: weakref.WeakSet[SQLiteBacked] = weakref.WeakSet()
# One fork at a time: two threads that pause the same databases in a different order would deadlock.
_forking = fork_safe_lock()
_paused: list[SQLiteBacked] = []


def _pause_all() -> None:
    _forking.acquire()
    _paused.clear()  # the parent's entries, when a child forks
    for database in list(_databases):
        database._lock.acquire()  # waits for other threads' transactions
        _paused.append(database)
        if database.is_shared:
            database._close()


def _resume_all() -> None:
    try:
        while _paused:
            _paused.pop()._lock.release()
    finally:
        _forking.release()


if hasattr(os, "register_at_fork"):  # Windows doesn't fork
    os.register_at_fork(before=_pause_all, after_in_parent=_resume_all)
