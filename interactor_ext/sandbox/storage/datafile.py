"""DataFile: persists the sandbox's state in a SQLite file, across restarts and kills.

Kept are the records of the API (messages, credentials and webhooks with their secrets, workflow instances with where
they stand ...), the answers under Idempotency-Keys, the key that signs tokens, the tokens that were revoked, and the
events that webhooks have still to get. Not kept are journals, the events of open streams, rate limits, faults, an
answer that is half said, and how far the clock was moved. The file can be read by its owner alone: it holds secrets.

A file is read as a whole before anything is written to it: one that is damaged, or of another kind or version, is
refused and stays as it is. Each row has a digest, so that damage is noticed wherever it is.

What one step of a handler writes is one transaction, committed before the answer goes out. The kernel has it then, so
that it survives the end of the process; a power cut may lose the last moments, but never leaves half a step. Where
the file can't be written, as on a full disk, the step did not happen: the call fails, and all is as the file has it.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from interactor_ext._errors import ConfigurationError
from interactor_ext.logs._logger import sandbox_logger as logger
from interactor_ext.sandbox.storage.persistence import (
    NotStored,
    Persistence,
    StoredDelivery,
    StoredRecord,
    StoredResponse,
)

# "isbx": marks the file as one of ours. The version is that of the tables.
APPLICATION_ID = 0x69736278
VERSION = 3
TABLES = """
CREATE TABLE records (
    position INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, namespace TEXT NOT NULL,
    parent TEXT NOT NULL, public TEXT NOT NULL, private TEXT NOT NULL, digest TEXT NOT NULL
);
CREATE INDEX records_by_table ON records (kind, namespace, parent);
CREATE TABLE responses (
    client TEXT NOT NULL, namespace TEXT NOT NULL, key TEXT NOT NULL, fingerprint TEXT NOT NULL, since REAL NOT NULL,
    status INTEGER NOT NULL, content BLOB, digest TEXT NOT NULL, PRIMARY KEY (client, namespace, key)
);
CREATE TABLE deliveries (
    position INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, is_duplicate INTEGER NOT NULL,
    webhook_id TEXT NOT NULL, event TEXT NOT NULL, due REAL NOT NULL, attempt INTEGER NOT NULL, digest TEXT NOT NULL,
    UNIQUE (id, is_duplicate)
);
CREATE TABLE revoked (id TEXT PRIMARY KEY, expires_at REAL NOT NULL, digest TEXT NOT NULL);
CREATE TABLE "values" (name TEXT PRIMARY KEY, value TEXT NOT NULL, digest TEXT NOT NULL);
"""
LOCKED = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
# What the digest of a row is made of, in this order.
DIGESTED = {
    "records": "id, kind, namespace, parent, public, private",
    "responses": "client, namespace, key, fingerprint, since, status, content",
    "deliveries": "id, is_duplicate, webhook_id, event, due, attempt",
    "revoked": "id, expires_at",
    "values": "name, value",
}


class DataFile(Persistence):
    """The file at `path`, made if there is none, and held by one sandbox at a time.

    Opening it raises OSError if it can't be opened or another sandbox has it, DamagedFile if it is something else.
    """

    is_durable = True

    def __init__(self, path: str | os.PathLike[str]) -> None:
        if os.fspath(path) == ":memory:":
            raise ValueError("data is a file; without it, state is in memory alone")
        self.path = Path(path)
        self._connection: sqlite3.Connection | None = None
        self._opened = ""
        self.open()

    def open(self) -> bool:
        """Returns whether the file may have changed since it was closed here: somebody else has had it open."""
        if self._connection is not None:
            return False
        with _translated(self.path):
            if _make_if_missing(self.path):
                _check(self.path)
            # The loop's thread and that of `Sandbox` take turns; no statement is run by two at once.
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
        self.commit()
        self.earlier_runs = int(left)
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
            # SQLite rolls back by itself after some failures.
            with suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")

    def add(self, record: StoredRecord) -> None:
        values = _with_digest(record.id, record.kind, record.namespace, record.parent, record.public, record.private)
        self._write(
            "INSERT INTO records (id, kind, namespace, parent, public, private, digest) VALUES (?, ?, ?, ?, ?, ?, ?)",
            values,
        )

    def change(self, record: StoredRecord) -> None:
        values = _with_digest(record.id, record.kind, record.namespace, record.parent, record.public, record.private)
        self._write("UPDATE records SET public = ?, private = ?, digest = ? WHERE id = ?", (*values[-3:], record.id))

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

    def add_response(self, response: StoredResponse) -> None:
        values = (*response.scope, response.fingerprint, float(response.since), response.status, response.content)
        self._write("INSERT OR REPLACE INTO responses VALUES (?, ?, ?, ?, ?, ?, ?, ?)", _with_digest(*values))

    def responses(self) -> Iterator[StoredResponse]:
        rows = self._open().execute(f"SELECT {DIGESTED['responses']} FROM responses ORDER BY since")  # noqa: S608  # from above
        for client, namespace, key, *rest in rows:
            yield StoredResponse((client, namespace, key), *rest)

    def put_delivery(self, delivery: StoredDelivery) -> None:
        is_duplicate, due = int(delivery.is_duplicate), float(delivery.due)
        self._write(
            "INSERT INTO deliveries (id, is_duplicate, webhook_id, event, due, attempt, digest)"
            " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id, is_duplicate)"
            " DO UPDATE SET due = excluded.due, attempt = excluded.attempt, digest = excluded.digest",
            _with_digest(delivery.id, is_duplicate, delivery.webhook_id, delivery.event, due, delivery.attempt),
        )

    def remove_delivery(self, delivery_id: str, is_duplicate: bool) -> None:
        self._write("DELETE FROM deliveries WHERE id = ? AND is_duplicate = ?", (delivery_id, is_duplicate))

    def deliveries(self) -> Iterator[StoredDelivery]:
        rows = self._open().execute(
            "SELECT id, is_duplicate, webhook_id, event, due, attempt FROM deliveries ORDER BY position"
        )
        return (StoredDelivery(delivery_id, bool(is_duplicate), *rest) for delivery_id, is_duplicate, *rest in rows)

    def revoke(self, token_id: str, expires_at: float) -> None:
        self._write("INSERT OR REPLACE INTO revoked VALUES (?, ?, ?)", _with_digest(token_id, float(expires_at)))

    def revoked(self) -> Iterator[tuple[str, float]]:
        return iter(self._open().execute("SELECT id, expires_at FROM revoked ORDER BY expires_at").fetchall())

    def forget_before(self, responses: float, tokens: float) -> None:
        self._write("DELETE FROM responses WHERE since <= ?", (responses,))
        self._write("DELETE FROM revoked WHERE expires_at <= ?", (tokens,))

    def value(self, name: str) -> str | None:
        row = self._open().execute('SELECT value FROM "values" WHERE name = ?', (name,)).fetchone()
        return None if row is None else str(row[0])

    def set_value(self, name: str, value: str) -> None:
        self._write('INSERT OR REPLACE INTO "values" VALUES (?, ?, ?)', _with_digest(name, value))

    def clear(self) -> None:
        for table in ("records", "responses", "deliveries", "revoked"):
            self._write(f"DELETE FROM {table}", ())  # noqa: S608  # a name from the line above

    def _write(self, statement: str, values: tuple[object, ...]) -> None:
        connection = self._open()
        if not connection.in_transaction:
            self._execute(connection, "BEGIN IMMEDIATE")
            # The end of this step of the loop, if nobody asks for it sooner.
            with suppress(RuntimeError):
                asyncio.get_running_loop().call_soon(self._commit_behind)
        self._execute(connection, statement, values)

    def _execute(self, connection: sqlite3.Connection, statement: str, values: tuple[object, ...] = ()) -> None:
        try:
            connection.execute(statement, values)
        except sqlite3.OperationalError as error:
            self.roll_back()
            self.on_loss()
            raise NotStored(f"{self.path} can't be written: {error}") from None

    def _commit_behind(self) -> None:
        """For what nobody waits for."""
        try:
            self.commit()
        except NotStored:
            logger.exception("the sandbox lost what it just did")

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            raise RuntimeError(f"{self.path} was closed when the sandbox stopped; serve it again to change its data")
        return self._connection


class DamagedFile(ConfigurationError, ValueError):
    """The file is none of a sandbox, or not in order any more. It was left as it is."""


def _make_if_missing(path: Path) -> bool:
    """Whether there is a file already, with something in it. Raises OSError."""
    with suppress(FileExistsError):
        # Never opened beside SQLite once it is there: closing it would drop the locks that this process has on it.
        os.close(os.open(path.resolve(), os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise OSError(f"{path} can't be used: it is no ordinary file")
    return found.st_size > 0


def _check(path: Path) -> None:
    """Read everything there is, and write nothing. Raises DamagedFile."""
    log, index = (path.with_name(f"{path.name}{end}") for end in ("-wal", "-shm"))
    # What a process that was killed had not put into the file yet is read, too, and stays where it is.
    has_log = log.exists() and log.stat().st_size > 0
    address = f"{path.absolute().as_uri()}?mode=ro" + ("" if has_log else "&immutable=1")
    connection = sqlite3.connect(address, uri=True, timeout=0.2, isolation_level=None)
    try:
        version, is_empty = _identity(connection, path)
        if is_empty:
            return
        if version != VERSION:
            age = "a later" if version > VERSION else "an earlier"
            raise DamagedFile(f"{path} was made by {age} version of the sandbox: its form is {version}, not {VERSION}")
        if (flaw := _flaw(connection)) is not None:
            raise DamagedFile(f"{path} is damaged: {flaw}. It is left as it is; take it away to start anew")
    finally:
        connection.close()
        # Made by SQLite to read the log; worth nothing without a process that has it open.
        if has_log:
            index.unlink(missing_ok=True)


def _flaw(connection: sqlite3.Connection) -> str | None:
    try:
        [found] = connection.execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            return "SQLite finds it inconsistent"
        if _schema(connection) != _intended_schema():
            return "its tables are others"
        for table, columns in DIGESTED.items():
            for *values, digest in connection.execute(f'SELECT {columns}, digest FROM "{table}"'):  # noqa: S608  # from above
                if _with_digest(*values)[-1] != digest:
                    return f"a row of the table {table} was changed"
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", None) in LOCKED:
            raise
        return "SQLite can't read it"
    return None


def _with_digest(*values: object) -> tuple[object, ...]:
    digest = hashlib.blake2b(repr(values).encode("utf-8", "backslashreplace"), digest_size=16)
    return (*values, digest.hexdigest())


def _schema(connection: sqlite3.Connection) -> list[object]:
    return connection.execute("SELECT type, name, sql FROM sqlite_master ORDER BY type, name").fetchall()


@cache
def _intended_schema() -> list[object]:
    connection = sqlite3.connect(":memory:")
    try:
        connection.executescript(TABLES)
        return _schema(connection)
    finally:
        connection.close()


def _lock(connection: sqlite3.Connection) -> None:
    # Taken at the first access and held until the end, even by a process that only reads.
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")


def _identity(connection: sqlite3.Connection, path: Path) -> tuple[int, bool]:
    """The version of the tables, and whether there are none. Raises DamagedFile if they are another program's."""
    mark, version = (connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version"))
    is_empty = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
    if not is_empty and mark != APPLICATION_ID:
        raise DamagedFile(f"{path} is not a data file of a sandbox")
    return version, is_empty


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    _lock(connection)
    connection.execute("BEGIN EXCLUSIVE")
    _, is_empty = _identity(connection, path)
    connection.execute("COMMIT")
    for each in (path, path.with_name(f"{path.name}-wal")):
        # One that was there before may be open to all.
        with suppress(FileNotFoundError):
            with suppress(PermissionError):
                each.chmod(0o600)
            if stat.S_IMODE(each.stat().st_mode) & 0o077:
                logger.warning("%s holds secrets, and others can read it", each)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    if is_empty:
        marks = f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {VERSION};"
        connection.executescript(f"BEGIN; {marks} {TABLES} COMMIT;")


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        reason = "another sandbox has it open" if "locked" in str(error) else str(error)
        raise OSError(f"{path} can't be used: {reason}") from None
    except sqlite3.DatabaseError:
        raise DamagedFile(f"{path} is not a data file of a sandbox") from None
