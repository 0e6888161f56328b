"""The kinds of handlers that people write, in applications that test_webhook_handler_kinds.py runs.

Each is registered for its own event type and writes one row in PostgreSQL. Handlers that can't work are refused.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from functools import partial
from typing import Any

from interactor_ext import ConfigurationError
from interactor_ext.webhooks import WebhookRouter

KINDS: dict[str, Callable[[WebhookRouter, str], None]] = {}
REFUSED = {"generator", "async generator", "dependency", "value without around"}
"""The kinds that are refused at registration."""


def kind(name: str) -> Callable[[Callable[[WebhookRouter, str], None]], None]:
    return lambda register: KINDS.update({name: register}) or None


def event_of(name: str) -> str:
    return f"kind.{name.replace(' ', '_')}"


def register_all(router: WebhookRouter) -> None:
    """Raises AssertionError unless exactly the handlers that can't work are refused."""
    refused = set()
    for name, register in KINDS.items():
        try:
            register(router, event_of(name))
        except ConfigurationError:
            refused.add(name)
    expected = REFUSED if router.around is None else REFUSED - {"value without around"}
    assert refused == expected & KINDS.keys(), refused


def application(surroundings: str) -> None:
    """Define the handlers that write through SQLAlchemy, or through Django's ORM."""
    (with_django if surroundings == "django" else with_sqlalchemy)()
    with_any(KINDS.pop("write"), KINDS.pop("awrite"))


def with_any(write: Any, awrite: Any) -> None:
    class Saver:
        def save(self, event: Any) -> None:
            write(event)

        async def asave(self, event: Any) -> None:
            await awrite(event)

    class Callee:
        def __call__(self, event: Any) -> None:
            write(event)

    class AsyncCallee:
        async def __call__(self, event: Any) -> None:
            await awrite(event)

    def ends(label: str, event: Any) -> None:
        write(event)

    async def aends(label: str, event: Any) -> None:
        await awrite(event)

    def yields(event: Any) -> Any:
        write(event)
        yield

    async def ayields(event: Any) -> Any:
        await awrite(event)
        yield

    async def has_task(event: Any) -> None:
        await asyncio.create_task(awrite(event))

    def two(event: Any, session: Any) -> None:
        write(event)

    handlers: dict[str, Any] = {
        "sync": write,
        "async": awrite,
        "lambda": lambda event: write(event),
        "lambda around async": lambda event: awrite(event),
        "partial": partial(ends, "x"),
        "async partial": partial(aends, "x"),
        "method": Saver().save,
        "async method": Saver().asave,
        "callable": Callee(),
        "async callable": AsyncCallee(),
        "task": has_task,
        "generator": yields,
        "async generator": ayields,
        "value without around": two,
    }
    for name, handler in handlers.items():
        kind(name)(lambda router, event, handler=handler: router.on(event)(handler) and None)


def with_sqlalchemy() -> None:
    from fastapi import Depends
    from sqlalchemy import NullPool, create_engine, text
    from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
    from sqlalchemy.orm import Session, sessionmaker

    url = f"postgresql+psycopg://postgres@/postgres?host={os.environ['PGHOST']}"
    sessions = sessionmaker(create_engine(url, poolclass=NullPool))
    async_sessions = async_sessionmaker(create_async_engine(url, poolclass=NullPool))

    def insert(event: Any) -> Any:
        return text("INSERT INTO effects VALUES (:id)").bindparams(id=event.event)

    def write(event: Any) -> None:
        with sessions.begin() as session:
            session.execute(insert(event))

    async def awrite(event: Any) -> None:
        async with async_sessions.begin() as session:
            await session.execute(insert(event))

    KINDS.update(write=write, awrite=awrite)  # type: ignore[dict-item]

    @kind("once")
    def once(router: WebhookRouter, event: str) -> None:
        @router.on(event, once=sessions)
        def save(event: Any, session: Session) -> None:
            session.execute(insert(event))

    @kind("async once")
    def async_once(router: WebhookRouter, event: str) -> None:
        @router.on(event, once=async_sessions)
        async def asave(event: Any, session: AsyncSession) -> None:
            await session.execute(insert(event))

    @kind("claim")
    def claim(router: WebhookRouter, event: str) -> None:
        @router.on(event)
        def save_claimed(event: Any) -> None:
            with sessions.begin() as session:
                if router.claim_in(event, session):
                    session.execute(insert(event))

    @kind("async claim")
    def async_claim(router: WebhookRouter, event: str) -> None:
        @router.on(event)
        async def save_claimed_async(event: Any) -> None:
            async with async_sessions.begin() as session:
                if await router.aclaim_in(event, session):
                    await session.execute(insert(event))

    @kind("dependency")
    def dependency(router: WebhookRouter, event: str) -> None:
        @router.on(event)
        def save_with_dependency(event: Any, session: Session = Depends(sessions)) -> None:  # noqa: B008
            session.execute(insert(event))


def with_django() -> None:
    from asgiref.sync import sync_to_async
    from django.db import connection, models, transaction

    class Effect(models.Model):
        id = models.TextField(primary_key=True)

        class Meta:
            app_label, db_table, managed = "shop", "effects", False

    def write(event: Any) -> None:
        Effect.objects.create(id=event.event)

    async def awrite(event: Any) -> None:
        await Effect.objects.acreate(id=event.event)

    KINDS.update(write=write, awrite=awrite)  # type: ignore[dict-item]

    @kind("once")
    def once(router: WebhookRouter, event: str) -> None:
        @router.on(event, once=transaction.atomic)
        def save(event: Any) -> None:
            write(event)

    @kind("claim")
    def claim(router: WebhookRouter, event: str) -> None:
        @router.on(event)
        def save_claimed(event: Any) -> None:
            if router.claim_in(event, connection):
                write(event)

    @kind("sync_to_async")
    def bridged(router: WebhookRouter, event: str) -> None:
        @router.on(event)
        async def save_bridged(event: Any) -> None:
            await sync_to_async(write)(event)

    @kind("atomic in async")
    def atomic(router: WebhookRouter, event: str) -> None:
        @router.on(event)
        async def save_atomic(event: Any) -> None:
            await sync_to_async(transaction.atomic(write))(event)
