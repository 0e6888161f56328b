"""WebhookRouter in applications as people write them: middleware that has read the body, and no logging configured."""

from __future__ import annotations

import asyncio
import itertools
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from interactor_ext import ConfigurationError
from interactor_ext.webhooks import PostgresEventQueue, PostgresEventStore, SQLiteEventQueue, SQLiteEventStore
from tests.support.clock import Clock
from tests.support.postgres_server import PostgresServer
from tests.support.served import GUNICORN, UVICORN, Served, needs
from tests.support.webhook_deliveries import delivery
from tests.support.webhook_routers import make

pytest_plugins = ["tests.support.server_fixtures"]

PATH = "/webhooks/interactor"
ROUTER = """
from interactor_ext.webhooks import MemoryEventStore, WebhookRouter, WebhookVerifier
router = WebhookRouter(WebhookVerifier("whsec_5f1d3c"), MemoryEventStore())

@router.on("*")
def handle(event):
    print("handled", event.id, flush=True)

@router.on("room.message.created")
def fail(event):
    raise LookupError("no such customer")
"""
# Each reads the whole body before the route does.
READERS = {
    "dependency": """
async def read(request: Request):
    assert await request.body()

app = FastAPI(dependencies=[Depends(read)])
""",
    "dependency that parses": """
async def read(request: Request):
    assert await request.json()

app = FastAPI(dependencies=[Depends(read)])
""",
    "middleware": """
app = FastAPI()

@app.middleware("http")
async def read(request, call_next):
    assert await request.body()
    return await call_next(request)
""",
}
FASTAPI = """
from fastapi import Depends, FastAPI, Request
{reader}
app.include_router(router.fastapi(), prefix="/webhooks/interactor")
"""
SENTRY = """
from application import router
import sentry_sdk
sentry_sdk.init(dsn="http://key@127.0.0.1:9/1")
""" + FASTAPI.format(reader="app = FastAPI()")


@contextmanager
def serving(folder: Path, command: list[str], code: str, **env: str) -> Iterator[Served]:
    (folder / "application.py").write_text(ROUTER)
    (folder / "server.py").write_text(code)
    with closing(Served([*command, "server:app"], env, folder)) as served:
        served.wait_until_it_answers(PATH)
        yield served


def deliver(served: Served, event: str, key: str, path: str = PATH) -> httpx.Response:
    body, headers = delivery(event, key)
    return httpx.post(served.origin + path, content=body, headers=headers, timeout=60)


@pytest.mark.parametrize("reader", READERS)
async def test_fastapi_route_takes_a_body_that_was_read_before(reader: str) -> None:
    needs(["fastapi"])
    names: dict[str, Any] = {"router": make()}
    names["router"].on("*")(print)
    exec(FASTAPI.format(reader=READERS[reader]), names)
    body, headers = delivery()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(names["app"]), base_url="http://shop") as platform:
        answer = await platform.post(PATH, content=body, headers=headers)
    assert answer.json() == {"status": "handled"}


def test_fastapi_route_takes_a_body_that_sentry_has_read_before(tmp_path: Path) -> None:
    needs(["fastapi", "sentry_sdk"])
    with serving(tmp_path, UVICORN, SENTRY) as served:
        assert deliver(served, "credential.connected", "read").json() == {"status": "handled"}
    assert "handled evt_read" in served.printed()


