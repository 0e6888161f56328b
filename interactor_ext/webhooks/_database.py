"""One SQLite file for many threads and processes: a connection a process, WAL, and short write transactions."""

from __future__ import annotations

import os
import sqlite3
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, ClassVar

from interactor_ext._fork import after_fork_in_child, fork_safe_lock, notice_fork
from interactor_ext.webhooks._names import TABLES, renaming
from interactor_ext.webhooks._settings import above_zero, at_least_zero
from interactor_ext.webhooks._sql import SQLBacked, rendered, statements_of
from interactor_ext.webhooks.stores._contract import DEFAULT_TTL

_SWEEP_EVERY = 3600.0
# Databases without a file, which end with their connection.
_WITHOUT_FILE = (":memory:", "")


class SQLiteBacked(SQLBacked):
    """Base of stores and queues: a connection, opened at first use and closed during a fork, so that it works in parent
    and child; and the end of what they need not remember.

    A child that inherits an open SQLite file has the record of which locks are held, but not the locks: from then on
    it writes without locks, even through a connection of its own. https://www.sqlite.org/howtocorrupt.html (2.6)
    """

    _sweep: ClassVar[str]
    """Deletes what may be forgotten at `:now`."""

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
        # Opened again after a fork, when a daemon may have changed its working directory.
        self._path = os.path.abspath(path) if self.is_shared else path
        self._identity = hash(self._path) if self.is_shared else id(self)
        self._timeout: float = at_least_zero(timeout, "The timeout of a SQLite database")
        self._clock = clock
        self.ttl: float = above_zero(ttl, f"The ttl of a {type(self).__name__}", endless=True)
        self._next_sweep = 0.0
        self._lock = fork_safe_lock()
        self._connection: sqlite3.Connection | None = None
        after_fork_in_child(self._forget_parent)
        _databases.add(self)

    def rename(self, old: str, new: str) -> int:
        """Move all that this database knows of the service `old` to the service `new`, and return how many rows. "" is
        no name. An event that is known under both is forgotten under `old`.
        """
        there = {name for (name,) in self._found("SELECT name FROM sqlite_master")}
        return sum([self._execute(";".join(renaming(each, old, new)))[0] for each in TABLES if each in there])

    def close(self) -> None:
        """Close this process's connection; the next call opens it again."""
        with self._lock:
            self._close()

    def __del__(self) -> None:
        # Nobody can use it any more, and since 3.13 Python warns of a connection that is not closed.
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
        """A write transaction, committed at the end of the block, and the time. Waits `timeout` seconds for other
        writers, be they threads or processes.
        """
        notice_fork()
        deadline = time.monotonic() + self._timeout
        # Not acquire(timeout=): a signal handler that raises right after it would leave the lock taken. The holder
        # gives up at its own deadline, and a waiter past its deadline does not wait for SQLite's lock.
        with self._lock:
            if self._connection is None:
                self._connection = self._open(deadline)
            connection = self._connection
            # A signal handler can raise anywhere, even in the last rollback.
            if connection.in_transaction:
                connection.rollback()
            try:
                connection.execute(f"PRAGMA busy_timeout = {_milliseconds_until(deadline)}")
                # IMMEDIATE takes the write lock first: a read that turns into a write could fail instead of waiting.
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
        """Create the file readable by its owner only, as it holds customers' data; SQLite copies the mode."""
        with suppress(OSError):  # it is there, or SQLite says why it cannot be
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))

    def _prepare(self, connection: sqlite3.Connection, deadline: float) -> None:
        while True:
            try:
                connection.execute("PRAGMA journal_mode=WAL")
                break
            except sqlite3.OperationalError as error:
                # SQLite does not wait for its lock when several processes switch a new file to WAL at once.
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
    # SQLite takes an int of 32 bits.
    return min(max(0, round((deadline - time.monotonic()) * 1000)), 0x7FFFFFFF)


# SQLite forbids a child to use its parent's connection, and even to close it.
_inherited: list[sqlite3.Connection] = []


_databases: weakref.WeakSet[SQLiteBacked] = weakref.WeakSet()
# One fork at a time: two threads that pause the same databases in another order would wait for each other.
_forking = fork_safe_lock()
_paused: list[SQLiteBacked] = []


def _pause_all() -> None:
    _forking.acquire()
    _paused.clear()  # of the parent, in a child that forks
    for database in list(_databases):
        database._lock.acquire()  # waits for the transaction of another thread
        _paused.append(database)
        if database.is_shared:
            database._close()


def _resume_all() -> None:
    try:
        while _paused:
            _paused.pop()._lock.release()
    finally:
        _forking.release()


if hasattr(os, "register_at_fork"):  # Windows does not fork
    os.register_at_fork(before=_pause_all, after_in_parent=_resume_all)
