"""One SQLite file for many threads and processes: a connection a process, WAL, and short write transactions."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Self

from interactor_ext._fork import after_fork_in_child, fork_safe_lock
from interactor_ext.webhooks._fork_pause import pause_while_forking
from interactor_ext.webhooks._settings import at_least_zero

# Seconds. A smaller adjustment of the clock is not written.
_MIN_CLOCK_STEP = 1.0
# Databases without a file, which end with their connection.
_WITHOUT_FILE = (":memory:", "")


class Database:
    """A SQLite connection, opened at first use and closed during a fork, so that it works in parent and child.

    A child that inherits an open SQLite file has the record of which locks are held, but not the locks: from then on
    it writes without locks, even through a connection of its own. https://www.sqlite.org/howtocorrupt.html (2.6)
    """

    def __init__(self, path: str | os.PathLike[str], schema: str, *, timeout: float) -> None:
        path = os.fspath(path)
        self.has_file = path not in _WITHOUT_FILE
        # Opened again after a fork, when a daemon may have changed its working directory.
        self._path = os.path.abspath(path) if self.has_file else path
        self._schema = schema
        self._timeout: float = at_least_zero(timeout, "The timeout of a SQLite database")
        self._lock = fork_safe_lock()
        self._connection: sqlite3.Connection | None = None
        pause_while_forking(self._pause, self._resume)
        after_fork_in_child(self._forget_parent)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """A write transaction, committed at the end of the block. Waits `timeout` seconds for other writers, be they
        threads or processes.
        """
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
                yield connection
                connection.commit()
            except BaseException:
                connection.rollback()
                raise

    def close(self) -> None:
        with self._lock:
            self._close()

    def __del__(self) -> None:
        # Nobody can use it any more, and since 3.13 Python warns of a connection that is not closed.
        connection = getattr(self, "_connection", None)
        if connection is not None:
            connection.close()

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open(self, deadline: float) -> sqlite3.Connection:
        if self._path not in _WITHOUT_FILE:
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
        for statement in self._schema.split(";"):
            connection.execute(statement)
        connection.commit()

    def _pause(self) -> None:
        self._lock.acquire()
        if self.has_file:
            self._close()

    def _resume(self) -> None:
        self._lock.release()

    def _forget_parent(self) -> None:
        if self._connection is not None:
            _inherited.append(self._connection)
            self._connection = None


def _milliseconds_until(deadline: float) -> int:
    # SQLite takes an int of 32 bits.
    return min(max(0, round((deadline - time.monotonic()) * 1000)), 0x7FFFFFFF)


# SQLite forbids a child to use its parent's connection, and even to close it.
_inherited: list[sqlite3.Connection] = []


class StoredClock:
    """The time of day for instants stored in `table`. When the clock is set back, the statement `shift` (an UPDATE with
    the parameter `:by`, in seconds) moves them by the same amount, so that nothing waits for the clock to catch up.
    """

    def __init__(self, clock: Callable[[], float], table: str, shift: str) -> None:
        self.schema = f"CREATE TABLE IF NOT EXISTS {table} (latest REAL NOT NULL)"
        self._clock = clock
        self._table = table
        self._shift = shift

    def now(self, connection: sqlite3.Connection) -> float:
        """The time now. Call it within a transaction, so that no other process has written a later time meanwhile."""
        now = self._clock()
        row = connection.execute(f"SELECT latest FROM {self._table}").fetchone()  # noqa: S608
        if row is None:
            connection.execute(f"INSERT INTO {self._table} VALUES (?)", (now,))  # noqa: S608
        elif not -_MIN_CLOCK_STEP <= now - row[0] <= _MIN_CLOCK_STEP:
            if now < row[0]:
                connection.execute(self._shift, {"by": now - row[0]})
            connection.execute(f"UPDATE {self._table} SET latest = ?", (now,))  # noqa: S608
        return now


class SQLiteBacked:
    """Base of stores and queues with a `Database`: close() and the context manager."""

    _database: Database

    @property
    def is_shared(self) -> bool:
        """Whether other processes can open the same database."""
        return self._database.has_file

    def close(self) -> None:
        """Close this process's connection; the next call opens it again."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()