async def test_body_that_never_comes_is_answered_and_logged_as_an_error(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As under a middleware that has drained `receive`, which then waits for the connection to end."""
    monkeypatch.setattr("interactor_ext.webhooks.asgi._BODY_SECONDS", 0.05)
    sent: list[Any] = []

    async def receive() -> Any:
        await asyncio.Event().wait()

    async def send(message: Any) -> None:
        sent.append(message)

    await make().asgi({"type": "http", "method": "POST", "headers": []}, receive, send)
    assert sent[0]["status"] == 400
    (record,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert "A middleware that reads it must pass it on" in record.getMessage()


# Each has read the body before the view runs.
FLASK_HOOKS = {
    "nothing": "",
    "get_data": "app.before_request(lambda: request.get_data() and None)",
    "get_json": "app.before_request(lambda: request.get_json() and None)",
}


@pytest.mark.parametrize("hook", FLASK_HOOKS)
def test_flask_blueprint_takes_a_body_that_was_read_before(hook: str) -> None:
    needs(["flask"])
    from flask import Flask, request

    app, handled = Flask(__name__), list[str]()
    exec(FLASK_HOOKS[hook], {"app": app, "request": request})
    for path in ("/shop", "/billing"):
        router = make()
        router.on("*")(lambda event, path=path: handled.append(path))
        app.register_blueprint(router.flask(path))
    body, headers = delivery()
    for path in ("/shop", "/billing"):
        answer = app.test_client().post(path, data=body, headers=headers)
        assert (answer.status_code, answer.json) == (200, {"status": "handled"})
    assert handled == ["/shop", "/billing"]


APPLICATIONS = {
    "FastAPI": (["fastapi"], UVICORN, "from application import router" + FASTAPI.format(reader="app = FastAPI()")),
    "ASGI": (["uvicorn"], UVICORN, "from application import router\napp = router.asgi"),
    "Flask": (
        ["flask", "gunicorn"],
        GUNICORN,
        """
from application import router
from flask import Flask
app = Flask(__name__)
app.register_blueprint(router.flask("/webhooks/interactor"))
""",
    ),
    "Django": (
        ["django", "gunicorn"],
        GUNICORN,
        """
from django.conf import settings
settings.configure(ROOT_URLCONF="server", ALLOWED_HOSTS=["*"], SECRET_KEY="x")
from django.core.wsgi import get_wsgi_application
from django.urls import path
from application import router
from interactor_ext.webhooks.django import webhook_view
urlpatterns = [path("webhooks/interactor", webhook_view(router))]
app = get_wsgi_application()
""",
    ),
}


@pytest.mark.parametrize("framework", APPLICATIONS)
def test_failing_handler_prints_its_traceback_without_any_logging_configured(tmp_path: Path, framework: str) -> None:
    packages, command, code = APPLICATIONS[framework]
    needs(packages)
    with serving(tmp_path, command, code) as served:
        assert deliver(served, "room.message.created", "failing").status_code == 500
    printed = served.printed()
    assert "Traceback (most recent call last)" in printed
    assert "LookupError: no such customer" in printed


def printed_by(code: str, *arguments: str) -> str:
    """What a program that configures no logging writes to stderr."""
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True, timeout=120
    )
    return done.stderr


DELIVERY = """
import logging
from interactor_ext.webhooks import *
from tests.support.webhook_deliveries import SECRET, delivery
def deliver(**options):
    router = WebhookRouter(WebhookVerifier(SECRET), **options)
    router.on("*")(lambda event: None)
    print(router.handle(*delivery()).status)
"""


@pytest.mark.parametrize(
    ("use", "reason"),
    [
        ("deliver(store=SQLiteEventStore('/nowhere/events.db'), name='shop')", "unable to open database file"),
        ("deliver(queue=SQLiteEventQueue('/nowhere/events.db'), name='shop')", "unable to open database file"),
        (
            "def send(body): raise ImportError('No module named kombu')\ndeliver(hand_over=send)",
            "No module named kombu",
        ),
    ],
    ids=["store", "queue", "hand over"],
)
def test_store_out_of_reach_prints_its_traceback_without_any_logging_configured(use: str, reason: str) -> None:
    printed = printed_by(DELIVERY + use)
    assert printed.startswith("Webhook event ")
    assert "Traceback (most recent call last)" in printed
    assert reason in printed


@pytest.mark.parametrize(
    "setting", ["logging.basicConfig(filename='/dev/null')", "LOGGER.addHandler(logging.NullHandler())"]
)
def test_application_with_a_handler_gets_errors_there_and_nothing_on_stderr(setting: str) -> None:
    setting = setting.replace("LOGGER", "logging.getLogger('interactor')")
    assert printed_by(f"{DELIVERY}{setting}\ndeliver(store=SQLiteEventStore('/nowhere/events.db'), name='shop')") == ""


DJANGO = """
from django.conf import settings
settings.configure(
    ROOT_URLCONF="server", ALLOWED_HOSTS=["*"], SECRET_KEY="x",
    DATABASES={{"default": {{"ENGINE": "django.db.backends.sqlite3", "NAME": "orders.db", "ATOMIC_REQUESTS": True}}}},
)
import django
django.setup()
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.db import connection
from django.urls import path
from interactor_ext.webhooks import SQLiteEventStore, WebhookRouter, WebhookVerifier
from interactor_ext.webhooks.django import awebhook_view, webhook_view

router = WebhookRouter(WebhookVerifier("whsec_5f1d3c"), SQLiteEventStore("events.db"), name="shop")
seen = set()

@router.on("*")
def order(event):
    what, first = event.id.partition("/")[0], event.id not in seen
    seen.add(event.id)
    # The database checks the reference at the COMMIT.
    shop = "nobody's" if first and what == "evt_commit" else "ours"
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO orders VALUES (%s)", [shop])
    if first and what == "evt_raises":
        raise LookupError("after its effect")

urlpatterns = [path("webhooks/interactor", webhook_view(router)), path("async", awebhook_view(router))]
app = {application}()
"""


@pytest.mark.parametrize(
    ("command", "application", "paths"),
    [(GUNICORN, "get_wsgi_application", [PATH]), (UVICORN, "get_asgi_application", [PATH, "/async"])],
    ids=["WSGI", "ASGI"],
)
def test_handler_under_atomic_requests_commits_before_the_event_is_handled_and_rolls_back_alone(
    tmp_path: Path, command: list[str], application: str, paths: list[str]
) -> None:
    needs(["django", "gunicorn"])
    with closing(sqlite3.connect(tmp_path / "orders.db")) as database, database:
        database.execute("CREATE TABLE shop (id TEXT PRIMARY KEY)")
        database.execute("CREATE TABLE orders (id TEXT REFERENCES shop (id) DEFERRABLE INITIALLY DEFERRED)")
        database.execute("INSERT INTO shop VALUES ('ours')")
    with serving(tmp_path, command, DJANGO.format(application=application)) as served:
        for path, what in itertools.product(paths, ("commit", "raises")):
            answers = [deliver(served, "room.message.created", f"{what}{path}", path) for _ in range(3)]
            assert answers[0].status_code == 500, served.printed()
            assert [answer.json()["status"] for answer in answers[1:]] == ["handled", "duplicate"]
    with closing(sqlite3.connect(tmp_path / "orders.db")) as database:
        assert database.execute("SELECT id FROM orders").fetchall() == [("ours",)] * 2 * len(paths)


TWO_DATABASES = """
from django.conf import settings
sqlite = {"ENGINE": "django.db.backends.sqlite3", "ATOMIC_REQUESTS": True}
other = sqlite | {"NAME": "/nowhere/other.db"}
settings.configure(DATABASES={"default": sqlite | {"NAME": ":memory:"}, "other": other})
import django
django.setup()
from django.db import OperationalError, connection
from interactor_ext.webhooks.django import HandlerScope
try:
    with HandlerScope():
        raise AssertionError("it was entered")
except OperationalError:
    assert not connection.in_atomic_block
"""


def test_transaction_is_left_where_another_database_cannot_be_reached() -> None:
    needs(["django"])
    assert printed_by(TWO_DATABASES) == ""


CONNECTIONS = """
import asyncio, sys
from django.conf import settings
settings.configure(DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": sys.argv[1]}})
import django
django.setup()
from asgiref.sync import sync_to_async
from django.db import connection
from interactor_ext.webhooks.django import HandlerScope

def connect():
    assert connection.connection is None
    connection.ensure_connection()

def handle():
    with HandlerScope(atomic=False):
        connect()
    connect()  # as code outside of requests does, which leaves it open
    with HandlerScope(atomic=False):
        connect()
    assert connection.connection is None

async def ahandle():
    async with HandlerScope():
        await sync_to_async(connect)()
    await sync_to_async(connect)()
    async with HandlerScope():
        await sync_to_async(connect)()
    await sync_to_async(connect)()

handle()
asyncio.run(ahandle())
"""


def test_outdated_connections_of_django_are_closed_before_and_after_each_handler(tmp_path: Path) -> None:
    needs(["django"])
    assert printed_by(CONNECTIONS, str(tmp_path / "shop.db")) == ""


ON_POSTGRESQL = """
import asyncio, sys
from django.conf import settings
settings.configure(
    ROOT_URLCONF="__main__", ALLOWED_HOSTS=["*"], SECRET_KEY="x", INSTALLED_APPS=["interactor_ext.webhooks.django"],
    DATABASES={"default": {
        "ENGINE": "django.db.backends.postgresql", "NAME": "postgres", "USER": "postgres", "HOST": sys.argv[1],
        "CONN_MAX_AGE": None, "PORT": (sys.argv + [""])[2], "DISABLE_SERVER_SIDE_CURSORS": len(sys.argv) > 2,
    }},
)
import django
django.setup()
from django.db import connection
from interactor_ext.webhooks.django import HandlerScope, webhook_view
"""
IN_TESTS = """
import gc, os
from unittest.mock import patch
from asgiref.sync import async_to_sync, sync_to_async
from django.core.wsgi import get_wsgi_application
from django.db import transaction
from django.test import TestCase
from django.test.runner import DiscoverRunner
from django.urls import path
from interactor_ext import get_async_client, reset_clients
from interactor_ext.relay import Relay
from interactor_ext.relay.django import relay_view
from interactor_ext.sandbox import Sandbox
from interactor_ext.testing import WebhookFactory
from interactor_ext.webhooks import MemoryEventStore, WebhookRouter, WebhookVerifier
from tests.support.waiting import eventually

router, forgetful = (WebhookRouter(WebhookVerifier("whsec_5f1d3c"), MemoryEventStore()) for _ in range(2))

def save(event, connection):
    connection.cursor().execute("INSERT INTO orders VALUES ('ours')")

def count():
    cursor = connection.cursor()
    cursor.execute("SELECT count(*) FROM orders")
    return cursor.fetchone()

async def acount(event):
    assert await sync_to_async(count)() == (1,)

for each in (router, forgetful):
    each.on("*", once=transaction.atomic)(save)
    each.on("*")(acount)
urlpatterns = [path(each, webhook_view(router)) for each in ("a", "a/healthz")] + [path("b", webhook_view(forgetful))]

async def authorize(request):
    return f"org_{(await sync_to_async(count)())[0]}"

relay = Relay(get_async_client, authorize=authorize, around=HandlerScope, grace=0)
urlpatterns += [path("relay/<path:path>", relay_view(relay))]

class Receiver(TestCase):
    def test_webhooks(self):  # after the relay: in this thread, asgiref finds its way from now on
        connection.cursor().execute("CREATE TABLE orders (id text)")
        delivery = WebhookFactory("whsec_5f1d3c")("credential.expired")
        for path, status in (("/a", "handled"), ("/a", "duplicate"), ("/b", "handled")):
            posted = self.client.post(path, delivery.body, "application/json", headers=delivery.headers)
            self.assertEqual(posted.json(), {"status": status})
        self.assertEqual(delivery.send(get_wsgi_application(), "/b").status, 200)
        self.assertEqual(count(), (1,))
        self.assertEqual(self.client.get("/a/healthz").json(), {"status": "ok", "left_behind": 0})

    def test_relay(self):
        sandbox = self.enterContext(Sandbox().run())
        self.enterContext(patch.dict(os.environ, sandbox.env))
        self.addCleanup(reset_clients)
        connection.cursor().execute("CREATE TABLE orders (id text)")
        own, foreign = {"origin": "http://testserver"}, {"origin": "http://shop"}
        for headers, secure, status in ((own, False, 422), (own, True, 403), (foreign, False, 403), ({}, False, 403)):
            posted = self.client.post("/relay/rooms", {}, "application/json", headers=headers, secure=secure)
            self.assertEqual(posted.status_code, status)
        self.assertEqual(self.client.get("/relay/rooms").json()["data"], [])
        self.assertEqual(sandbox.requests[-1].namespace, "org_0")
        user = sandbox.client(namespace="org_0")
        bot = user.assistants.create(name="Support", model="gpt-4", system_prompt="You help.")
        path = f"/relay/rooms/{user.rooms.create(bot.id).id}/stream"
        for ask in self.client.get, async_to_sync(self.async_client.get):
            dropped = ask(path)  # as Django does if the browser has left or a middleware fails
            self.assertEqual(dropped.headers["Content-Encoding"], "identity")
            eventually(lambda: sandbox.open_streams == 1)
            del dropped
            eventually(lambda: gc.collect() >= 0 and sandbox.open_streams == 0)

sys.exit(DiscoverRunner(verbosity=0).run_tests(["__main__.Receiver"]))
"""
WITHOUT_CONNECTIONS = """
import psycopg

def end_connections():
    with psycopg.connect(host=sys.argv[1], user="postgres", dbname="postgres", autocommit=True) as database:
        database.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename IS NOT NULL "
                         "AND pid <> pg_backend_pid()")
"""
HAND_OVER_OF_DJANGO = """
from django.test import Client
from django.urls import path
from interactor_ext.testing import WebhookFactory
from interactor_ext.webhooks import WebhookRouter, WebhookVerifier

def hand_over(body):
    connection.cursor().execute("SELECT 1")

class Inbox:
    def put(self, key, body):
        connection.cursor().execute("SELECT 1")

verifier = WebhookVerifier("whsec_5f1d3c")
routers = {"a": WebhookRouter(verifier, hand_over=hand_over), "b": WebhookRouter(verifier, queue=Inbox())}
urlpatterns = [path(each, webhook_view(router)) for each, router in routers.items()]
delivery = WebhookFactory("whsec_5f1d3c")("credential.expired")

def post():
    return [
        Client().post(f"/{each}", delivery.body, "application/json", headers=delivery.headers).status_code
        for each in routers
    ]

import logging
logging.disable()
assert post() == [200, 200]
end_connections()
post()  # finds out that the connections have ended
assert post() == [200, 200]
"""
RELAY_OF_DJANGO = """
import httpx
from interactor_ext.relay import Relay

def authorize(scope):
    connection.cursor().execute("SELECT 1")

async def main():
    relay = Relay(lambda: None, authorize=authorize, around=HandlerScope)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(relay), base_url="http://shop") as browser:
        async def ask():
            return (await browser.get("/rooms")).status_code
        assert await ask() == 401
        end_connections()
        await ask()  # finds out that the connection has ended
        assert await ask() == 401

