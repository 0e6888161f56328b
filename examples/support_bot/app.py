"""The web application: a page with the chat for each customer, and the team's inbox."""

import os
import secrets
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from html import escape
from pathlib import Path
from string import Template
from typing import Any, Literal

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, PlainTextResponse, RedirectResponse
from starlette.middleware.sessions import SessionMiddleware

import inbox
from bot import room_of
from interactor_ext import get_async_client
from interactor_ext.relay import Relay
from orders import tools

SIGN_IN = """<!doctype html>
<title>Shop</title>
<form method="post" action="/sign-in/alice"><button>Sign in as Alice</button></form>
<form method="post" action="/sign-in/bob"><button>Sign in as Bob</button></form>
"""
PAGE = Template((Path(__file__).parent / "page.html").read_text())
# The key of the signed cookie: your own keeps users signed in across restarts, and in all worker processes.
SESSION_SECRET = os.environ.get("SESSION_SECRET") or secrets.token_hex()


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
    async with get_async_client():
        yield


async def authorize(scope: Any) -> str | None:
    """The namespace of whoever is signed in: all that this browser can reach."""
    user = scope["session"].get("user")
    return None if user is None else f"user_{user}"


app = FastAPI(lifespan=lifespan)
app.add_middleware(SessionMiddleware, secret_key=SESSION_SECRET, same_site="strict")
app.mount("/interactor", Relay(get_async_client, authorize=authorize, tools=tools))
app.include_router(inbox.router.fastapi(), prefix="/webhooks/interactor")


@app.get("/")
async def page(request: Request) -> HTMLResponse:
    namespace = await authorize(request.scope)
    if namespace is None:
        return HTMLResponse(SIGN_IN)
    customer = get_async_client().namespace(namespace)
    await inbox.subscribe(customer, f"{request.base_url}webhooks/interactor")
    room = await room_of(customer)
    return HTMLResponse(PAGE.substitute(user=escape(request.session["user"]), room=escape(room)))


@app.post("/sign-in/{user}")
async def sign_in(user: Literal["alice", "bob"], request: Request) -> RedirectResponse:
    request.session["user"] = user  # a real application asks for more than a name
    return RedirectResponse("/", 303)


@app.post("/sign-out")
async def sign_out(request: Request) -> RedirectResponse:
    request.session.clear()
    return RedirectResponse("/", 303)


@app.get("/inbox")
def team_inbox() -> PlainTextResponse:
    """For the team: put it behind a sign-in of its own."""
    return PlainTextResponse("\n".join(f"{customer}: {content}" for customer, content in inbox.messages()))
