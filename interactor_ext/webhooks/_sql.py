"""What stores and queues in SQLite and PostgreSQL have in common: statements for both databases."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from functools import cache
from typing import Any, NamedTuple

# A condition that an index serves in both databases. Without a service there is none: a parameter of one plan for both
# would keep SQLite from the index.
_OF_SERVICE = "AND substr(key, 1, {colon}) = :service || ':'"
_PARAMETER = re.compile(r"(?<!:):(\w+)")


class Dialect(NamedTuple):
    """How a database writes what is between braces, and a parameter (`\\1` is its name)."""

    now: str
    then: str
    ago: str
    colon: str
    epoch: str
    """Begins a call, of which the closing parenthesis is in the statement."""
    parameter: str


SQLITE = Dialect(":now", ":now + :seconds", ":now - :seconds", "instr(key, ':')", "(", r":\1")
# The clock is the server's, the same for all machines.
_NOW, _CLOCK, _SECONDS = "statement_timestamp()", "clock_timestamp()", "make_interval(secs => :seconds)"
POSTGRESQL = Dialect(
    _NOW, f"{_NOW} + {_SECONDS}", f"{_NOW} - {_SECONDS}", "strpos(key, ':')", "date_part('epoch',", r"%(\1)s"
)
# It goes on while a row is locked. But only with the other one can an index find what is due.
POSTGRESQL_CLOCK = POSTGRESQL._replace(now=_CLOCK, then=f"{_CLOCK} + {_SECONDS}")


class SQLBacked(ABC):
    """A store or a queue in a table, for synchronous callers."""

    ttl: float

    @abstractmethod
    def _execute(self, statements: str, *, seconds: float = 0.0, **values: Any) -> tuple[int, list[Any]]:
        """Execute statements in one transaction. Returns how many rows the last one changed, and which it found."""

    def _changes(self, statements: str, **values: Any) -> bool:
        return self._execute(statements, **values)[0] > 0

    def _found(self, statements: str, **values: Any) -> list[Any]:
        return self._execute(statements, **values)[1]


@cache
def rendered(statements: str, dialect: Dialect, of_service: bool) -> str:
    statements = statements.replace("{service}", _OF_SERVICE if of_service else "")
    for name, text in dialect._asdict().items():
        statements = statements.replace(f"{{{name}}}", text)
    return _PARAMETER.sub(dialect.parameter, statements)