import logging
logging.disable()
asyncio.run(main())
"""
TOOL_UNDER_ASGI = """
import asyncio, httpx, sys
from asgiref.sync import sync_to_async
from django.conf import settings
settings.configure(ROOT_URLCONF="__main__", ALLOWED_HOSTS=["*"], SECRET_KEY="x")
from django.core.asgi import get_asgi_application
from django.urls import path
from interactor_ext import ToolSet
from interactor_ext.relay import Relay
from interactor_ext.relay.django import relay_view
from interactor_ext.sandbox import Sandbox
from interactor_ext.webhooks.django import HandlerScope

tools = ToolSet()

@tools.tool(approval=True)
async def refund(order: str) -> str:
    "Pays a customer back."
    return await sync_to_async(str.upper)(order)

async def approve(path):
    app = httpx.ASGITransport(get_asgi_application())
    async with httpx.AsyncClient(transport=app, base_url="http://shop", headers={"origin": "http://shop"}) as browser:
        await browser.post(f"{path}/messages", json={"content": '/tool refund {"order": "o_1"}'})
        while not (waiting := (await browser.get(f"{path}/approvals")).json()["data"]):
            await asyncio.sleep(0.01)
        decision = {"decision": "approve", "digest": waiting[0]["digest"]}
        return await browser.post(f"{path}/approvals/{waiting[0]['id']}", json=decision, timeout=60)

