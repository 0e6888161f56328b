"""Checked, not run: the classes of events; what may be passed as `queue=` and `hand_over=`."""

from __future__ import annotations

from typing import assert_type

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


def send(body: bytes) -> None: ...


async def send_async(body: bytes) -> str:
    return "message id"


verifier = WebhookVerifier("whsec_1")
event: WebhookEvent = verifier.verify(b"", {})
if isinstance(event, CredentialExpiredEvent):
    assert_type(event.data.credential_id, str)
queue: EventQueue = SQLiteEventQueue("queue.db")
queue = PostgresEventQueue("host=db")
sinks: list[EventSink] = [PutOnly(), queue]
WebhookRouter(verifier, queue=PutOnly())
WebhookRouter(verifier, hand_over=send_async)
router = WebhookRouter(verifier, hand_over=send)
assert_type(router.run(b""), None)


async def main() -> None:
    assert_type(await router.arun(b""), None)
