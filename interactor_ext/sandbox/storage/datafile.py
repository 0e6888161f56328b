"""DataFile: persists the sandbox's state in a SQLite file, across restarts and kills.

Stored are the records of the API (messages, credentials and webhooks with their secrets, workflow instances with their
state ...), scripted replies and added clients, the responses under Idempotency-Keys, the tokens and the key that signs
them, and the pending webhook deliveries. Not stored are journals, the events of open streams, rate limits,
faults, a partly streamed reply, and a call of a `callback_url` in progress. The file is readable by its owner only, as
it holds secrets.

A file and its write-ahead log are checked before anything is written to them, by SQLite's own check and the checksums
of the log: one that is damaged, or of another kind or version, is refused and unchanged.

The writes of one step of a handler are one transaction, committed before the response is sent. The kernel has it then,
so it survives the end of the process; a power cut may lose the last transactions, but never leaves half of one. If the
file can't be written, as on a full disk, the transaction is rolled back: the call fails, and memory is reloaded.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import astuple
from pathlib import Path

from interactor_ext.logs import sandbox_logger as logger
from interactor_ext.sandbox.storage.file_check import (
    APPLICATION_ID,
    TABLES,
    VERSION,
    DamagedFile,
    check_file,
    identity,
)
from interactor_ext.sandbox.storage.persistence import NotStored, Persistence, StoredRecord


class DataFile(Persistence):
    """The SQLite file at `path`, created if missing, and locked by one sandbox at a time.

    Opening it raises OSError if it can't be opened or another sandbox has it open, DamagedFile if it is damaged or
    foreign.
    """

    is_durable = True

    def __init__(self, path: str | os.PathLike[str]) -> None:
        if os.fspath(path) == ":memory:":
            raise ValueError("data must be a file; without it, state is only in memory")
        self.path: Path = Path(path)
        self._connection: sqlite3.Connection | None = None
        self._opened = ""
        self.open()

    def open(self) -> bool:
        """Open the file; returns whether another sandbox has opened it since it was closed here.

        Nothing is written before the next `commit`.
        """
        if self._connection is not None:
            return False
        with _sqlite_errors(self.path):
            if _make_if_missing(self.path):
                check_file(self.path)
            # The loop's thread and that of `Sandbox` take turns; no two statements run at once.
            connection = sqlite3.connect(self.path, timeout=0.2, isolation_level=None, check_same_thread=False)
            try:
                _prepare(connection, self.path)
            except BaseException:
                connection.close()
                raise
        self._connection = connection
        left = self.value("opened") or "0"
        changed, self._opened = left != self._opened, str(int(left) + 1)
        self.set_value("opened", self._opened)
        self.earlier_runs: int = int(left)
        return changed

    def close(self) -> None:
        if self._connection is not None:
            try:
                self.commit()
            finally:
                self._connection.close()
                self._connection = None

    def commit(self) -> None:
        if self._connection is not None and self._connection.in_transaction:
            self._execute(self._connection, "COMMIT")

    def roll_back(self) -> None:
        if self._connection is not None and self._connection.in_transaction:
            # SQLite rolls back automatically after some failures.
            with suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")

    def add(self, record: StoredRecord) -> None:
        self._write(
            "INSERT INTO records (kind, id, namespace, parent, public, private) VALUES (?, ?, ?, ?, ?, ?)",
            astuple(record),
        )

    def change(self, record: StoredRecord) -> None:
        values = (record.public, record.private, record.id)
        self._write("UPDATE records SET public = ?, private = ? WHERE id = ?", values)

    def remove(self, record_id: str) -> None:
        self._write("DELETE FROM records WHERE id = ?", (record_id,))

    def remove_all(self, kind: str, namespace: str, parent: str) -> None:
        values = (kind, namespace, parent)
        self._write("DELETE FROM records WHERE kind = ? AND namespace = ? AND parent = ?", values)

    def records(self) -> Iterator[StoredRecord]:
        rows = self._open().execute(
            "SELECT kind, id, namespace, parent, public, private FROM records ORDER BY position"
        )
        return (StoredRecord(*row) for row in rows)

    def value(self, name: str) -> str | None:
        row = self._open().execute('SELECT value FROM "values" WHERE name = ?', (name,)).fetchone()
        return None if row is None else str(row[0])

    def set_value(self, name: str, value: str) -> None:
        self._write('INSERT OR REPLACE INTO "values" VALUES (?, ?)', (name, value))

    def clear(self) -> None:
        self._write("DELETE FROM records", ())

    def _write(self, statement: str, values: tuple[object, ...]) -> None:
        connection = self._open()
        if not connection.in_transaction:
            self._execute(connection, "BEGIN IMMEDIATE")
            # At the end of this step of the loop, unless it is committed sooner.
            with suppress(RuntimeError):
                asyncio.get_running_loop().call_soon(self._commit_in_background)
        self._execute(connection, statement, values)

    def _execute(self, connection: sqlite3.Connection, statement: str, values: tuple[object, ...] = ()) -> None:
        try:
            connection.execute(statement, values)
        except sqlite3.OperationalError as error:
            self.roll_back()
            self.on_loss()
            raise NotStored(f"{self.path} can't be written: {error}") from None

    def _commit_in_background(self) -> None:
        """Commit in the background, where no caller waits for the result."""
        try:
            self.commit()
        except NotStored:
            logger.exception("the sandbox lost its last changes")

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            raise RuntimeError(f"{self.path} was closed when the sandbox stopped: serve it again to change its data")
        return self._connection


def _make_if_missing(path: Path) -> bool:
    """Create the file if it is missing; returns whether it is non-empty. Raises OSError."""
    with suppress(FileExistsError):
        # Never opened besides SQLite once it exists: closing it would drop the POSIX locks of this process.
        os.close(os.open(path.resolve(), os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise OSError(f"{path} can't be used: it isn't a regular file")
    return found.st_size > 0


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    # Locked from the first access until the connection closes, even for reading.
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    connection.execute("BEGIN EXCLUSIVE")
    _, is_empty = identity(connection, path)
    connection.execute("COMMIT")
    for each in (path, path.with_name(f"{path.name}-wal")):
        # An existing file may be readable by others.
        with suppress(FileNotFoundError):
            with suppress(PermissionError):
                each.chmod(0o600)
            if stat.S_IMODE(each.stat().st_mode) & 0o077:
                logger.warning("%s contains secrets, and others can read it", each)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    if is_empty:
        marks = f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {VERSION};"
        connection.executescript(f"BEGIN; {marks} {TABLES} COMMIT;")


@contextmanager
def _sqlite_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        reason = "another sandbox has it open" if "locked" in str(error) else str(error)
        raise OSError(f"{path} can't be used: {reason}") from None
    except sqlite3.DatabaseError:
        raise DamagedFile(f"{path} isn't the data file of a sandbox") from None
