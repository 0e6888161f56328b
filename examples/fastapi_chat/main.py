"""A page with a chat: FastAPI renders it, and a relay keeps the platform's token out of the browser."""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from html import escape
from pathlib import Path
from string import Template
from typing import Any

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse
from starlette.middleware.sessions import SessionMiddleware

from interactor_ext import AsyncInteractorClient, get_async_client
from interactor_ext.relay import Relay

FOLDER = Path(__file__).parent
CSP = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; form-action 'self'; img-src data:"
# Who may sign in, with their namespace at the platform. A real application asks for more than a name.
USERS = {"alice": "user_alice", "bob": "user_bob"}


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
    async with get_async_client():
        yield


async def authorize(scope: Any) -> str | None:
    """The namespace of the signed-in user, out of the session that SessionMiddleware has read from the cookie."""
    return USERS.get(scope["session"].get("user"))


app = FastAPI(lifespan=lifespan)
# The key of the signed cookie: your own keeps users signed in across restarts, and in all worker processes.
# https_only=True goes with HTTPS.
SESSION_SECRET = os.environ.get("SESSION_SECRET") or secrets.token_hex()
app.add_middleware(SessionMiddleware, secret_key=SESSION_SECRET, same_site="strict")
app.mount("/interactor", Relay(get_async_client, authorize=authorize))


@app.get("/")
async def page(request: Request) -> HTMLResponse:
    user = request.session.get("user")
    if user is None:
        return render("sign_in.html")
    return render("page.html", user=user, room=await room_of(get_async_client().namespace(USERS[user])))


@app.post("/sign-in/{user}")
async def sign_in(user: str, request: Request) -> RedirectResponse:
    if user not in USERS:
        raise HTTPException(404)
    request.session["user"] = user
    return RedirectResponse("/", 303)


@app.post("/sign-out")
async def sign_out(request: Request) -> RedirectResponse:
    request.session.clear()
    return RedirectResponse("/", 303)


@app.get("/page.css")
async def style() -> FileResponse:
    return FileResponse(FOLDER / "page.css")


async def room_of(user: AsyncInteractorClient) -> str:
    """The id of the user's room. The first visit creates it and the assistant, even if several arrive at once."""
    bot = await user.assistants.ensure(name="Support Bot", model="gpt-4", system_prompt="You are helpful.")
    return (await user.rooms.ensure(bot.id)).id


def render(name: str, **values: str) -> HTMLResponse:
    html = Template((FOLDER / name).read_text()).substitute({key: escape(value) for key, value in values.items()})
    return HTMLResponse(html, headers={"Content-Security-Policy": CSP, "Cache-Control": "no-store"})
