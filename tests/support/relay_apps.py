"""Applications with a relay, mounted the way authors do it; each server process imports this module and runs one."""

from __future__ import annotations

from typing import Any

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

    return get_asgi_application()


def django_wsgi() -> Any:
    configure_django()
    from django.core.wsgi import get_wsgi_application

    return get_wsgi_application()


def flask_wsgi() -> Any:
    from flask import Flask
    from werkzeug.middleware.dispatcher import DispatcherMiddleware

    app = Flask(__name__)
    return DispatcherMiddleware(app.wsgi_app, {MOUNT: relay.wsgi})


def configure_django() -> None:
    from django.conf import settings
    from django.urls import path

    from interactor_ext.relay.django import relay_view

    routes = (path(f"{MOUNT[1:]}/<path:path>", relay_view(relay)),)
    settings.configure(ROOT_URLCONF=routes, ALLOWED_HOSTS=["*"], SECRET_KEY="x")
