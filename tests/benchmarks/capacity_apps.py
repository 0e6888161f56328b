"""What `capacity` measures: one receiver for each store, and a bare route, in each framework.

The path names the store. A bare route reads the body as JSON and answers with the CPU seconds of its process.
"""

from __future__ import annotations

import json
import os
import time
from functools import cache
from typing import Any

from interactor_ext.webhooks import (
    AsyncPostgresEventStore,
    AsyncRedisEventStore,
    MemoryEventStore,
    PostgresEventStore,
    RedisEventStore,
    SQLiteEventStore,
    WebhookRouter,
    WebhookVerifier,
)
from tests.support.webhook_deliveries import SECRET

STORES = ("memory", "SQLite", "Redis", "PostgreSQL")


def store_of(kind: str, *, is_async: bool = False) -> Any:
    """The place of each is in the environment."""
    if kind == "memory":
        return MemoryEventStore()
    place = os.environ[f"CAPACITY_{kind.upper()}"]
    if kind == "SQLite":
        return SQLiteEventStore(place)
    if kind == "PostgreSQL":
        return AsyncPostgresEventStore(place) if is_async else PostgresEventStore(place)
    import redis.asyncio

    if is_async:
        return AsyncRedisEventStore(redis.asyncio.Redis(unix_socket_path=place))
    return RedisEventStore(redis.Redis(unix_socket_path=place))


@cache
def routers(is_async: bool) -> dict[str, WebhookRouter]:
    made = {}
    for kind in STORES:
        made[kind] = WebhookRouter(WebhookVerifier(SECRET), store_of(kind, is_async=is_async), name="shop")
        made[kind].on("*")(ahandle if is_async else handle)
    return made


def handle(event: Any) -> None: ...


async def ahandle(event: Any) -> None: ...


def bare(body: bytes) -> bytes:
    assert json.loads(body)
    return json.dumps(time.process_time()).encode()


async def asgi(scope: Any, receive: Any, send: Any) -> None:
    if scope["path"] != "/bare":
        await routers(True)[scope["path"][1:]].asgi(scope, receive, send)
        return
    message = await receive()
    body = message["body"]
    while message.get("more_body"):
        message = await receive()
        body += message["body"]
    content = bare(body)
    headers = [(b"content-length", str(len(content)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": content})


def wsgi(environ: Any, start_response: Any) -> Any:
    if environ["PATH_INFO"] != "/bare":
        return routers(False)[environ["PATH_INFO"][1:]].wsgi(environ, start_response)
    content = bare(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
    start_response("200 OK", [("Content-Length", str(len(content)))])
    return [content]


def fastapi() -> Any:
    from fastapi import FastAPI, Request

    async def route(request: Request) -> float:
        assert await request.json()
        return time.process_time()

    # FastAPI reads annotations by name, and this module has no Request.
    route.__annotations__["request"] = Request
    app = FastAPI()
    app.post("/bare")(route)
    for kind, router in routers(True).items():
        app.include_router(router.fastapi(), prefix=f"/{kind}")
    return app


def flask() -> Any:
    from flask import Flask, request

    app = Flask(__name__)
    app.post("/bare")(lambda: bare(request.get_data()))
    for kind, router in routers(False).items():
        app.register_blueprint(router.flask(f"/{kind}"), name=kind)
    return app


def django() -> Any:
    from django.conf import settings
    from django.core.wsgi import get_wsgi_application
    from django.http import HttpResponse
    from django.urls import path
    from django.views.decorators.csrf import csrf_exempt

    from interactor_ext.webhooks.django import webhook_view

    routes = [path("bare", csrf_exempt(lambda request: HttpResponse(bare(request.body))))]
    routes += [path(kind, webhook_view(router)) for kind, router in routers(False).items()]
    # The views run each handler in a transaction.
    databases = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
    settings.configure(ROOT_URLCONF=tuple(routes), ALLOWED_HOSTS=["*"], SECRET_KEY="x", DATABASES=databases)
    return get_wsgi_application()
