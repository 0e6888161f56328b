"""Applications with a relay, mounted the way authors do it; each server process imports this module and runs one."""

from __future__ import annotations

from typing import Any
from wsgiref.util import shift_path_info

from interactor_ext import AsyncInteractorClient
from interactor_ext.relay import Relay
from tests.support.relay_server import MOUNT, authorize

relay = Relay(AsyncInteractorClient(), authorize=authorize, grace=0.1, heartbeat=0.2)


async def bare_asgi(scope: Any, receive: Any, send: Any) -> None:
    """As run by a server that has a path for each application."""
    if scope["type"] == "http":
        scope = {**scope, "root_path": MOUNT}
    await relay(scope, receive, send)


def starlette_app() -> Any:
    from starlette.applications import Starlette
    from starlette.middleware import Middleware
    from starlette.middleware.base import BaseHTTPMiddleware
    from starlette.middleware.gzip import GZipMiddleware
    from starlette.routing import Mount

    async def unchanged(request: Any, call_next: Any) -> Any:
        return await call_next(request)

    middleware = [Middleware(BaseHTTPMiddleware, dispatch=unchanged), Middleware(GZipMiddleware)]
    return Starlette(routes=[Mount(MOUNT, app=relay)], middleware=middleware)


def fastapi_app() -> Any:
    from fastapi import FastAPI

    app = FastAPI()
    app.mount(MOUNT, relay)
    return app


def django_asgi() -> Any:
    configure_django()
    from django.core.asgi import get_asgi_application

    django = get_asgi_application()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and scope["path"].startswith(f"{MOUNT}/"):
            await relay({**scope, "root_path": scope.get("root_path", "") + MOUNT}, receive, send)
        else:
            await django(scope, receive, send)

    return app


def django_wsgi() -> Any:
    configure_django()
    from django.core.wsgi import get_wsgi_application

    django = get_wsgi_application()

    def app(environ: Any, start_response: Any) -> Any:
        if environ["PATH_INFO"].startswith(f"{MOUNT}/"):
            shift_path_info(environ)
            return relay.wsgi(environ, start_response)
        return django(environ, start_response)

    return app


def flask_wsgi() -> Any:
    from flask import Flask
    from werkzeug.middleware.dispatcher import DispatcherMiddleware

    app = Flask(__name__)
    return DispatcherMiddleware(app.wsgi_app, {MOUNT: relay.wsgi})


def configure_django() -> None:
    from django.conf import settings

    settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="x")


urlpatterns: list[Any] = []