with Sandbox().run() as sandbox, sandbox.client(namespace="user_1") as user:
    relay = Relay(sandbox.async_client(), authorize=lambda request: "user_1", approvals=lambda *_: "Carol", tools=tools,
                  around=HandlerScope, answer_timeout=30, reads_per_minute=10**6)
    urlpatterns = [path("relay/<path:path>", relay_view(relay))]
    registered = [tool.id for tool in tools.register(user)]
    bot = user.assistants.create(name="Support", model="gpt-4", system_prompt="You help.", tools=registered)
    room = user.rooms.create(bot.id)
    decided = asyncio.run(approve(f"/relay/rooms/{room.id}"))
    sys.stderr.write(f"{decided.status_code} {user.messages.list(room.id).data[2].content}")
"""
BEHIND_A_POOLER = """
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from django.core.management import call_command
from django.db import transaction
from django.db.migrations.recorder import MigrationRecorder
from interactor_ext.webhooks import MemoryEventStore, WebhookRouter, WebhookVerifier
from tests.support.webhook_deliveries import SECRET, delivery

call_command("migrate", verbosity=0)
Row = MigrationRecorder.Migration
began = Row.objects.count()

def save(event):
    Row.objects.create(app="shop", name=event.id)

def deliver(number):
    router = WebhookRouter(WebhookVerifier(SECRET), MemoryEventStore())  # which forgets
    router.on("*", once=transaction.atomic)(save)
    status = router.handle(*delivery(key=f"k{number % 50}")).status
    assert len(list(Row.objects.iterator(chunk_size=2))) > began
    return status

