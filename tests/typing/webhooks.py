"""Checked, not run: the classes of events; what may be passed as `queue=` and `hand_over=`."""

from __future__ import annotations

from typing import assert_type

from sqlalchemy import Connection, Engine
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import Session, sessionmaker

from interactor_ext.webhooks import (
    CredentialExpiredEvent,
    EventQueue,
    EventSink,
    PostgresEventQueue,
    SQLiteEventQueue,
    WebhookEvent,
    WebhookRouter,
    WebhookVerifier,
)


class PutOnly:
    def put(self, key: str, body: bytes) -> bool:
        return True


class AsyncPut:
    async def put(self, key: str, body: bytes) -> bool:
        return True


def send(body: bytes) -> None: ...


async def send_async(body: bytes) -> str:
    return "message id"


verifier = WebhookVerifier("whsec_1")
event: WebhookEvent = verifier.verify(b"", {})
if isinstance(event, CredentialExpiredEvent):
    assert_type(event.data.credential_id, str)
queue: EventQueue = SQLiteEventQueue("queue.db")
queue = PostgresEventQueue("host=db")
sinks: list[EventSink] = [PutOnly(), AsyncPut(), queue]
WebhookRouter(verifier, queue=PutOnly())
WebhookRouter(verifier, queue=AsyncPut())
WebhookRouter(verifier, hand_over=send_async)
router = WebhookRouter(verifier, hand_over=send)
assert_type(router.run(b""), None)


async def main() -> None:
    assert_type(await router.arun(b""), None)


def handlers(engine: Engine, sessions: sessionmaker[Session], async_sessions: async_sessionmaker[AsyncSession]) -> None:
    @router.on("credential.expired", once=sessions)
    def save(event: CredentialExpiredEvent, session: Session) -> None: ...

    @router.on("credential.expired", once=sessions.begin)
    def save_too(event: CredentialExpiredEvent, session: Session) -> None: ...

    @router.on("credential.expired", once=engine)
    def insert(event: CredentialExpiredEvent, connection: Connection) -> str:
        return "inserted"

    @router.on("credential.expired", once=async_sessions)
    async def asave(event: CredentialExpiredEvent, session: AsyncSession) -> None: ...

    @router.on("credential.expired", once=sessions)
    def count(event: CredentialExpiredEvent) -> None: ...

    assert_type(insert(CredentialExpiredEvent.from_dict({}), engine.connect()), str)
    router.on("a", once=async_sessions)(save)  # type: ignore[arg-type]
    router.on("a")(lambda event, session, more: None)  # type: ignore[type-var]
