"""The tables of a data file, and the check of a file and its log before it is opened."""

from __future__ import annotations

import json
import sqlite3
import struct
from pathlib import Path

from interactor_ext._errors import ConfigurationError

# "isbx": marks the file as one of ours. The version is that of the tables.
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
LOCKED = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
# https://sqlite.org/walformat.html: bytes of the header of a write-ahead log, and of each frame before its page.
LOG_HEADER, FRAME_HEADER = 32, 24


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
        if has_log and _is_damaged_log(log.read_bytes()):
            raise DamagedFile(
                f"{log} is damaged. It was left unchanged; move it away together with {path.name} to start over"
            )
        if is_empty:
            return
        if version != VERSION:
            age = "a later" if version > VERSION else "an earlier"
            raise DamagedFile(
                f"{path} was written by {age} version of the sandbox: its format is {version}, not {VERSION}"
            )
        if (flaw := _damage(connection)) is not None:
            raise DamagedFile(f"{path} is damaged: {flaw}. It was left unchanged; move it away to start over")
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
        connection.execute('SELECT value FROM "values"').fetchall()
        for public, private in connection.execute("SELECT public, private FROM records"):
            json.loads(public)
            json.loads(private)
    except (sqlite3.DatabaseError, ValueError) as error:
        if getattr(error, "sqlite_errorcode", None) in LOCKED:
            raise
        return "SQLite can't read it"
    return None


def _is_damaged_log(log: bytes) -> bool:
    """Whether a write-ahead log lost transactions that SQLite would silently leave out.

    It reads the log up to the first frame with a wrong checksum. That may be the last frame that was written, of a
    process that was killed meanwhile; one before it was damaged later.
    """
    order = ">" if log[3:4] == b"\x83" else "<"
    sums = _checksum(log[:24], (0, 0), order)
    if log[24:LOG_HEADER] != struct.pack(">2I", *sums):
        return True
    size = FRAME_HEADER + int.from_bytes(log[8:12], "big")
    frames = [log[start : start + size] for start in range(LOG_HEADER, len(log) - size + 1, size)]
    # Frames with another salt are left from before the log began anew.
    written = max((number for number, frame in enumerate(frames) if frame[8:16] == log[16:24]), default=-1)
    for frame in frames[:written]:
        sums = _checksum(frame[:8] + frame[FRAME_HEADER:], sums, order)
        if frame[16:FRAME_HEADER] != struct.pack(">2I", *sums):
            return True
    return False


def _checksum(content: bytes, sums: tuple[int, int], order: str) -> tuple[int, int]:
    first, second = sums
    words = struct.unpack(f"{order}{len(content) // 4}I", content[: len(content) // 4 * 4])
    for one, other in zip(words[::2], words[1::2], strict=True):
        first = (first + one + second) & 0xFFFFFFFF
        second = (second + other + first) & 0xFFFFFFFF
    return first, second


def identity(connection: sqlite3.Connection, path: Path) -> tuple[int, bool]:
    """The version of the tables, and whether there are none. Raises DamagedFile for another program's tables."""
    mark, version = (connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version"))
    is_empty = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
    if not is_empty and mark != APPLICATION_ID:
        raise DamagedFile(f"{path} isn't the data file of a sandbox")
    return version, is_empty
