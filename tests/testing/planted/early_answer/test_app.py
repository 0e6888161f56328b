import secrets
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from threading import Event, Thread

import pytest

from interactor_ext.sandbox import Sandbox

APP = Path(__file__).with_name("app.py")


@pytest.fixture
def receiver(interactor_sandbox: Sandbox, interactor_webhook_secret: str, tmp_path: Path) -> Iterator[None]:
    """The application in a process, which is started again when it ends, as by systemd."""
    port = 10_000 + secrets.randbelow(20_000)  # the system assigns those above to others while it starts
    stopped, processes = Event(), []

    def supervise() -> None:
        while not stopped.is_set():
            processes.append(subprocess.Popen([sys.executable, APP, str(port)], cwd=tmp_path))
            processes[-1].wait()

    supervisor = Thread(target=supervise)
    supervisor.start()
    while True:
        with suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
            break
        time.sleep(0.05)
    interactor_sandbox.delivery.time_scale = 0.01  # the next attempts come after 0.3, 1.2 and 6 seconds
    with interactor_sandbox.client(namespace="user_alice") as user:
        url, events = f"http://127.0.0.1:{port}/", ["credential.expired"]
        user.webhooks.create(url=url, events=events, secret=interactor_webhook_secret)
    yield
    stopped.set()
    while supervisor.is_alive():  # it may be about to start another
        processes[-1].terminate()
        supervisor.join(0.1)


def noted(folder: Path) -> list[str]:
    with closing(sqlite3.connect(folder / "expired.db", timeout=30)) as db:
        tables = db.execute("SELECT name FROM sqlite_master").fetchall()
        return [account for (account,) in db.execute("SELECT account FROM expired")] if tables else []


def test_expired_account_is_noted(interactor_sandbox: Sandbox, receiver: None, tmp_path: Path) -> None:
    account = interactor_sandbox.add_credential("google", namespace="user_alice")["id"]
    interactor_sandbox.expire_credential(account)
    give_up = time.monotonic() + 15
    while noted(tmp_path) != [account] and time.monotonic() < give_up:
        time.sleep(0.05)
    assert noted(tmp_path) == [account]
