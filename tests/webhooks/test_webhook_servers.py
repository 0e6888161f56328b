"""One small receiver in the servers that people run: several processes, forked from one that has used the router."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from tests.support.served import GUNICORN, HYPERCORN, UVICORN, Served, needs
from tests.support.webhook_deliveries import delivery

pytestmark = pytest.mark.full  # starts each server as a process

PATH = "/webhooks/interactor"
# Its first delivery starts threads, an event loop and a connection, in the process that some servers fork.
APPLICATION = """
import asyncio
from interactor_ext.webhooks import SQLiteEventStore, WebhookRouter, WebhookVerifier
from tests.support.webhook_deliveries import SECRET, delivery

router = WebhookRouter(WebhookVerifier(SECRET), SQLiteEventStore("events.db"), name="shop")

@router.on("room.*")
def handle(event):
    print(f"handled {event.idempotency_key}\\n", end="", flush=True)

@router.on("credential.*")
async def ahandle(event):
    await asyncio.sleep(0)
    handle(event)

@router.on("workflow.*")
def fail(event):
    raise LookupError("no such customer")

router.check()
router.handle(*delivery("credential.connected", "before the fork"))
asgi, wsgi = router.asgi, router.wsgi
"""
# Sentry, and a hook that reads the body before.
QUART = """
import sentry_sdk
from application import router
from quart import Quart, request

sentry_sdk.init(dsn="http://key@127.0.0.1:9/1", shutdown_timeout=0)
app = Quart(__name__)

@app.before_request
async def read():
    assert await request.get_data()

@app.post("/webhooks/interactor")
async def receive():
    answer = await router.ahandle(await request.get_data(), request.headers)
    return answer.body, answer.status, answer.headers
"""
PRELOADED = [*GUNICORN, "--workers", "2", "--preload", "--worker-class"]
UWSGI = [sys.executable, "-c", "import pyuwsgi, sys; pyuwsgi.run(sys.argv[1:])", "--http-socket", "fd://{fd}"]
# The packages and the command of each.
SERVERS = {
    "uvicorn": (["uvicorn"], [*UVICORN, "--workers", "2", "application:asgi"]),
    "hypercorn": (["hypercorn"], [*HYPERCORN, "--workers", "2", "application:asgi"]),
    "hypercorn, Quart": (["hypercorn", "quart", "sentry_sdk"], [*HYPERCORN, "quart_application:app"]),
    "gunicorn, sync": (["gunicorn"], [*PRELOADED, "sync", "application:wsgi"]),
    "gunicorn, gthread": (["gunicorn"], [*PRELOADED, "gthread", "--threads", "4", "application:wsgi"]),
    "gunicorn, gevent": (["gunicorn", "gevent"], [*PRELOADED, "gevent", "application:wsgi"]),
    "gunicorn, asgi": (["gunicorn"], [*PRELOADED, "asgi", "application:asgi"]),
    "uWSGI": (
        ["pyuwsgi"],
        [*UWSGI, "--master", "--processes", "2", "--enable-threads", "--die-on-term", "--module", "application:wsgi"],
    ),
}


@pytest.fixture(params=list(SERVERS))
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Served]:
    packages, command = SERVERS[request.param]
    needs(packages)
    (tmp_path / "application.py").write_text(APPLICATION)
    (tmp_path / "quart_application.py").write_text(QUART)
    with closing(Served(command, {}, tmp_path)) as served:
        served.wait_until_it_answers(PATH)
        yield served


def test_delivery_is_handled_once_by_whichever_process_and_errors_are_printed(server: Served) -> None:
    keys = {f"idem_{number}": "room.message.created" if number % 2 else "credential.connected" for number in range(24)}
    # uWSGI closes connections without a word of it.
    client = httpx.Client(base_url=server.origin, timeout=120, headers={"Connection": "close"})
    with client, ThreadPoolExecutor(4) as pool:

        def deliver(key: str) -> int:
            body, headers = delivery(keys.get(key, "workflow.instance.halted"), key)
            return client.post(PATH, content=body, headers=headers).status_code

        for _ in range(2):
            assert Counter(pool.map(deliver, keys)) == {200: len(keys)}, server.printed()
        assert deliver("fails") == 500
    lines = server.printed().splitlines()
    assert sorted(line for line in lines if line in {f"handled {key}" for key in keys}) == sorted(
        f"handled {key}" for key in keys
    )
    assert "LookupError: no such customer" in lines
