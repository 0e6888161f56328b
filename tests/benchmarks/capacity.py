"""`python -m tests.benchmarks.capacity`: what a delivery costs in each framework with each store, and what it leaves
there; into docs/how-to/capacity.md. CPU time of the server's process, as ratios to a bare route of the framework.
"""

from __future__ import annotations

import json
import os
import platform
import random
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import httpx

from interactor_ext import webhooks
from tests.support.postgres_server import postgres_server
from tests.support.redis_server import redis_server
from tests.support.served import GUNICORN, UVICORN, Served
from tests.support.webhook_deliveries import SECRET, delivery

T = TypeVar("T")

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "capacity.md"
MARK = "<!-- `python -m tests.benchmarks.capacity` writes what follows. -->\n"
BY_GUNICORN = [*GUNICORN, "--worker-class", "gthread", "--threads", "4"]
FRAMEWORKS = {
    "plain ASGI, uvicorn": [*UVICORN, f"{__package__}.capacity:asgi"],
    "FastAPI, uvicorn": [*UVICORN, "--factory", f"{__package__}.capacity:fastapi"],
    "plain WSGI, gunicorn": [*BY_GUNICORN, f"{__package__}.capacity:wsgi"],
    "Flask, gunicorn": [*BY_GUNICORN, f"{__package__}.capacity:flask()"],
    "Django, gunicorn": [*BY_GUNICORN, f"{__package__}.capacity:django()"],
}
STORES = ("memory", "memory, 100 handlers", "SQLite", "Redis", "PostgreSQL")
DELIVERIES, ROUNDS, EVENTS_A_DAY = 100, 3, 1_000_000


def store_of(kind: str, is_async: bool) -> Any:
    """The place of each is in the environment."""
    place = os.environ.get(f"CAPACITY_{kind.upper()}", "")
    if kind == "SQLite":
        return webhooks.SQLiteEventStore(place)
    if kind == "PostgreSQL":
        return webhooks.AsyncPostgresEventStore(place) if is_async else webhooks.PostgresEventStore(place)
    if kind == "Redis":
        import redis.asyncio

        if is_async:
            return webhooks.AsyncRedisEventStore(redis.asyncio.Redis(unix_socket_path=place))
        return webhooks.RedisEventStore(redis.Redis(unix_socket_path=place))
    return webhooks.MemoryEventStore()


@cache
def routers(is_async: bool) -> dict[str, webhooks.WebhookRouter]:
    """The receiver of each store, by its path."""
    made = {}
    for number, kind in enumerate(STORES):
        router = webhooks.WebhookRouter(webhooks.WebhookVerifier(SECRET), store_of(kind, is_async), name="shop")
        for other in range(99 if "100" in kind else 0):
            router.on(f"other.{other}.*")(ahandle)
        router.on("*")(ahandle if is_async else handle)
        made[f"/{number}"] = router
    return made


def handle(event: Any) -> None: ...


async def ahandle(event: Any) -> None: ...


def bare(body: bytes) -> bytes:
    """The bare route: it answers with the CPU seconds that its process has used."""
    assert json.loads(body)
    return json.dumps(time.process_time()).encode()


