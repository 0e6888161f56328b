"""One SQLite file for many threads and processes: a connection a process, WAL, and short write transactions."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

from interactor_ext._fork import after_fork_in_child

# SQLite forbids a child to use its parent's connection, and even to close it.
_inherited: list[sqlite3.Connection | None] = []


class Database:
    """Opened when first used, so that an object made before a fork works in every child."""

    def __init__(self, path: str | os.PathLike[str], schema: str, *, timeout: float) -> None:
        self._path = os.fspath(path)
        self._schema = schema
        self._timeout = timeout
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        after_fork_in_child(self._forget_parent)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """A write transaction, committed at the end of the block. Waits `timeout` seconds for other writers."""
        with self._lock:
            if self._connection is None:
                self._connection = self._open()
            connection = self._connection
            # IMMEDIATE takes the write lock first: a read that turns into a write could fail instead of waiting.
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.rollback()
                raise
            connection.commit()

    def close(self) -> None:
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=self._timeout, isolation_level=None, check_same_thread=False)
        try:
            self._prepare(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        deadline = time.monotonic() + self._timeout
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

    def _forget_parent(self) -> None:
        _inherited.append(self._connection)
        self._lock = threading.RLock()
        self._connection = None


class SQLiteBacked:
    """Closing, for what keeps a `Database`."""

    _database: Database

    def close(self) -> None:
        """Close this process's connection; the next call opens it again."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()
