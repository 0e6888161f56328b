"""Handlers of every kind that people write, under each framework and in a worker: they run once, or are refused."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import psycopg
import pytest

from interactor_ext.webhooks import PostgresEventQueue, PostgresEventStore
from tests.support import handler_kinds
from tests.support.postgres_server import PostgresServer
from tests.support.served import GUNICORN, UVICORN, Served, needs
from tests.support.waiting import PATIENCE, eventually
from tests.support.webhook_deliveries import delivery

pytestmark = pytest.mark.full  # starts each server as a process

pytest_plugins = ["tests.support.server_fixtures"]

ROUTER = """
import os
from interactor_ext.webhooks import PostgresEventQueue, PostgresEventStore, WebhookRouter, WebhookVerifier
from tests.support import handler_kinds
from tests.support.webhook_deliveries import SECRET

dsn = os.environ["DSN"]
given = {"queue": PostgresEventQueue(dsn)} if "QUEUE" in os.environ else {"store": PostgresEventStore(dsn)}
router = WebhookRouter(WebhookVerifier(SECRET), name="shop", around=around, **given)
"""
SQLALCHEMY = f"""
around = None
{ROUTER}
handler_kinds.application("sqlalchemy")
handler_kinds.register_all(router)

def fastapi():
    from fastapi import FastAPI
    app = FastAPI()
    app.include_router(router.fastapi(), prefix="/hook")
    return app

def flask():
    from flask import Flask
    app = Flask(__name__)
    app.register_blueprint(router.flask("/hook"))
    return app
"""
DJANGO = f"""
import os
import django
from django.conf import settings

settings.configure(
    ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], DATABASES={{"default": {{
        "ENGINE": "django.db.backends.postgresql", "NAME": "postgres", "USER": "postgres", "HOST": os.environ["PGHOST"],
    }}}},
)
django.setup()
from interactor_ext.webhooks.django import HandlerScope
around = HandlerScope if "{{view}}" == "own_view" else None  # the views of the SDK use it automatically
{ROUTER}
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from interactor_ext.webhooks.django import awebhook_view, webhook_view

handler_kinds.application("django")
handler_kinds.register_all(router)

@csrf_exempt
def own_view(request):
    answer = router.handle(request.body, request.headers)
    return HttpResponse(answer.body, status=answer.status, headers=answer.headers)

urlpatterns = [path("hook", {{view}})]
asgi, wsgi = get_asgi_application(), get_wsgi_application()
"""
VIEW, ASYNC_VIEW, OWN_VIEW = "webhook_view(router)", "awebhook_view(router)", "own_view"
WORKER = [sys.executable, "-m", "interactor_ext.webhooks.worker", "application:router"]
# The source, the packages and the command of each.
APPLICATIONS = {
    "FastAPI": (SQLALCHEMY, ["fastapi", "sqlalchemy"], [*UVICORN, "--factory", "application:fastapi"]),
    "Flask": (SQLALCHEMY, ["flask", "sqlalchemy", "fastapi"], [*GUNICORN, "application:flask()"]),
    "Django, WSGI": (DJANGO.replace("{view}", VIEW), ["django"], [*GUNICORN, "application:wsgi"]),
    "Django, ASGI": (DJANGO.replace("{view}", VIEW), ["django"], [*UVICORN, "application:asgi"]),
    "Django, async view, ASGI": (DJANGO.replace("{view}", ASYNC_VIEW), ["django"], [*UVICORN, "application:asgi"]),
    "Django, own view, ASGI": (DJANGO.replace("{view}", OWN_VIEW), ["django"], [*UVICORN, "application:asgi"]),
    "worker": (SQLALCHEMY, ["fastapi", "sqlalchemy"], WORKER),
}
ANY_KIND = [
    *("sync", "async", "lambda", "lambda around async", "partial", "async partial", "method", "async method"),
    *("callable", "async callable", "task"),
]
SQLALCHEMY_KINDS = [*ANY_KIND, "once", "async once", "claim", "async claim"]
DJANGO_KINDS = [*ANY_KIND, "once", "claim", "sync_to_async", "atomic in async"]


@pytest.fixture(params=list(APPLICATIONS))
def application(
    request: pytest.FixtureRequest, tmp_path: Path, postgres: PostgresServer
) -> Iterator[tuple[str, Served]]:
    source, packages, command = APPLICATIONS[request.param]
    needs(packages)
    PostgresEventStore(postgres.dsn).create()
    PostgresEventQueue(postgres.dsn).create()
    postgres.run("DROP TABLE IF EXISTS effects")
    postgres.run("CREATE TABLE effects (id text)")
    (tmp_path / "application.py").write_text(source)
    settings = {"DSN": postgres.dsn, "PGHOST": postgres.folder, **({"QUEUE": "1"} if command is WORKER else {})}
    with closing(Served(command, settings, tmp_path)) as served:
        if command is not WORKER:
            served.wait_until_it_answers("/hook")
        yield request.param, served


def test_handlers_of_each_kind_run_once(application: tuple[str, Served], postgres: PostgresServer) -> None:
    name, served = application
    kinds = DJANGO_KINDS if name.startswith("Django") else SQLALCHEMY_KINDS
    events = [handler_kinds.event_of(kind) for kind in kinds]
    if name == "worker":
        queue = PostgresEventQueue(postgres.dsn)
        for event in events:
            queue.put(f"shop:{event}", delivery(event, event)[0])
    else:
        with httpx.Client(base_url=served.origin, timeout=PATIENCE) as client:
            for outcome in ("handled", "duplicate"):
                for event in events:
                    body, headers = delivery(event, event)
                    answer = client.post("hook", content=body, headers=headers)
                    assert (event, answer.status_code) == (event, 200), served.printed()
                    assert answer.json() == {"status": outcome}
    with psycopg.connect(postgres.dsn, autocommit=True) as connection:

        def effects() -> list[str]:
            return sorted(row[0] for row in connection.execute("SELECT id FROM effects"))

        if name == "worker":
            eventually(lambda: len(effects()) >= len(events) or served.process.poll() is not None)
        assert effects() == sorted(events), served.printed()