async def asgi(scope: Any, receive: Any, send: Any) -> None:
    if scope["path"] != "/bare":
        await routers(True)[scope["path"]].asgi(scope, receive, send)
        return
    content = bare((await receive())["body"])
    headers = [(b"content-length", str(len(content)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": content})


def wsgi(environ: Any, start_response: Any) -> Any:
    if environ["PATH_INFO"] != "/bare":
        return routers(False)[environ["PATH_INFO"]].wsgi(environ, start_response)
    content = bare(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
    start_response("200 OK", [("Content-Length", str(len(content)))])
    return [content]


def fastapi() -> Any:
    from fastapi import FastAPI, Request

    async def route(request: Any) -> float:
        return float(bare(await request.body()))

    route.__annotations__["request"] = Request  # FastAPI looks up names in this module
    app = FastAPI()
    app.post("/bare")(route)
    for path, router in routers(True).items():
        app.include_router(router.fastapi(), prefix=path)
    return app


def flask() -> Any:
    from flask import Flask, request

    app = Flask(__name__)
    app.post("/bare")(lambda: bare(request.get_data()))
    for path, router in routers(False).items():
        app.register_blueprint(router.flask(path), name=path)
    return app


def django() -> Any:
    from django.conf import settings
    from django.core.wsgi import get_wsgi_application
    from django.http import HttpResponse
    from django.urls import path as route
    from django.views.decorators.csrf import csrf_exempt

    from interactor_ext.webhooks.django import webhook_view

    routes = [route("bare", csrf_exempt(lambda request: HttpResponse(bare(request.body))))]
    routes += [route(path[1:], webhook_view(router)) for path, router in routers(False).items()]
    # The views run each handler in a transaction.
    databases = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
    settings.configure(ROOT_URLCONF=tuple(routes), ALLOWED_HOSTS=["*"], SECRET_KEY="x", DATABASES=databases)
    return get_wsgi_application()


def cost_of_routes(command: list[str], folder: Path) -> list[float]:
    """The median CPU seconds of a delivery to the bare route and to each store's. They take turns."""
    with closing(Served(command, {}, folder)) as served, httpx.Client(base_url=served.origin, timeout=60) as client:

        def spend(path: str, count: int) -> float:
            deliveries = [delivery(key=f"idem_{random.getrandbits(64)}") for _ in range(count)]
            before = float(client.post("/bare", content=b"[1]").text)
            for body, headers in deliveries:
                answer = client.post(path, content=body, headers=headers)
                assert answer.status_code == 200, (answer.text, served.printed())
            return (float(client.post("/bare", content=b"[1]").text) - before) / count

        times: dict[str, list[float]] = {path: [] for path in ("/bare", *map("/{}".format, range(len(STORES))))}
        for path in times:
            spend(path, 20)
        for _ in range(ROUNDS):
            for path in random.sample(list(times), len(times)):
                times[path].append(spend(path, DELIVERIES))
    return [statistics.median(each) for each in times.values()]


def bytes_of_rows(sqlite: str, socket: str, dsn: str) -> dict[str, float]:
    """What an event that was handled takes in each store, its indexes included."""
    import psycopg
    import redis

    with (
        closing(sqlite3.connect(sqlite)) as file,
        psycopg.connect(dsn) as server,
        redis.Redis(unix_socket_path=socket) as client,
    ):
        file.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        [rows] = file.execute("SELECT count(*) FROM interactor_webhook_claims").fetchone()
        query = "SELECT pg_total_relation_size('{0}') / count(*)::float FROM {0}".format("interactor_webhook_claims")
        found: Any = server.execute(query).fetchone()
        return {
            "SQLite": Path(sqlite).stat().st_size / rows,
            "Redis": float(client.memory_usage(client.randomkey())),
            "PostgreSQL": found[0],
        }


def report(costs: dict[str, list[float]], rows: dict[str, float]) -> str:
    packages = ("fastapi", "uvicorn", "flask", "django", "gunicorn", "redis", "psycopg")
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    where = f"Python {platform.python_version()}, {platform.system()} on {platform.machine()}"
    tables = [
        table(
            ["CPU time of a delivery", "a bare route", *STORES],
            costs,
            lambda times: [f"{times[0] * 1e6:,.0f} µs", *(f"{seconds / times[0]:.1f} x" for seconds in times[1:])],
        ),
        table(
            ["a handled event in the store", *rows],
            {"bytes": 1.0, f"GB, {EVENTS_A_DAY:,} a day for 7 days": EVENTS_A_DAY * 7e-9},
            lambda factor: [f"{size * factor:,.1f}" for size in rows.values()],
        ),
    ]
    intro = f"\nMeasured on {datetime.now(UTC):%Y-%m-%d} with {where}; {versions}.\n"
    return "\n".join([intro, *("\n".join([*each, ""]) for each in tables)])


def table(head: Sequence[str], lines: Mapping[str, T], cells: Callable[[T], Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield "|---|" + "---:|" * (len(head) - 1)
    yield from (f"| {name} | {' | '.join(cells(line))} |" for name, line in lines.items())


def main() -> None:
    with (
        tempfile.TemporaryDirectory(prefix="capacity-") as folder,
        postgres_server() as server,
        redis_server() as socket,
    ):
        places = str(Path(folder, "events.db")), socket, server.dsn
        os.environ |= dict(zip(("CAPACITY_SQLITE", "CAPACITY_REDIS", "CAPACITY_POSTGRESQL"), places, strict=True))
        with webhooks.PostgresEventStore(server.dsn) as store:
            store.create()
        costs = {name: cost_of_routes(command, Path(folder)) for name, command in FRAMEWORKS.items()}
        text = report(costs, bytes_of_rows(*places))
    sys.stdout.write(text)
    PAGE.write_text(PAGE.read_text(encoding="utf-8").partition(MARK)[0] + MARK + text, encoding="utf-8")


if __name__ == "__main__":
    main()