with ThreadPoolExecutor(6) as pool:
    assert Counter(pool.map(deliver, range(100))) == {200: 100}
assert Row.objects.count() == began + 50
"""


def test_deliveries_and_a_relay_in_a_test_case_of_django_run_in_its_transaction(postgres: PostgresServer) -> None:
    needs(["django", "psycopg"])
    assert printed_by(ON_POSTGRESQL + IN_TESTS, postgres.folder).endswith("OK\n")


@pytest.mark.full
def test_django_behind_a_pooler_of_transactions_handles_each_event_once(postgres: PostgresServer) -> None:
    needs(["django", "psycopg"])
    with postgres.pooler():
        assert printed_by(ON_POSTGRESQL + BEHIND_A_POOLER, postgres.folder, "6432") == ""
    postgres.run("DROP TABLE django_migrations")


@pytest.mark.parametrize("program", [RELAY_OF_DJANGO, HAND_OVER_OF_DJANGO], ids=["relay", "hand_over"])
def test_functions_in_threads_of_django_outlive_the_end_of_their_connections(
    postgres: PostgresServer, program: str
) -> None:
    needs(["django", "psycopg"])
    assert printed_by(ON_POSTGRESQL + WITHOUT_CONNECTIONS + program, postgres.folder) == ""


def test_async_tool_that_a_person_approves_in_django_does_not_wait_for_the_thread_of_the_request() -> None:
    needs(["django"])
    assert printed_by(TOOL_UNDER_ASGI) == '200 "O_1"'


POOLED = """
import os
from django.conf import settings
settings.configure(
    ROOT_URLCONF="server", ALLOWED_HOSTS=["*"], SECRET_KEY="x",
    DATABASES={"default": {
        "ENGINE": "django.db.backends.postgresql", "NAME": "postgres", "USER": "postgres", "HOST": os.environ["SOCKET"],
        "CONN_MAX_AGE": None, "CONN_HEALTH_CHECKS": bool(os.environ["CHECKS"]),
    }},
)
import django
django.setup()
from django.core.asgi import get_asgi_application
from django.db import connection
from django.urls import path
from interactor_ext.webhooks import SQLiteEventStore, WebhookRouter, WebhookVerifier
from interactor_ext.webhooks.django import awebhook_view

