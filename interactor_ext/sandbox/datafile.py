"""State in a SQLite file: what the sandbox knows after a restart, be it that its process was killed.

Kept are the records of the API (messages, credentials and webhooks with their secrets, workflow instances with where
they stand ...), the answers under Idempotency-Keys, the key that signs tokens, the tokens that were revoked, and the
events that webhooks have still to get. Not kept are journals, the events of open streams, rate limits, faults, an
answer that is half said, and how far the clock was moved. The file can be read by its owner alone: it holds secrets.

What one step of a handler writes is one transaction, committed before the answer goes out. The kernel has it then, so
that it survives the end of the process; a power cut may lose the last moments, but never leaves half a step. Where
the file can't be written, as on a full disk, the step did not happen: the call fails, and all is as the file has it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .keeping import Keeper, KeptAnswer, KeptLetter, KeptRecord, NotKept

logger = logging.getLogger("interactor.sandbox")

# "isbx": marks the file as one of ours. The version is that of the tables.
APPLICATION_ID = 0x69736278
VERSION = 1
TABLES = """
CREATE TABLE records (
    position INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, namespace TEXT NOT NULL,
    parent TEXT NOT NULL, public TEXT NOT NULL, private TEXT NOT NULL
);
CREATE INDEX records_by_table ON records (kind, namespace, parent);
CREATE TABLE answers (
    client TEXT NOT NULL, namespace TEXT NOT NULL, key TEXT NOT NULL, fingerprint TEXT NOT NULL, since REAL NOT NULL,
    status INTEGER NOT NULL, content BLOB, PRIMARY KEY (client, namespace, key)
);
CREATE TABLE letters (
    position INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, is_duplicate INTEGER NOT NULL,
    webhook_id TEXT NOT NULL, event TEXT NOT NULL, due REAL NOT NULL, attempt INTEGER NOT NULL,
    UNIQUE (id, is_duplicate)
);
CREATE TABLE revoked (id TEXT PRIMARY KEY, expires_at REAL NOT NULL);
CREATE TABLE "values" (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""


class DataFile(Keeper):
    """The file at `path`, made if there is none, and held by one sandbox at a time.

    Opening it raises OSError if it can't be opened or another sandbox has it, ValueError if it is something else.
    """

    keeps = True

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
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
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

    def add(self, record: KeptRecord) -> None:
        self._write(
            "INSERT INTO records (id, kind, namespace, parent, public, private) VALUES (?, ?, ?, ?, ?, ?)",
            (record.id, record.kind, record.namespace, record.parent, record.public, record.private),
        )

    def change(self, record: KeptRecord) -> None:
        values = (record.public, record.private, record.id)
        self._write("UPDATE records SET public = ?, private = ? WHERE id = ?", values)

    def remove(self, record_id: str) -> None:
        self._write("DELETE FROM records WHERE id = ?", (record_id,))

    def remove_all(self, kind: str, namespace: str, parent: str) -> None:
        values = (kind, namespace, parent)
        self._write("DELETE FROM records WHERE kind = ? AND namespace = ? AND parent = ?", values)

    def records(self) -> Iterator[KeptRecord]:
        rows = self._open().execute(
            "SELECT kind, id, namespace, parent, public, private FROM records ORDER BY position"
        )
        return (KeptRecord(*row) for row in rows)

    def add_answer(self, answer: KeptAnswer) -> None:
        values = (*answer.scope, answer.fingerprint, answer.since, answer.status, answer.content)
        self._write("INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?, ?, ?, ?)", values)

    def answers(self) -> Iterator[KeptAnswer]:
        for client, namespace, key, *rest in self._open().execute("SELECT * FROM answers ORDER BY since"):
            yield KeptAnswer((client, namespace, key), *rest)

    def put_letter(self, letter: KeptLetter) -> None:
        self._write(
            "INSERT INTO letters (id, is_duplicate, webhook_id, event, due, attempt) VALUES (?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (id, is_duplicate) DO UPDATE SET due = excluded.due, attempt = excluded.attempt",
            (letter.id, letter.is_duplicate, letter.webhook_id, letter.event, letter.due, letter.attempt),
        )

    def remove_letter(self, letter_id: str, is_duplicate: bool) -> None:
        self._write("DELETE FROM letters WHERE id = ? AND is_duplicate = ?", (letter_id, is_duplicate))

    def letters(self) -> Iterator[KeptLetter]:
        rows = self._open().execute(
            "SELECT id, is_duplicate, webhook_id, event, due, attempt FROM letters ORDER BY position"
        )
        return (KeptLetter(letter_id, bool(is_duplicate), *rest) for letter_id, is_duplicate, *rest in rows)

    def revoke(self, token_id: str, expires_at: float) -> None:
        self._write("INSERT OR REPLACE INTO revoked VALUES (?, ?)", (token_id, expires_at))

    def revoked(self) -> Iterator[tuple[str, float]]:
        return iter(self._open().execute("SELECT id, expires_at FROM revoked ORDER BY expires_at").fetchall())

    def forget_before(self, answers: float, tokens: float) -> None:
        self._write("DELETE FROM answers WHERE since <= ?", (answers,))
        self._write("DELETE FROM revoked WHERE expires_at <= ?", (tokens,))

    def value(self, name: str) -> str | None:
        row = self._open().execute('SELECT value FROM "values" WHERE name = ?', (name,)).fetchone()
        return None if row is None else str(row[0])

    def set_value(self, name: str, value: str) -> None:
        self._write('INSERT OR REPLACE INTO "values" VALUES (?, ?)', (name, value))

    def clear(self) -> None:
        for table in ("records", "answers", "letters", "revoked"):
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
            raise NotKept(f"{self.path} can't be written: {error}") from None

    def _commit_behind(self) -> None:
        """For what nobody waits for."""
        try:
            self.commit()
        except NotKept:
            logger.exception("the sandbox lost what it just did")

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            raise RuntimeError(f"{self.path} was closed when the sandbox stopped; serve it again to change its data")
        return self._connection


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    # Taken at the first access and held until the end, even by a process that only reads.
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    connection.execute("BEGIN EXCLUSIVE")
    mark, version = (connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version"))
    is_empty = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
    connection.execute("COMMIT")
    if not is_empty and (mark, version) != (APPLICATION_ID, VERSION):
        raise ValueError(f"{path} is not a data file of this version of the sandbox")
    for each in (path, path.with_name(f"{path.name}-wal")):
        # One that was there before may be open to all.
        with suppress(FileNotFoundError, PermissionError):
            each.chmod(0o600)
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
        raise ValueError(f"{path} is not a data file of a sandbox") from None
