"""The Django app: `manage.py migrate` and `manage.py interactor_webhooks`, in a project with real processes."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from interactor_ext.webhooks import ClaimState, PostgresEventStore, SQLiteEventQueue, schema_statements
from tests.support.postgres_server import PostgresServer
from tests.support.served import ROOT, needs
from tests.support.waiting import PATIENCE, eventually
from tests.support.webhook_deliveries import body_of

pytest_plugins = ["tests.support.server_fixtures", "tests.support.webhook_fixtures"]

MANAGE = """
import os, sys
from django.conf import settings
database = {"ENGINE": "django.db.backends.sqlite3", "NAME": "shop.db"}
if socket := os.environ.get("SOCKET"):
    database = {"ENGINE": "django.db.backends.postgresql", "NAME": "postgres", "USER": "postgres", "HOST": socket}
settings.configure(
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "interactor_ext.webhooks.django"],
    DATABASES={"default": database},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
)
from django.core.management import execute_from_command_line
execute_from_command_line(sys.argv)
"""
# Its models can be imported after django.setup() alone. The handler of "bad" events fails until a file is there.
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
    def __init__(self, folder: Path, **env: str) -> None:
        needs(["django"])
        self.folder, self.env = folder, {**os.environ, "PYTHONPATH": str(ROOT), **env}
        (folder / "manage.py").write_text(MANAGE)
        (folder / "shop.py").write_text(SHOP)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        output = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        command = [sys.executable, "manage.py", *arguments]
        return subprocess.Popen(command, cwd=self.folder, env=self.env, text=True, **output)

    def manage(self, *arguments: str, status: int = 0) -> str:
        """The output of a command."""
        return self.end(self.start(*arguments), status)

    def end(self, process: subprocess.Popen[str], status: int = 0) -> str:
        try:
            printed, _ = process.communicate(timeout=PATIENCE)
        finally:
            process.kill()
        assert process.returncode == status, printed
        return printed

    def work(self, queue: SQLiteEventQueue, *, users: list[str], dead: int) -> str:
        """Run the worker until these users and as many dead letters are there, end it by SIGTERM; returns its log."""
        worker = self.start("interactor_webhooks", "work", "shop:worker", "--concurrency=1")
        eventually(
            lambda: worker.poll() is not None or (self.users() == users and len(queue.dead_letters()) == dead),
            "users and dead letters",
        )
        worker.send_signal(signal.SIGTERM)
        return self.end(worker)

    def users(self) -> list[str]:
        return self.select("SELECT username FROM auth_user ORDER BY username")

    def select(self, statement: str) -> list[str]:
        with closing(sqlite3.connect(self.folder / "shop.db", timeout=PATIENCE)) as database:
            return [first for (first,) in database.execute(statement)]


@pytest.mark.skipif(sys.platform == "win32", reason="the worker is ended by SIGTERM")
def test_manage_works_lists_and_replays_the_events_of_a_queue(tmp_path: Path, queue: SQLiteEventQueue) -> None:
    project = Project(tmp_path)
    project.manage("migrate", "--verbosity=0")
    assert project.manage("interactor_webhooks", "check", "shop:router") == "Ready.\n"
    for key in ("good", "bad1", "bad2"):
        queue.put(f"shop:{key}", body_of("room.message.created", key))
    assert "LookupError: no such customer" in project.work(queue, users=["good"], dead=2)
    shown = project.manage("interactor_webhooks", "dead", "shop:router")
    assert re.findall(r"^shop:(\w+) room.message.created, 1 attempts", shown, re.MULTILINE) == ["bad1", "bad2"]
    assert shown.endswith("  LookupError: no such customer\n2 dead letters.\n")
    unknown = project.manage("interactor_webhooks", "replay", "shop:router", "shop:nope", status=1)
    assert unknown == "CommandError: No dead letter of this router has the key 'shop:nope'.\n"
    (tmp_path / "mended").touch()
    assert project.manage("interactor_webhooks", "replay", "shop:router", "--all") == "2 dead letters replayed.\n"
    project.work(queue, users=["bad1", "bad2", "good"], dead=0)


@pytest.mark.full
def test_migration_makes_the_table_of_the_store_and_can_be_undone(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.manage("migrate", "--verbosity=0")
    table = "SELECT sql FROM sqlite_master WHERE tbl_name = 'interactor_webhook_claims' AND sql <> ''"
    expected = [each for each in schema_statements("sqlite") if "interactor_webhook_claims" in each]
    made = [" ".join(statement.split()) for statement in project.select(table)]
    assert made == [" ".join(each.replace(" IF NOT EXISTS", "").split()).rstrip(";") for each in expected]
    assert "No changes detected" in project.manage("makemigrations", "--check", "interactor_webhooks")
    project.manage("migrate", "interactor_webhooks", "zero", "--verbosity=0")
    assert project.select(table) == []


@pytest.mark.full
def test_migration_makes_the_table_of_the_store_in_postgresql(tmp_path: Path, postgres: PostgresServer) -> None:
    project = Project(tmp_path, SOCKET=postgres.folder)
    project.manage("migrate", "--verbosity=0")
    with PostgresEventStore(postgres.dsn) as store:
        assert store.claim("key", "token", 1) == ClaimState.CLAIMED
    project.manage("migrate", "interactor_webhooks", "zero", "--verbosity=0")
    assert postgres.run("SELECT FROM pg_class WHERE relname LIKE 'interactor%'") == []
