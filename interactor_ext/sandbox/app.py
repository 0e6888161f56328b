"""The sandbox as an ASGI app: Starlette for its own pages and its life cycle, the platform for everything else."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from .contract import Contract
from .credentials import authorize
from .pipeline import Platform
from .problems import Problem, invalid
from .state import State, new_id


def build_app(contract: Contract, state: State, on_request: Callable[[], None]) -> Starlette:
    """`on_request` is called at the start of each request, on the loop that serves it."""

    async def decide(request: Request) -> Response:
        decision = request.query_params.get("decision")
        if decision not in {"approve", "deny"}:
            raise invalid(("decision", "must be approve or deny: add &decision=approve to the address"))
        flow_id = request.query_params.get("flow", "")
        return RedirectResponse(authorize(state, flow_id, approve=decision == "approve"), status_code=302)

    async def refuse(request: Request, error: Exception) -> Response:
        if isinstance(error, HTTPException):
            error = Problem(error.status_code, str(error.detail), headers=dict(error.headers or {}))
        assert isinstance(error, Problem)
        return JSONResponse(error.envelope(new_id("req")), error.status, headers=error.headers)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        state.stop()

    app = Starlette(
        routes=[Route("/_sandbox/authorize", decide)],
        exception_handlers={Problem: refuse, HTTPException: refuse},
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    app.router.default = Platform(contract, state, on_request)
    return app
