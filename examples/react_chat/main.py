"""The backend of a React page with a chat: a session, a room for each user, and the relay. npm makes `dist/`."""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Literal

from fastapi import FastAPI, Request
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel
from starlette.middleware.sessions import SessionMiddleware

from interactor_ext import AsyncInteractorClient, NotFoundError, get_async_client
from interactor_ext.relay import Relay

FOLDER = Path(__file__).parent
CSP = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:"


class SignIn(BaseModel):
    """A real application asks for more than a name."""

    user: Literal["alice", "bob"]


class Session(BaseModel):
    user: str
    room: str


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
    async with get_async_client():
        yield


async def authorize(scope: Any) -> str | None:
    """The namespace of the signed-in user, out of the session that SessionMiddleware has read from the cookie."""
    user = scope["session"].get("user")
    return None if user is None else f"user_{user}"


app = FastAPI(lifespan=lifespan)
# The key of the signed cookie: your own keeps users signed in across restarts, and in all worker processes.
# https_only=True goes with HTTPS.
SESSION_SECRET = os.environ.get("SESSION_SECRET") or secrets.token_hex()
app.add_middleware(SessionMiddleware, secret_key=SESSION_SECRET, same_site="strict")
app.mount("/interactor", Relay(get_async_client, authorize=authorize))
app.mount("/dist", StaticFiles(directory=FOLDER / "dist"))


@app.get("/session")
async def session(request: Request) -> Session | None:
    namespace = await authorize(request.scope)
    if namespace is None:
        return None
    return Session(user=request.session["user"], room=await room_of(get_async_client().namespace(namespace)))


@app.post("/session")
async def sign_in(asked: SignIn, request: Request) -> Session | None:
    request.session["user"] = asked.user
    return await session(request)


@app.delete("/session")
async def sign_out(request: Request) -> None:
    request.session.clear()


@app.get("/")
async def page() -> FileResponse:
    return FileResponse(FOLDER / "index.html", headers={"Content-Security-Policy": CSP})


async def room_of(user: AsyncInteractorClient) -> str:
    """The id of the user's room. The first visit creates it and the assistant, even if several arrive at once."""
    bot = await user.assistants.ensure(name="Support Bot", model="gpt-4", system_prompt="You are helpful.")
    rooms = await user.rooms.list(assistant_id=bot.id, per_page=1)
    if rooms.data:
        return rooms.data[0].id
    for number in range(100):
        once = user.with_options(idempotency_key=f"room-{number}-of-{bot.id}")
        room = await once.rooms.create(assistant_id=bot.id)
        with suppress(NotFoundError):  # for 24 hours, a key returns the same room, even if it was deleted since
            return (await user.rooms.get(room.id)).id
    raise RuntimeError(f"Too many rooms of {bot.id} were deleted within a day.")
