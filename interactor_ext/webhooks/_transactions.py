"""Claims an event in a transaction of the application's own database: `WebhookRouter.claim_in`.

The claim is a row beside what the handler writes, so both are committed or neither is. It is in the table of the
stores, under a key of its own.
"""

from __future__ import annotations

import inspect
import sqlite3
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from interactor_ext._errors import ConfigurationError
from interactor_ext.webhooks.stores._contract import DEFAULT_TTL

# A claim by another transaction that has not ended is waited for.
_INSERT = """
INSERT INTO interactor_webhook_claims (key, token, until, completed) VALUES ({key}, '', {until}, true)
ON CONFLICT (key) DO NOTHING
"""
# By the name of the database: the time that is so many seconds after 1970.
_UNTIL = {"postgresql": "to_timestamp({})", "sqlite": "{}"}
# No name of a router begins with it.
_PREFIX = "+"


# The database, whether a transaction has begun, the placeholders, and what executes a statement with their values.
_Way = tuple[str, bool, tuple[str, str], Callable[..., Any]]


def claim(connection: Any, key: str) -> bool:
    """True if no transaction has claimed the event before."""
    result = _execute(connection, key)
    if inspect.isawaitable(result):
        result.close()  # type: ignore[attr-defined]
        raise ConfigurationError("This connection is asynchronous. Write `await router.aclaim_in(event, connection)`.")
    return bool(result.rowcount == 1)


async def aclaim(connection: Any, key: str) -> bool:
    """`claim` in an async connection."""
    result = _execute(connection, key)
    if not inspect.isawaitable(result):
        raise ConfigurationError("This connection isn't asynchronous. Write `router.claim_in(event, connection)`.")
    return bool((await result).rowcount == 1)


def _execute(connection: Any, key: str) -> Any:
    """A result with a `rowcount`, or an awaitable of one."""
    database, is_in_transaction, (name, until), execute = _way_of(connection)
    if not is_in_transaction:
        raise ConfigurationError("The connection commits each statement on its own. Begin a transaction, then claim.")
    if database not in _UNTIL:
        raise ConfigurationError(f"Events can be claimed in PostgreSQL and SQLite, not in {database!r}.")
    statement = _INSERT.format(key=name, until=_UNTIL[database].format(until))
    return execute(statement, (_PREFIX + key, time.time() + DEFAULT_TTL))


def _way_of(connection: Any) -> _Way:
    package = type(connection).__module__.partition(".")[0]
    if isinstance(connection, sqlite3.Connection):
        manual = connection.isolation_level is None or getattr(connection, "autocommit", None) is True
        return "sqlite", connection.in_transaction or not manual, ("?", "?"), connection.execute
    if package == "psycopg":
        has_begun = not connection.autocommit or connection.info.transaction_status.name != "IDLE"
        return "postgresql", has_begun, ("%s", "%s"), connection.execute
    if package == "sqlalchemy":
        from sqlalchemy import text

        def execute(statement: str, values: tuple[object, ...]) -> Any:
            return connection.execute(text(statement), dict(zip(("key", "until"), values, strict=True)))

        dialect = connection.get_bind().dialect if hasattr(connection, "get_bind") else connection.dialect
        return dialect.name, True, (":key", ":until"), execute  # it begins a transaction by itself
    if hasattr(connection, "in_atomic_block"):
        return connection.vendor, connection.in_atomic_block, ("%s", "%s"), partial(_execute_in_django, connection)
    raise ConfigurationError(
        "Events can be claimed in a connection of psycopg, sqlite3 or Django, or in a session or "
        f"connection of SQLAlchemy, not in a {type(connection).__name__}."
    )


def _execute_in_django(connection: Any, statement: str, values: tuple[object, ...]) -> Any:
    cursor = connection.cursor()
    cursor.execute(statement, values)
    return cursor
