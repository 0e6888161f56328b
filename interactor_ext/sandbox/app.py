"""Builds the sandbox's ASGI app: Starlette routes for its own pages, and the API for every other path."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from urllib.parse import unquote

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Match, Route
from starlette.types import Scope

from interactor_ext.sandbox.http.control import Control
from interactor_ext.sandbox.http.cors import cors
from interactor_ext.sandbox.http.guard import check_host
from interactor_ext.sandbox.http.pipeline import Platform
from interactor_ext.sandbox.http.wire import origin_of, read_body, response_of
from interactor_ext.sandbox.inspector.consent import consent_routes
from interactor_ext.sandbox.inspector.page_server import Inspector
from interactor_ext.sandbox.platform.contract import ACCOUNT_PREFIX, CORE_PREFIX, Contract, read_document
from interactor_ext.sandbox.platform.providers import PATH
from interactor_ext.sandbox.platform.state import State
from interactor_ext.sandbox.problems import Problem, not_stored
from interactor_ext.sandbox.storage.persistence import NotStored
from interactor_ext.sandbox.storage.records import new_id


def build_app(contract: Contract, state: State, on_loop: Callable[[], None], methods: object) -> Starlette:
    """`methods` is the Sandbox. `on_loop` is called on the serving loop at startup and at each request, because not
    every server runs the lifespan.
    """

    async def refuse(request: Request, error: Exception) -> Response:
        problem = not_stored(error) if isinstance(error, NotStored) else error
        assert isinstance(problem, Problem)
        return JSONResponse(problem.envelope(new_id("req")), problem.status, headers=problem.headers)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        on_loop()
        yield
        state.stop()

    app = Starlette(
        routes=[
            *(_ApiRoute(path, Platform(state, on_loop, operations)) for path, operations in contract.paths.items()),
            *consent_routes(state, on_loop),
            *Inspector(contract, state, on_loop).routes(),
            *Control(contract, state, on_loop, methods).routes(),
            *_description_routes(state),
            _provider_route(state),
        ],
        exception_handlers={Problem: refuse, NotStored: refuse},
        middleware=cors(state.settings.allow_origins),
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    app.router.default = Platform(state, on_loop, {})
    return app


class _ApiRoute(Route):
    """A route that keeps an escaped slash in an id: Starlette decodes the path before it matches."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        raw = (scope.get("raw_path") or b"").decode("latin-1").replace("%2f", "%2F")
        if "%2F" not in raw:
            return super().matches(scope)
        match, found = super().matches({**scope, "path": unquote(raw.replace("%2F", "%252F"))})
        ids = found.get("path_params", {})
        return match, {**found, "path_params": {name: text.replace("%2F", "/") for name, text in ids.items()}}


def _provider_route(state: State) -> Route:
    """Return the route of the provider APIs that tests have registered."""

    async def answer(request: Request) -> Response:
        check_host(request, state.settings.allowed_hosts)
        provider = state.providers.get(request.path_params["name"])
        if provider is None:
            raise Problem(404, "No test has registered this provider.")
        path, token = request.path_params["path"], request.headers.get("authorization", "").removeprefix("Bearer ")
        given = provider.answer(request.method, path, request.url.query, await read_body(request.receive), token)
        response, raw = response_of(given, new_id("req"))
        headers = {name.decode(): value.decode("latin-1") for name, value in raw}
        return Response(response.content, response.status, headers, media_type="application/json")

    return Route(PATH + "/{name}{path:path}", answer, methods=["GET", "POST", "PUT", "PATCH", "DELETE"])


def _description_routes(state: State) -> list[Route]:
    """Return `/openapi.yaml` and `/api/v1/openapi.yaml`: the contract, with this sandbox as its servers."""

    async def describe(request: Request) -> Response:
        check_host(request, state.settings.allowed_hosts)
        origin = origin_of(request.scope)
        document = {**read_document(), "servers": [{"url": origin + CORE_PREFIX}]}
        for item in document["paths"].values():
            if "servers" in item:
                item["servers"] = [{"url": origin + ACCOUNT_PREFIX}]
        # JSON is valid YAML 1.2. RFC 9512 defines the media type.
        return Response(json.dumps(document, indent=2), media_type="application/yaml")

    return [Route(f"{prefix}/openapi.yaml", describe, methods=["GET"]) for prefix in ("", CORE_PREFIX)]
