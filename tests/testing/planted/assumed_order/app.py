"""The page of a customer's accounts: which are connected, and which must be connected again."""

import os
import sqlite3
from contextlib import closing

from interactor_ext.webhooks import (
    CredentialConnectedEvent,
    CredentialExpiredEvent,
    MemoryEventStore,
    WebhookRouter,
    WebhookVerifier,
)

DATABASE = "accounts.db"
router = WebhookRouter(WebhookVerifier(os.environ["INTERACTOR_WEBHOOK_SECRET"]), MemoryEventStore())


@router.on("credential.connected")
def add(event: CredentialConnectedEvent) -> None:
    account = event.data.credential_id
    query("INSERT OR REPLACE INTO accounts VALUES (?, ?, 'connected')", account, event.namespace)


@router.on("credential.expired")
def ask_to_reconnect(event: CredentialExpiredEvent) -> None:
    query("UPDATE accounts SET state = 'expired' WHERE account = ?", event.data.credential_id)


def accounts(customer: str) -> dict[str, str]:
    return dict(query("SELECT account, state FROM accounts WHERE customer = ?", customer))


def query(sql: str, *values: str | None) -> list[tuple[str, str]]:
    with closing(sqlite3.connect(DATABASE, timeout=30)) as db, db:
        db.execute("CREATE TABLE IF NOT EXISTS accounts (account TEXT PRIMARY KEY, customer TEXT, state TEXT)")
        return db.execute(sql, values).fetchall()
