"""The team's inbox: what customers write, as the platform reports it by webhook."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from interactor_ext import AsyncInteractorClient
from interactor_ext.webhooks import RoomMessageCreatedEvent, SQLiteEventStore, WebhookRouter, WebhookVerifier

FOLDER = Path(__file__).parent
SECRET = os.environ["INTERACTOR_WEBHOOK_SECRET"]
router = WebhookRouter(WebhookVerifier(SECRET), SQLiteEventStore(FOLDER / "events.db"), name="support")


@router.on("room.message.created")
def receive(event: RoomMessageCreatedEvent) -> None:
    """Runs once per event, or again if it fails: a message that is already there is ignored."""
    if event.data.role == "user":
        values = (event.data.message_id, event.namespace, event.data.content)
        query("INSERT OR IGNORE INTO inbox VALUES (?, ?, ?)", *values)


def messages() -> list[tuple[str, str]]:
    """Who wrote what, oldest first."""
    return query("SELECT customer, content FROM inbox ORDER BY rowid")


async def subscribe(customer: AsyncInteractorClient, url: str) -> None:
    """Subscribe this URL to the customer's events that have a handler."""
    await customer.webhooks.ensure(url=url, events=router.events, secret=SECRET)


def query(sql: str, *values: str | None) -> list[Any]:
    with closing(sqlite3.connect(FOLDER / "inbox.db")) as db, db:
        db.execute("CREATE TABLE IF NOT EXISTS inbox (message TEXT PRIMARY KEY, customer TEXT, content TEXT)")
        return db.execute(sql, values).fetchall()
