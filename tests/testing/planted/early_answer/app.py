"""Who must connect an account again: `python app.py PORT` receives it by webhook, and the office reads expired.db."""

import os
import queue
import sqlite3
import sys
import time
from contextlib import closing
from threading import Thread
from wsgiref.simple_server import make_server

from interactor_ext.webhooks import CredentialExpiredEvent, WebhookRouter, WebhookVerifier

DATABASE = "expired.db"
router = WebhookRouter(WebhookVerifier(os.environ["INTERACTOR_WEBHOOK_SECRET"]))
received: "queue.Queue[tuple[str, str | None]]" = queue.Queue()


@router.on("credential.expired")
def receive(event: CredentialExpiredEvent) -> None:
    received.put((event.data.credential_id, event.namespace))


def write() -> None:
    """All that has come within a second is one transaction."""
    while True:
        batch = [received.get()]
        time.sleep(1)
        while not received.empty():
            batch.append(received.get())
        store(batch)


def store(batch: list[tuple[str, str | None]]) -> None:
    with closing(sqlite3.connect(DATABASE, timeout=30)) as db, db:
        db.execute("CREATE TABLE IF NOT EXISTS expired (account TEXT PRIMARY KEY, customer TEXT)")
        db.executemany("INSERT OR IGNORE INTO expired VALUES (?, ?)", batch)


if __name__ == "__main__":
    store([])
    Thread(target=write, daemon=True).start()
    make_server("127.0.0.1", int(sys.argv[1]), router.wsgi).serve_forever()
