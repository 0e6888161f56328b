"""Claims an event in a transaction of the application's own database: `WebhookRouter.claim_in`.

The claim is a row beside what the handler writes, so both are committed or neither is. It is in the table of the
stores, under a key of its own.
"""

from __future__ import annotations

import inspect
import sqlite3
import time
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from interactor_ext._errors import ConfigurationError
from interactor_ext.webhooks.stores._contract import DEFAULT_TTL

# A claim by another transaction that has not ended is waited for.
_INSERT = """
INSERT INTO interactor_webhook_claims (key, token, until, completed) VALUES ({key}, '', {until}, {true})
ON CONFLICT (key) DO NOTHING
"""
# By the name of the database. What the placeholders stand for is in the style of the connection.
_DIALECTS = {
    "postgresql": {"until": "to_timestamp({})", "true": "true"},
    "sqlite": {"until": "{}", "true": "1"},
}
# No name of a router begins with it.
_PREFIX = "+"


class _Way(NamedTuple):
    """How a connection executes a statement: gives a result with a `rowcount`, or an awaitable of one."""

    database: str
    placeholders: tuple[str, str]
    execute: Callable[[str, str, float], Any]
    is_async: bool
    is_in_transaction: bool


def claim(connection: Any, key: str) -> bool:
    """True if no transaction has claimed the event before."""
    way = _way_of(connection)
    if way.is_async:
        raise ConfigurationError("This connection is async: write `await router.aclaim_in(event, connection)`.")
    return _is_claimed(_execute(way, key))


async def aclaim(connection: Any, key: str) -> bool:
    """`claim` in an async connection."""
    way = _way_of(connection)
    if not way.is_async:
        raise ConfigurationError("This connection is not async: write `router.claim_in(event, connection)`.")
    result: Awaitable[Any] = _execute(way, key)
    return _is_claimed(await result)


def _is_claimed(result: Any) -> bool:
    count: int = result.rowcount
    return count == 1


def _execute(way: _Way, key: str) -> Any:
    if not way.is_in_transaction:
        raise ConfigurationError("The connection commits each statement by itself. Begin a transaction, then claim.")
    if way.database not in _DIALECTS:
        raise ConfigurationError(f"An event can be claimed in PostgreSQL and in SQLite, not in {way.database!r}.")
    name, until = way.placeholders
    values = {each: text.format(until) for each, text in _DIALECTS[way.database].items()}
    return way.execute(_INSERT.format(key=name, **values), _PREFIX + key, time.time() + DEFAULT_TTL)


def _way_of(connection: Any) -> _Way:
    package = type(connection).__module__.partition(".")[0]
    if isinstance(connection, sqlite3.Connection):
        manual = connection.isolation_level is None or getattr(connection, "autocommit", None) is True
        return _Way(
            "sqlite",
            ("?", "?"),
            lambda statement, *values: connection.execute(statement, values),
            is_async=False,
            is_in_transaction=connection.in_transaction or not manual,
        )
    if package == "psycopg":
        return _Way(
            "postgresql",
            ("%s", "%s"),
            lambda statement, *values: connection.execute(statement, values),
            is_async=inspect.iscoroutinefunction(type(connection).execute),
            is_in_transaction=not connection.autocommit or connection.info.transaction_status.name != "IDLE",
        )
    if package == "sqlalchemy":
        from sqlalchemy import text

        dialect = connection.get_bind().dialect if hasattr(connection, "get_bind") else connection.dialect
        return _Way(
            dialect.name,
            (":key", ":until"),
            lambda statement, key, until: connection.execute(text(statement), {"key": key, "until": until}),
            is_async=hasattr(connection, "sync_session") or hasattr(connection, "sync_connection"),
            is_in_transaction=True,  # it begins one by itself
        )
    if hasattr(connection, "in_atomic_block"):
        return _Way(
            connection.vendor,
            ("%s", "%s"),
            lambda statement, *values: _execute_in_django(connection, statement, values),
            is_async=False,
            is_in_transaction=connection.in_atomic_block,
        )
    raise ConfigurationError(
        f"An event is claimed in a connection of psycopg, sqlite3 or Django, or in a session or connection of "
        f"SQLAlchemy, not in a {type(connection).__name__}."
    )


def _execute_in_django(connection: Any, statement: str, values: tuple[object, ...]) -> Any:
    cursor = connection.cursor()
    cursor.execute(statement, values)
    return cursor
