"""Webhook receiver: verifies a delivery's signature and runs its handlers once. Needs no client and no framework.

    verifier = WebhookVerifier(os.environ["INTERACTOR_WEBHOOK_SECRET"])
    router = WebhookRouter(verifier, store=SQLiteEventStore("webhooks.db"), name="shop")

    @router.on("credential.expired")
    def ask_to_reconnect(event: CredentialExpiredEvent) -> None: ...

Mount `router.asgi` or `router.wsgi` at a path, or pass the raw body and the headers to `router.handle`.

A signature only covers the body; the timestamp is not authenticated. A captured delivery therefore passes again with a
fresh timestamp, and only the store stops it: while the store remembers the `idempotency_key` (seven days by default), a
replay is a duplicate and runs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from interactor_client.models import EVENT_MODELS
from interactor_ext._engine.lazy import lazy_modules, lazy_names

_EVENTS = ("WebhookEvent", *EVENT_MODELS["WebhookEvent"].values())

if TYPE_CHECKING:
    from interactor_client.models import webhook_event
    from interactor_client.models.webhook_event import *  # noqa: F403 - the class of each event
    from interactor_ext.webhooks._invalid_event import InvalidWebhookEvent
    from interactor_ext.webhooks._schema import schema_statements
    from interactor_ext.webhooks.answers import WebhookAnswer
    from interactor_ext.webhooks.events import parse_event
    from interactor_ext.webhooks.queue._contract import DeadLetter, EventQueue, EventSink, QueuedEvent
    from interactor_ext.webhooks.queue._postgres import PostgresEventQueue
    from interactor_ext.webhooks.queue._sqlite import SQLiteEventQueue
    from interactor_ext.webhooks.rotation import SecretRotation, arotate_secret, rotate_secret
    from interactor_ext.webhooks.router import WebhookRouter
    from interactor_ext.webhooks.signature import WebhookVerifier, sign
    from interactor_ext.webhooks.stores._contract import ClaimState, EventStore
    from interactor_ext.webhooks.stores._memory import MemoryEventStore
    from interactor_ext.webhooks.stores._postgres import AsyncPostgresEventStore, PostgresEventStore
    from interactor_ext.webhooks.stores._redis import AsyncRedisEventStore, RedisEventStore
    from interactor_ext.webhooks.stores._sqlite import SQLiteEventStore
    from interactor_ext.webhooks.worker._worker import WebhookWorker

__all__ = [
    "AsyncPostgresEventStore",
    "AsyncRedisEventStore",
    "ClaimState",
    "DeadLetter",
    "EventQueue",
    "EventSink",
    "EventStore",
    "InvalidWebhookEvent",
    "MemoryEventStore",
    "PostgresEventQueue",
    "PostgresEventStore",
    "QueuedEvent",
    "RedisEventStore",
    "SQLiteEventQueue",
    "SQLiteEventStore",
    "SecretRotation",
    "WebhookAnswer",
    "WebhookRouter",
    "WebhookVerifier",
    "WebhookWorker",
    "arotate_secret",
    "parse_event",
    "rotate_secret",
    "schema_statements",
    "sign",
]

if TYPE_CHECKING:
    __all__ += webhook_event.__all__
else:
    __all__ += _EVENTS
    # A receiver only loads what it uses: most use no Redis, no worker, and few of the events.
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "interactor_ext.webhooks._invalid_event": ("InvalidWebhookEvent",),
            "interactor_ext.webhooks._schema": ("schema_statements",),
            "interactor_ext.webhooks.answers": ("WebhookAnswer",),
            "interactor_ext.webhooks.events": ("parse_event",),
            "interactor_ext.webhooks.queue._contract": ("DeadLetter", "EventQueue", "EventSink", "QueuedEvent"),
            "interactor_ext.webhooks.queue._postgres": ("PostgresEventQueue",),
            "interactor_ext.webhooks.queue._sqlite": ("SQLiteEventQueue",),
            "interactor_ext.webhooks.rotation": ("SecretRotation", "arotate_secret", "rotate_secret"),
            "interactor_ext.webhooks.router": ("WebhookRouter",),
            "interactor_ext.webhooks.signature": ("WebhookVerifier", "sign"),
            "interactor_ext.webhooks.stores._contract": ("ClaimState", "EventStore"),
            "interactor_ext.webhooks.stores._memory": ("MemoryEventStore",),
            "interactor_ext.webhooks.stores._postgres": ("AsyncPostgresEventStore", "PostgresEventStore"),
            "interactor_ext.webhooks.stores._redis": ("AsyncRedisEventStore", "RedisEventStore"),
            "interactor_ext.webhooks.stores._sqlite": ("SQLiteEventStore",),
            "interactor_ext.webhooks.worker._worker": ("WebhookWorker",),
            "interactor_client.models": _EVENTS,
        },
    )

# This imports sqlite3.
lazy_modules(__name__, "_transactions")
