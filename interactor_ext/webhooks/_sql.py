"""What stores and queues in SQLite and PostgreSQL have in common: statements for both databases."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from functools import cache
from typing import Any, ClassVar, Self

DATABASES = ("sqlite", "postgresql")
# What each of them has in place of a name between braces.
_DIFFERENCES = {
    # That of PostgreSQL is of the server, the same for all machines. An index serves conditions with it.
    "now": (":now", "statement_timestamp()"),
    # That of PostgreSQL goes on while a row is locked.
    "clock": (":now", "clock_timestamp()"),
    "seconds": (":seconds", "make_interval(secs => :seconds)"),
    # Begins a call, of which the closing parenthesis is in the statement.
    "epoch": ("(", "date_part('epoch',"),
    "colon": ("instr(key, ':')", "strpos(key, ':')"),
    "skip_locked": ("", "FOR UPDATE SKIP LOCKED"),
    "key": ("TEXT", 'TEXT COLLATE "C"'),
    "time": ("REAL", "TIMESTAMPTZ"),
    "bytes": ("BLOB", "BYTEA"),
    "clustered": ("WITHOUT ROWID", ""),
}
# A condition that an index serves in both databases. Without a service there is none: a parameter of one plan for both
# would keep SQLite from the index.
_OF_SERVICE = "AND substr(key, 1, {colon}) = :service || ':'"
_PARAMETER = re.compile(r"(?<!:):(\w+)")


class SQLBacked(ABC):
    """A store or a queue in a table, for synchronous callers."""

    ttl: float
    _schema: ClassVar[str]

    @abstractmethod
    def _execute(self, statements: str, *, seconds: float = 0.0, **values: Any) -> tuple[int, list[Any]]:
        """Execute statements in one transaction. Returns how many rows the last one changed, and which it found."""

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
    """The statements for a database. Parameters are written as in SQLite, `:name`."""
    statements = statements.replace("{service}", _OF_SERVICE if of_service else "")
    for name, texts in _DIFFERENCES.items():
        statements = statements.replace(f"{{{name}}}", texts[DATABASES.index(database)])
    return statements if database == "sqlite" else _PARAMETER.sub(r"%(\1)s", statements)


def statements_of(schema: str, database: str) -> list[str]:
    return [each.strip() for each in rendered(schema, database).split(";") if each.strip()]
