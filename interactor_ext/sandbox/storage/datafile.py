"""DataFile: persists the sandbox's state in a SQLite file, across restarts and kills.

It stores the records of the API (messages, credentials and webhooks with their secrets, workflow instances with their
state ...), scripted replies and added clients, the responses under Idempotency-Keys, the tokens and the key that signs
them, and the pending webhook deliveries. It doesn't store journals, the events of open streams, rate limits,
faults, a partly streamed reply, or a call of a `callback_url` in progress. The file is readable by its owner only,
because it contains secrets.

A file is checked before anything is written to it. If SQLite finds it damaged, or it is of another kind or version, it
is refused and unchanged.

The writes of one step of a handler are one transaction, committed before the response is sent. The kernel has them by
then, so they survive the end of the process; nothing waits for the disk, so a power cut may damage the file. If the
file can't be written, for example because the disk is full, the transaction is rolled back: the call fails, and memory
is reloaded.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import astuple
from pathlib import Path

from interactor_ext._engine.errors import ConfigurationError
from interactor_ext._engine.logs import sandbox_logger as logger
from interactor_ext.sandbox.storage.persistence import NotStored, Persistence, StoredRecord

# "isbx": marks the file as a sandbox's. The version is the tables' schema version.
APPLICATION_ID = 0x69736278
VERSION = 4
TABLES = """
CREATE TABLE records (
    position INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, namespace TEXT NOT NULL,
    parent TEXT NOT NULL, public TEXT NOT NULL, private TEXT NOT NULL
);
CREATE INDEX records_by_table ON records (kind, namespace, parent);
CREATE TABLE "values" (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""


class DamagedFile(ConfigurationError, ValueError):
    """The file is damaged, or isn't a data file of a sandbox. It was not changed."""


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
            with suppress(FileExistsError):
                # Only opened through SQLite once it exists: closing it would drop the POSIX locks of this process.
                os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
            if not self.path.is_file():
                raise OSError(f"{self.path} can't be used: it isn't a regular file")
            # The loop's thread and the `Sandbox` methods take turns; no two statements run at once.
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

    def records(self) -> list[StoredRecord]:
        select = "SELECT kind, id, namespace, parent, public, private FROM records ORDER BY position"
        # An open cursor over unreadable text would keep the file locked.
        with closing(self._open().execute(select)) as rows:
            return [StoredRecord(*row) for row in rows]

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
            # At the end of this step of the loop, unless committed earlier.
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


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Check and lock the file. Raises ValueError or sqlite3.Error, without having changed anything."""
    # Locked from the first access until the connection closes, even for reading.
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    is_empty = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
    if not is_empty:
        checks = ("application_id", "user_version", "quick_check(1)")
        mark, version, found = (connection.execute(f"PRAGMA {check}").fetchone()[0] for check in checks)
        if mark != APPLICATION_ID:
            raise ValueError("another program wrote it")
        if version != VERSION:
            raise ValueError(f"another version of the sandbox wrote it, in the format {version}, not {VERSION}")
        if found != "ok":
            raise ValueError("it is damaged")
    # An existing file may be readable by others.
    with suppress(PermissionError):
        path.chmod(0o600)
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        logger.warning("%s contains secrets, and others can read it", path)
    connection.execute("PRAGMA journal_mode = DELETE")
    connection.execute("PRAGMA synchronous = OFF")
    marks = f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {VERSION};"
    connection.executescript(f"BEGIN EXCLUSIVE; {f'{marks} {TABLES}' if is_empty else ''} COMMIT;")


@contextmanager
def _sqlite_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        reason = "another sandbox has it open" if "locked" in str(error) else str(error)
        raise OSError(f"{path} can't be used: {reason}") from None
    except (sqlite3.DatabaseError, ValueError) as error:
        raise DamagedFile(f"{path} isn't the data file of a sandbox: {error}. It was left unchanged") from None
