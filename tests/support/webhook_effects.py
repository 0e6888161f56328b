"""Receiver processes of a `Fleet` whose handlers write a row in the transaction in which they claim the event."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from interactor_ext.webhooks import PostgresEventStore, WebhookRouter, WebhookVerifier
from tests.support.webhook_deliveries import SECRET
from tests.support.webhook_fleet import NAME

TABLE = "DROP TABLE IF EXISTS effects; CREATE TABLE effects (id text)"
Register = Callable[[WebhookRouter, dict[str, Any], Callable[[str], None]], None]


def dies_late(key: str) -> bool:
    """Whether this event's process is killed after the COMMIT, before the store learns of it."""
    return key.endswith("0")


def effect_of(event: Any) -> str:
    return f"INSERT INTO effects VALUES ('{event.idempotency_key}')"


def with_psycopg(router: WebhookRouter, server: dict[str, Any], report: Callable[[str], None]) -> None:
    import psycopg

    @router.on("*")
    def handle(event: Any) -> None:
        with psycopg.connect(**server) as connection:
            if router.claim_in(event, connection):
                connection.execute(effect_of(event))  # type: ignore[call-overload]
                report(event.idempotency_key)


def with_sqlalchemy(router: WebhookRouter, server: dict[str, Any], report: Callable[[str], None]) -> None:
    from sqlalchemy import create_engine, text
    from sqlalchemy.orm import Session, sessionmaker

    @router.on("*", once=sessionmaker(create_engine("postgresql+psycopg://", connect_args=server)))
    def handle(event: Any, session: Session) -> None:
        session.execute(text(effect_of(event)))
        report(event.idempotency_key)


def with_async_sqlalchemy(router: WebhookRouter, server: dict[str, Any], report: Callable[[str], None]) -> None:
    from sqlalchemy import NullPool, text
    from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

    engine = create_async_engine("postgresql+psycopg://", connect_args=server, poolclass=NullPool)

    @router.on("*", once=async_sessionmaker(engine))
    async def handle(event: Any, session: AsyncSession) -> None:
        await session.execute(text(effect_of(event)))
        await asyncio.to_thread(report, event.idempotency_key)


def with_django(router: WebhookRouter, server: dict[str, Any], report: Callable[[str], None]) -> None:
    import django
    from django.conf import settings

    database = {"ENGINE": "django.db.backends.postgresql", "CONN_MAX_AGE": None}
    database |= {"HOST": server["host"], "USER": server["user"], "NAME": server["dbname"]}
    settings.configure(DATABASES={"default": database})
    django.setup()
    from django.db import transaction

    from interactor_ext.webhooks.django import HandlerScope

    router.around = HandlerScope

    @router.on("*", once=transaction.atomic)
    def handle(event: Any, connection: Any) -> None:
        connection.cursor().execute(effect_of(event))
        report(event.idempotency_key)


WAYS_OF_PROCESSES: dict[str, Register] = {
    "psycopg": with_psycopg,
    "SQLAlchemy": with_sqlalchemy,
    "async SQLAlchemy": with_async_sqlalchemy,
    "Django": with_django,
}


def write(way: str, parent: Connection, dsn: str, lease: float) -> None:
    """The life of one process. It reports between the effect of an event and its COMMIT, or else after the COMMIT."""
    from psycopg.conninfo import conninfo_to_dict

    def report(key: str, *, late: bool = False) -> None:
        if late is dies_late(key):
            parent.send(("started", key))
            assert parent.recv() == "go on"

    class Store(PostgresEventStore):
        def complete(self, key: str, token: str) -> bool:
            report(key.removeprefix(f"{NAME}:"), late=True)
            return super().complete(key, token)

    with Store(dsn) as store, asyncio.Runner() as runner:
        router = WebhookRouter(WebhookVerifier(SECRET), store, name=NAME, lease=lease)
        WAYS_OF_PROCESSES[way](router, conninfo_to_dict(dsn), report)
        while (job := parent.recv()) is not None:
            answer = runner.run(router.ahandle(*job)) if "async" in way else router.handle(*job)
            parent.send(("answered", answer.status))
