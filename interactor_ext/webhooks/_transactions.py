"""Claims an event in a transaction of the application's own database: `once=` and `WebhookRouter.claim_in`.

The claim is a row in the same transaction as the handler's writes, so both are committed or neither is. It is in the
table of the stores, under its own key.
"""

from __future__ import annotations

import inspect
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from interactor_ext._engine.arguments import is_async
from interactor_ext._engine.effects import Effects, Invoke, run_async, run_sync
from interactor_ext._engine.errors import ConfigurationError
from interactor_ext._engine.logs import webhooks_logger as logger
from interactor_ext.webhooks.stores._contract import DEFAULT_TTL

# Waits for another transaction that has inserted the same claim and hasn't ended.
_INSERT = """
INSERT INTO interactor_webhook_claims (key, token, until, completed) VALUES ({key}, '', {until}, true)
ON CONFLICT (key) DO NOTHING
"""
# The time that many seconds after 1970, by database.
_UNTIL = {"postgresql": "to_timestamp({})", "sqlite": "{}"}
# No router name starts with it.
_PREFIX = "+"


def claim(connection: Any, key: str, *, begins_alone: bool = True) -> bool:
    """Return True if no transaction has claimed the event before."""
    if _is_async(connection):
        raise ConfigurationError("This connection is asynchronous. Write `await router.aclaim_in(event, connection)`.")
    return run_sync(_claim(connection, key, begins_alone))


async def aclaim(connection: Any, key: str) -> bool:
    """`claim` for an async connection."""
    if not _is_async(connection):
        raise ConfigurationError("This connection isn't asynchronous. Write `router.claim_in(event, connection)`.")
    return await run_async(_claim(connection, key, begins_alone=True))


def once(takes_value: bool, key: str, handler: Callable[..., Any], connection: Any) -> Callable[[Any], Any]:
    """Return a function that runs the handler unless a transaction has already claimed the event for it."""
    given = (connection,) if takes_value else ()

    async def acall(event: Any) -> Any:
        is_first = _note(key, await run_async(_claim(connection, key, begins_alone=False)))
        return await handler(event, *given) if is_first else None

    def call(event: Any) -> Any:
        return handler(event, *given) if _note(key, claim(connection, key, begins_alone=False)) else None

    return acall if is_async(handler) else call


def _note(key: str, is_first: bool) -> bool:
    if not is_first:
        logger.info("The transaction of %r was committed before, so its handler isn't called again.", key)
    return is_first


@contextmanager
def connection_in(atomic: Any) -> Iterator[Any]:
    """Yield the connection of Django's `atomic()`, which doesn't yield it itself."""
    from django.db import transaction

    with atomic:
        yield transaction.get_connection(atomic.using)


def _is_async(connection: Any) -> bool:
    return inspect.iscoroutinefunction(getattr(connection, "execute", None))


def _claim(connection: Any, key: str, begins_alone: bool) -> Effects[bool]:
    packages = {each.__module__.partition(".")[0] for each in type(connection).__mro__}
    values = (_PREFIX + key, time.time() + DEFAULT_TTL)
    if isinstance(connection, sqlite3.Connection):
        result = connection.execute(_insert("sqlite", _has_begun(connection), "?", "?"), values)
    elif "psycopg" in packages:
        has_begun = not connection.autocommit or connection.info.transaction_status.name != "IDLE"
        result = yield Invoke(connection.execute, (_insert("postgresql", has_begun, "%s", "%s"), values))
    elif "sqlalchemy" in packages:
        session = connection() if hasattr(connection, "registry") else connection  # a scoped_session
        insert = partial(_insert_with_sqlalchemy, values=values, begins_alone=begins_alone)
        result = (yield Invoke(session.run_sync, (insert,))) if hasattr(session, "run_sync") else insert(session)
    elif hasattr(connection, "in_atomic_block"):
        result = connection.cursor()
        result.execute(_insert(connection.vendor, connection.in_atomic_block, "%s", "%s"), values)
    else:
        raise ConfigurationError(
            "Events can be claimed in a connection of psycopg, sqlite3 or Django, or in a session or "
            f"connection of SQLAlchemy, not in a {type(connection).__name__}."
        )
    return bool(result.rowcount == 1)


def _insert_with_sqlalchemy(session: Any, values: tuple[str, float], begins_alone: bool) -> Any:
    from sqlalchemy import text

    if not (begins_alone or session.in_transaction()):
        raise ConfigurationError(
            f"once= opened a {type(session).__name__} that hasn't begun a transaction, so nothing would be committed. "
            "Write `once=Session`, of a sessionmaker, or `once=engine`."
        )
    connection = session.connection() if hasattr(session, "get_bind") else session
    database, raw = connection.dialect.name, connection.connection
    if database == "sqlite":
        has_begun = _has_begun(raw.driver_connection)
    else:
        has_begun = getattr(raw.dbapi_connection, "autocommit", False) is not True
    statement = text(_insert(database, has_begun, ":key", ":until"))
    return connection.execute(statement, dict(zip(("key", "until"), values, strict=True)))


def _has_begun(connection: Any) -> bool:
    """Whether an SQLite statement joins or begins a transaction."""
    commits_each = connection.isolation_level is None or getattr(connection, "autocommit", None) is True
    return connection.in_transaction or not commits_each


def _insert(database: str, has_begun: bool, key: str, until: str) -> str:
    if database not in _UNTIL:
        raise ConfigurationError(f"Events can be claimed in PostgreSQL and SQLite, not in {database!r}.")
    if not has_begun:
        raise ConfigurationError(
            "The connection commits each statement on its own (autocommit), so the claim would remain if the handler "
            "fails. Begin a transaction, then claim."
        )
    return _INSERT.format(key=key, until=_UNTIL[database].format(until))
