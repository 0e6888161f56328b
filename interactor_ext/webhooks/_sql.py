"""Statements for both SQLite and PostgreSQL, shared by stores and queues."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from functools import cache
from typing import Any, ClassVar, Self

DATABASES = ("sqlite", "postgresql")
# What replaces a name in braces, in SQLite and in PostgreSQL.
_DIFFERENCES = {
    # PostgreSQL uses the server's clock, the same for all machines. Conditions with it can use an index.
    "now": (":now", "statement_timestamp()"),
    # In PostgreSQL this clock advances while the statement waits for a locked row.
    "clock": (":now", "clock_timestamp()"),
    "seconds": (":seconds", "make_interval(secs => :seconds)"),
    # Opens a call; the statement contains the closing parenthesis.
    "epoch": ("(", "date_part('epoch',"),
    "colon": ("instr(key, ':')", "strpos(key, ':')"),
    "skip_locked": ("", "FOR UPDATE SKIP LOCKED"),
    "key": ("TEXT", 'TEXT COLLATE "C"'),
    "time": ("REAL", "TIMESTAMPTZ"),
    "bytes": ("BLOB", "BYTEA"),
    "clustered": ("WITHOUT ROWID", ""),
}
# Both databases can use an index for this condition. It is left out without a service: with an optional parameter,
# SQLite couldn't use the index.
_OF_SERVICE = "AND substr(key, 1, {colon}) = :service || ':'"
_PARAMETER = re.compile(r"(?<!:):(\w+)")


class SQLBacked(ABC):
    """A store or a queue in a table, for synchronous callers."""

    ttl: float
    _schema: ClassVar[str]

    @abstractmethod
    def _execute(self, statements: str, *, seconds: float = 0.0, **values: Any) -> tuple[int, list[Any]]:
        """Execute statements in one transaction. Return how many rows the last one changed, and the rows it found."""

    @abstractmethod
    def close(self) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _changes(self, statements: str, **values: Any) -> bool:
        return self._execute(statements, **values)[0] > 0

    def _found(self, statements: str, **values: Any) -> list[Any]:
        return self._execute(statements, **values)[1]


@cache
def rendered(statements: str, database: str, of_service: bool = False) -> str:
    """Return the statements for a database. Parameters are written as in SQLite, `:name`."""
    statements = statements.replace("{service}", _OF_SERVICE if of_service else "")
    for name, texts in _DIFFERENCES.items():
        statements = statements.replace(f"{{{name}}}", texts[DATABASES.index(database)])
    return statements if database == "sqlite" else _PARAMETER.sub(r"%(\1)s", statements)


def statements_of(schema: str, database: str) -> list[str]:
    return [each.strip() for each in rendered(schema, database).split(";") if each.strip()]
