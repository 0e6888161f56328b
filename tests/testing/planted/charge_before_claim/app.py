"""Customers pay a fee for each account that they connect: the platform tells by webhook when they have."""

import os
import sqlite3
from contextlib import closing

from flask import Flask, abort, request

from interactor_ext import WebhookError
from interactor_ext.webhooks import CredentialConnectedEvent, WebhookVerifier

FEE = 5
app = Flask(__name__)
app.config["DATABASE"] = "fees.db"
verifier = WebhookVerifier(os.environ["INTERACTOR_WEBHOOK_SECRET"])


def database() -> sqlite3.Connection:
    db = sqlite3.connect(app.config["DATABASE"], timeout=30)
    db.execute("CREATE TABLE IF NOT EXISTS seen (event TEXT PRIMARY KEY)")
    db.execute("CREATE TABLE IF NOT EXISTS charges (customer TEXT, account TEXT, amount INTEGER)")
    return db


def charge(db: sqlite3.Connection, customer: str | None, account: str) -> None:
    with db:
        db.execute("INSERT INTO charges VALUES (?, ?, ?)", (customer, account, FEE))


@app.post("/webhooks")
def receive() -> str:
    try:
        event = verifier.verify(request.get_data(), request.headers)
    except WebhookError:
        abort(401)
    if not isinstance(event, CredentialConnectedEvent):
        return "not for us"
    with closing(database()) as db:
        charge(db, event.namespace, event.data.credential_id)
        with db:
            claimed = db.execute("INSERT OR IGNORE INTO seen VALUES (?)", (event.id,)).rowcount
    return "charged" if claimed else "seen before"
