"""The page of `interactor chat --web`: a chat in one room, for the browser that opens the link.

The key in the link works once: the page exchanges it for a token, which it sends as a header. Not a cookie, because
browsers send cookies of 127.0.0.1 to the servers on all of its ports.
"""

from __future__ import annotations

import socket
import threading
import webbrowser
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from importlib.resources import files
from secrets import compare_digest, token_urlsafe
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from interactor_ext import AsyncInteractorClient
from interactor_ext.cli.output import write
from interactor_ext.relay import Relay, Show

if TYPE_CHECKING:
    from starlette.types import Scope

HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cache-control": "no-store",
}
MEDIA_TYPES = {"index.html": "text/html", "page.js": "text/javascript", "page.css": "text/css"}


class ChatPage:
    """`app` serves the page, and a relay for the one room. `key` goes after the # of the link."""

    def __init__(self, client: AsyncInteractorClient, namespace: str, room_id: str, assistant: str) -> None:
        self.key: str = token_urlsafe()
        self._key_is_used = False
        self._token = token_urlsafe()
        self._namespace = namespace
        self._shown = {"room": room_id, "assistant": assistant}
        relay = Relay(
            client,
            authorize=self._authorize,
            rooms=lambda _, asked: asked == room_id,
            show=Show(tool_arguments=True, tool_results=True),  # the page is for the developer only
        )

        @asynccontextmanager
        async def lifespan(_: Starlette) -> AsyncIterator[None]:
            async with client:
                yield

        self.app: Starlette = Starlette(
            routes=[
                Route("/", _file),
                Route("/session", self._sign_in, methods=["POST"]),
                Route("/{name}", _file),
                Mount("/interactor", relay),
            ],
            # Refuse a site whose name resolves to this machine (DNS rebinding): `Host` contains that name.
            middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"])],
            lifespan=lifespan,
        )

    async def _sign_in(self, request: Request) -> Response:
        """Exchange the key for the token, once. There is no await between checking and invalidating the key."""
        if self._key_is_used or not _has_token(request.headers, self.key):
            return Response(status_code=401, headers=HEADERS)
        self._key_is_used = True
        return JSONResponse({"token": self._token, **self._shown}, headers=HEADERS)

    async def _authorize(self, scope: Scope) -> str | None:
        return self._namespace if _has_token(Headers(scope=scope), self._token) else None


def serve(settings: dict[str, Any], room_id: str, assistant: str) -> None:
    """Serve the page on 127.0.0.1 until Ctrl-C. `settings` are a client's settings, with a namespace."""
    import uvicorn

    page = ChatPage(AsyncInteractorClient(**settings), settings["namespace"], room_id, assistant)
    with socket.create_server(("127.0.0.1", 0)) as sock, suppress(KeyboardInterrupt):
        link = f"http://127.0.0.1:{sock.getsockname()[1]}/#{page.key}"
        write(f"Room {room_id} at {link}")
        write("The link works once. Press Ctrl-C to stop.", "dim")
        # Some browsers, such as terminal browsers, only return when they are closed.
        threading.Thread(target=webbrowser.open, args=(link,), daemon=True).start()
        uvicorn.Server(uvicorn.Config(page.app, log_level="warning")).run(sockets=[sock])


def _has_token(headers: Headers, secret: str) -> bool:
    return compare_digest(headers.get("authorization", "").encode(), f"Bearer {secret}".encode())


async def _file(request: Request) -> Response:
    name = request.path_params.get("name", "index.html")
    if name not in MEDIA_TYPES:
        return Response(status_code=404, headers=HEADERS)
    text = files(__name__).joinpath(name).read_text(encoding="utf-8")
    return Response(text, media_type=MEDIA_TYPES[name], headers=HEADERS)
