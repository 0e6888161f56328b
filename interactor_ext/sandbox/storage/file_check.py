"""The tables of a data file, and the check of a file before it is opened: version, schema, and a digest of each row."""

from __future__ import annotations

import hashlib
import sqlite3
from pathlib import Path

from interactor_ext._errors import ConfigurationError

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
# The columns in the digest of a row, in this order.
DIGESTED = {
    "records": "id, kind, namespace, parent, public, private",
    "responses": "client, namespace, key, fingerprint, since, status, content",
    "deliveries": "id, is_duplicate, webhook_id, event, due, attempt",
    "revoked": "id, expires_at",
    "values": "name, value",
}


class DamagedFile(ConfigurationError, ValueError):
    """The file is damaged, or not a data file of a sandbox. It was not changed."""


def check_file(path: Path) -> None:
    """Check the whole file without writing. Raises DamagedFile."""
    log, index = (path.with_name(f"{path.name}{end}") for end in ("-wal", "-shm"))
    # The write-ahead log of a killed process is read as well, and unchanged.
    has_log = log.exists() and log.stat().st_size > 0
    address = f"{path.absolute().as_uri()}?mode=ro" + ("" if has_log else "&immutable=1")
    connection = sqlite3.connect(address, uri=True, timeout=0.2, isolation_level=None)
    try:
        version, is_empty = identity(connection, path)
        if is_empty:
            return
        if version != VERSION:
            age = "a later" if version > VERSION else "an earlier"
            raise DamagedFile(f"{path} was made by {age} version of the sandbox: its form is {version}, not {VERSION}")
        if (flaw := _damage(connection)) is not None:
            raise DamagedFile(f"{path} is damaged: {flaw}. It is left as it is; take it away to start anew")
    finally:
        connection.close()
        # Created by SQLite to read the log; useless without an open connection.
        if has_log:
            index.unlink(missing_ok=True)


def _damage(connection: sqlite3.Connection) -> str | None:
    try:
        [found] = connection.execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            return "SQLite finds it inconsistent"
        for table, columns in DIGESTED.items():
            for *values, digest in connection.execute(f'SELECT {columns}, digest FROM "{table}"'):  # noqa: S608  # from above
                if with_digest(*values)[-1] != digest:
                    return f"a row of the table {table} was changed"
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", None) in LOCKED:
            raise
        return "SQLite can't read it"
    return None


def with_digest(*values: object) -> tuple[object, ...]:
    digest = hashlib.blake2b(repr(values).encode("utf-8", "backslashreplace"), digest_size=16)
    return (*values, digest.hexdigest())


def identity(connection: sqlite3.Connection, path: Path) -> tuple[int, bool]:
    """The version of the tables, and whether there are none. Raises DamagedFile for another program's tables."""
    mark, version = (connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version"))
    is_empty = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
    if not is_empty and mark != APPLICATION_ID:
        raise DamagedFile(f"{path} is not a data file of a sandbox")
    return version, is_empty
