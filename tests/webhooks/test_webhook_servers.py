"""One small receiver in the servers that people run: several processes, forked from one that has used the router."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from tests.support.served import GUNICORN, HYPERCORN, UVICORN, Served, needs
from tests.support.waiting import PATIENCE, eventually
from tests.support.webhook_deliveries import delivery

pytestmark = pytest.mark.full  # starts each server as a process

PATH = "/webhooks/interactor"
# Its first delivery starts threads, an event loop and a connection, in the process that some servers fork.
APPLICATION = """
import asyncio, json, os, time
from pathlib import Path
from interactor_ext.webhooks import SQLiteEventStore, WebhookRouter, WebhookVerifier
from tests.support.webhook_deliveries import SECRET, delivery

limits = json.loads(os.environ.get("LIMITS", "{}"))
router = WebhookRouter(WebhookVerifier(SECRET), SQLiteEventStore("events.db"), name="shop", **limits)

@router.on("custom.long")
def long(event):
    print("began", flush=True)
    while not Path("go").exists():
        time.sleep(0.02)

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


# How each is told to wait a second for deliveries when it stops, and what its log then says.
STOPPED = {
    "uvicorn": (
        [*UVICORN, "application:asgi"],
        ["--timeout-graceful-shutdown", "1"],
        "Cancel 1 running task(s), timeout graceful shutdown exceeded",
    ),
    "gunicorn, gthread": (
        [*GUNICORN, "--worker-class", "gthread", "application:wsgi"],
        ["--graceful-timeout", "1"],
        "",  # its worker says that it exits, unless the master kills it, after the same second
    ),
    "gunicorn, asgi": (
        [*GUNICORN, "--worker-class", "asgi", "application:asgi"],
        ["--graceful-timeout", "1"],
        None,
    ),
}


@pytest.mark.parametrize("is_cut_off", [False, True])
@pytest.mark.parametrize("name", STOPPED)
def test_server_that_stops_waits_for_a_delivery_or_leaves_it_to_another_attempt(
    name: str, tmp_path: Path, *, is_cut_off: bool
) -> None:
    needs([name.partition(",")[0]])
    command, limit, logged = STOPPED[name]
    (tmp_path / "application.py").write_text(APPLICATION)
    body, headers = delivery("custom.long", "long")

    def deliver() -> int:
        return httpx.post(served.origin + PATH, content=body, headers=headers, timeout=PATIENCE).status_code

    # The lease is also the time of a handler under ASGI, which would be over before the server's.
    limits = {"LIMITS": '{"lease": 2, "handler_timeout": 600}'}
    served = Served([*command, *(limit if is_cut_off else [])], limits, tmp_path)
    served.wait_until_it_answers(PATH)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(deliver)
        eventually(lambda: "began" in served.printed())
        served.process.terminate()
        if not is_cut_off:
            with pytest.raises(subprocess.TimeoutExpired):
                served.process.wait(1)
            (tmp_path / "go").touch()
            assert answer.result() == 200
        served.process.wait(PATIENCE)
        assert not is_cut_off or answer.exception() is not None or answer.result() >= 500
    if is_cut_off:
        # gunicorn's own workers say when they end, unless they are killed.
        assert (("Worker exiting" if logged is None else logged) in served.printed()) == (logged is not None)
        (tmp_path / "go").touch()
        with closing(Served(command, limits, tmp_path)) as served:
            served.wait_until_it_answers(PATH)
            eventually(lambda: deliver() == 200)
