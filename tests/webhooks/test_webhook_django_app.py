"""The Django app: `manage.py migrate` and `manage.py interactor_webhooks`, in a project with real processes."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from interactor_ext.webhooks import ClaimState, PostgresEventStore, SQLiteEventQueue, SQLiteEventStore
from tests.support.postgres_server import PostgresServer
from tests.support.served import ROOT, needs
from tests.support.waiting import PATIENCE, eventually
from tests.support.webhook_deliveries import body_of

pytest_plugins = ["tests.support.server_fixtures", "tests.support.webhook_fixtures"]

MANAGE = """
import os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
from django.core.management import execute_from_command_line
execute_from_command_line(sys.argv)
"""
SETTINGS = """
import os
SECRET_KEY = "x"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "interactor_ext.webhooks.django"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "shop.db"}}
if "SOCKET" in os.environ:
    DATABASES["default"] = {
        "ENGINE": "django.db.backends.postgresql", "NAME": "postgres", "USER": "postgres", "HOST": os.environ["SOCKET"],
    }
"""
# Models can be imported after django.setup() alone. The handler of "bad" events fails until a file is there.
SHOP = """
import os
from django.contrib.auth.models import User
from django.db import connection
from interactor_ext.webhooks import SQLiteEventQueue, WebhookRouter, WebhookVerifier, WebhookWorker
router = WebhookRouter(WebhookVerifier("whsec_5f1d3c"), queue=SQLiteEventQueue("queue.db"), name="shop")
worker = WebhookWorker(router, retry_delays=[])

@router.on("*")
def greet(event):
    if router.claim_in(event, connection):
        User.objects.create(username=event.idempotency_key)
    if event.idempotency_key.startswith("bad") and not os.path.exists("mended"):
        raise LookupError("no such customer")
"""


class Project:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.env = {**os.environ, "PYTHONPATH": str(ROOT)}
        for name, text in (("manage", MANAGE), ("settings", SETTINGS), ("shop", SHOP)):
            (folder / f"{name}.py").write_text(text)

    def manage(self, *arguments: str, status: int = 0) -> str:
        """The output of a command."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=self.folder, env=self.env, capture_output=True, text=True, timeout=PATIENCE,
        )  # fmt: skip
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout + done.stderr

    def users(self) -> list[str]:
        return [name for (name,) in self.select("SELECT username FROM auth_user ORDER BY username")]

    def select(self, statement: str) -> list[tuple[str]]:
        with closing(sqlite3.connect(self.folder / "shop.db", timeout=PATIENCE)) as database:
            return database.execute(statement).fetchall()

    def work(self, *, until: list[str], dead: int, queue: SQLiteEventQueue) -> str:
        """Run the worker until these users and as many dead letters are there, stop it by SIGTERM; returns its log."""
        with (self.folder / "log").open("wb") as log:
            worker = subprocess.Popen(
                [sys.executable, "manage.py", "interactor_webhooks", "work", "shop:worker", "--concurrency=1"],
                cwd=self.folder, env=self.env, stderr=log, stdout=log,
            )  # fmt: skip
        try:
            eventually(
                lambda: worker.poll() is not None or (self.users() == until and len(queue.dead_letters()) == dead),
                "users and dead letters",
            )
            worker.send_signal(signal.SIGTERM)
            assert worker.wait(PATIENCE) == 0, (self.folder / "log").read_text()
        finally:
            worker.kill()
            worker.wait()
        return (self.folder / "log").read_text()


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    needs(["django"])
    return Project(tmp_path)


@pytest.mark.skipif(sys.platform == "win32", reason="the worker is ended by SIGTERM")
def test_manage_works_lists_and_replays_the_events_of_a_queue(project: Project, queue: SQLiteEventQueue) -> None:
    project.manage("migrate", "--verbosity", "0")
    assert project.manage("interactor_webhooks", "check", "shop:router") == "Ready.\n"
    for key in ("good", "bad1", "bad2"):
        queue.put(f"shop:{key}", body_of("room.message.created", key))
    log = project.work(until=["good"], dead=2, queue=queue)
    assert "LookupError: no such customer" in log
    assert "has stopped" in log

    shown = project.manage("interactor_webhooks", "dead", "shop:router")
    assert re.findall(r"^shop:\w+ room.message.created, 1 attempts", shown, re.MULTILINE) == [
        "shop:bad1 room.message.created, 1 attempts",
        "shop:bad2 room.message.created, 1 attempts",
    ]
    assert "LookupError: no such customer" in shown
    assert shown.endswith("2 dead letters.\n")
    unknown = project.manage("interactor_webhooks", "replay", "shop:router", "shop:nope", status=1)
    assert unknown == "CommandError: No dead letter of this router has the key 'shop:nope'.\n"

    (project.folder / "mended").touch()
    assert project.manage("interactor_webhooks", "replay", "shop:router", "--all") == "2 dead letters replayed.\n"
    project.work(until=["bad1", "bad2", "good"], dead=0, queue=queue)


TABLES = "SELECT sql FROM sqlite_master WHERE tbl_name = 'interactor_webhook_claims' ORDER BY name"


@pytest.mark.full
def test_migration_makes_the_table_of_the_store_and_can_be_undone(project: Project) -> None:
    project.manage("migrate", "--verbosity", "0")
    with SQLiteEventStore(project.folder / "own.db") as store:
        store.claim("key", "token", 1)
    with closing(sqlite3.connect(project.folder / "own.db")) as own:
        expected = [re.sub(r"\s+", " ", sql) for (sql,) in own.execute(TABLES) if sql]
    assert [re.sub(r"\s+", " ", sql) for (sql,) in project.select(TABLES) if sql] == expected
    assert "No changes detected" in project.manage("makemigrations", "--check", "interactor_webhooks")
    project.manage("migrate", "interactor_webhooks", "zero", "--verbosity", "0")
    assert project.select(TABLES) == []


@pytest.mark.full
def test_migration_makes_the_table_of_the_store_in_postgresql(project: Project, postgres: PostgresServer) -> None:
    needs(["psycopg"])
    project.env["SOCKET"] = postgres.folder
    project.manage("migrate", "--verbosity", "0")
    with PostgresEventStore(postgres.dsn) as store:
        assert store.claim("key", "token", 1) == ClaimState.CLAIMED
        store.create()  # changes nothing
    project.manage("migrate", "interactor_webhooks", "zero", "--verbosity", "0")
    assert postgres.run("SELECT FROM pg_class WHERE relname LIKE 'interactor%'") == []