router = WebhookRouter(WebhookVerifier("whsec_5f1d3c"), SQLiteEventStore("events.db"), name="shop")

@router.on("*")
def select(event):
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")

urlpatterns = [path("webhooks/interactor", awebhook_view(router))]
app = get_asgi_application()
"""


@pytest.mark.full
@pytest.mark.parametrize(("checks", "statuses"), [("", [500, 200]), ("yes", [200, 200])])
def test_handlers_in_threads_of_the_router_outlive_a_restart_of_the_database(
    tmp_path: Path, postgres: PostgresServer, checks: str, statuses: list[int]
) -> None:
    needs(["django", "psycopg"])
    with serving(tmp_path, UVICORN, POOLED, SOCKET=postgres.folder, CHECKS=checks) as served:
        assert deliver(served, "room.message.created", "before").json() == {"status": "handled"}
        postgres.kill()
        postgres.start()
        # Without the checks, the first attempt of a thread finds out that its connection has ended.
        assert [deliver(served, "room.message.created", "after").status_code for _ in range(2)] == statuses


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize(
    ("options", "problems"),
    [
        ({}, ["It has no handlers"]),
        ({"store": SQLiteEventStore("/nowhere/events.db"), "name": "shop"}, ["has no handlers", "store can't be used"]),
        ({"queue": SQLiteEventQueue("/nowhere/events.db")}, ["Its queue can't be used: unable to open"]),
    ],
    ids=["memory", "store", "queue"],
)
def test_check_names_all_that_is_wrong_before_the_first_delivery(
    options: dict[str, Any], problems: list[str], is_async: bool
) -> None:
    router = make(**options)
    with pytest.raises(ConfigurationError) as raised:
        asyncio.run(router.acheck()) if is_async else router.check()
    assert all(problem in str(raised.value) for problem in problems)


def test_check_of_a_postgres_store_names_the_missing_table(postgres: PostgresServer) -> None:
    with PostgresEventStore(postgres.dsn) as store:
        router = make(store, name="shop")
        router.on("*")(print)
        with pytest.raises(ConfigurationError, match=r"Call `create\(\)`"):
            router.check()
        store.create()
        router.check()
        assert postgres.run("SELECT key FROM interactor_webhook_claims") == []


BROKEN = "ALTER TABLE {} RENAME COLUMN {} TO other"
READ_ONLY = "ALTER ROLE postgres SET default_transaction_read_only = {}"


@pytest.mark.parametrize("kind", [SQLiteEventStore, SQLiteEventQueue, PostgresEventStore, PostgresEventQueue])
def test_check_writes_what_a_delivery_would_write_and_takes_it_back(
    kind: Any, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    table, column = ("queue", "since") if "Queue" in kind.__name__ else ("claims", "token")
    table = f"interactor_webhook_{table}"
    in_postgres = "Postgres" in kind.__name__
    server: Any = request.getfixturevalue("postgres") if in_postgres else None
    run = server.run if in_postgres else partial(rows_of, tmp_path / "events.db")
    with kind(server.dsn if in_postgres else tmp_path / "events.db") as shared:
        if in_postgres:
            shared.create()
        router = make(**{"queue" if "Queue" in kind.__name__ else "store": shared}, name="shop")
        router.on("*")(print)
        router.check()
        assert run(f"SELECT * FROM {table}") == []
        if in_postgres:
            server.run(READ_ONLY.format("on"))
            shared.close()
            with pytest.raises(ConfigurationError, match="read-only"):
                router.check()
            with psycopg_of(server) as connection:
                connection.execute("SET default_transaction_read_only = off")
                connection.execute(READ_ONLY.format("off"))
            shared.close()
        run(BROKEN.format(table, column))
        with pytest.raises(ConfigurationError, match=column):
            router.check()
        assert router.handle(*delivery()).status == 503


def rows_of(path: Path, statement: str) -> list[Any]:
    with closing(sqlite3.connect(path)) as connection, connection:
        return connection.execute(statement).fetchall()


def psycopg_of(server: Any) -> Any:
    import psycopg

    return psycopg.connect(server.dsn, autocommit=True)


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_check_warns_of_events_under_names_that_nobody_serves(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    clock = Clock()
    with ExitStack() as stack:
        if kind == "sqlite":
            queue: Any = stack.enter_context(SQLiteEventQueue(tmp_path / "queue.db", clock=clock))
        else:
            server = request.getfixturevalue("postgres")
            queue = stack.enter_context(PostgresEventQueue(server.dsn))
            queue.create()
        for key in ("idem_1", "old:a", "old:b", "shop:a"):
            queue.put(key, b"{}")
        clock.now += 100
        if kind == "postgres":
            server.run("UPDATE interactor_webhook_queue SET at = at - interval '100 s'")
        queue.put("billing:new", b"{}")
        router = make(queue=queue, name="shop")
        with pytest.warns(UserWarning, match="no worker takes them") as caught:
            router.check()
    said = sorted(str(each.message) for each in caught)
    assert [each.partition(" have been due")[0] for each in said] == [
        "Webhook events of a router without a name",
        "Webhook events of the service 'old'",
    ]
    assert "(2), and no worker takes them" in said[1]
    assert said[1].endswith("interactor webhooks rename MODULE:ROUTER 'old'")
    assert {each.filename for each in caught} == {__file__}


def test_check_of_a_router_that_is_ready_passes(tmp_path: Path) -> None:
    with SQLiteEventStore(tmp_path / "events.db") as store:
        router = make(store, name="shop")
        router.on("*")(print)
        router.check()
    make(hand_over=print).check()
