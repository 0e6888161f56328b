"""A page with a chat and its relay, in a process of its own that can be killed and started again on its port.

`python -m tests.support.chat_page PORT FOLDER` serves: `/` has the web component, `/react` a bundle of the folder. With
`refunds` as a third argument, the relay runs the tool `refund`, which whoever has the cookie `person=carol` approves.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from interactor_ext import AsyncInteractorClient, ToolSet
from interactor_ext.relay import Relay
from tests.support import patient
from tests.support.conversations import NAMESPACE
from tests.support.node import STATIC
from tests.support.ports import free_port
from tests.support.waiting import eventually

ROOT = Path(__file__).parents[2]
CSP = "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; require-trusted-types-for 'script'"
STYLE = """
:root { color-scheme: light dark; font-family: system-ui, sans-serif; }
body { margin: 0; }
main { max-inline-size: 48rem; margin-inline: auto; padding: 1rem; }
h1 { font-size: 1.25rem; }
interactor-chat { block-size: calc(100dvh - 6rem); }
interactor-chat:not(:defined) { display: block; }
/* The accent of the guide; the pages of React have the chat's own. */
main > interactor-chat { --interactor-accent: #0b6e4f; }
"""
PAGE = """<!doctype html>
<html lang="{lang}" dir="{dir}">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Chat</title>
<link rel="stylesheet" href="/page.css">
{scripts}
<main><h1>Support</h1>{content}</main>
</html>
"""
refunds = ToolSet()


@refunds.tool(approval=True, show=("order", "amount"))
def refund(order: str, amount: int, score: str = "") -> str:
    """Pays a customer back."""
    return f"{amount} euros are on their way."


def manager(namespace: str, room: str, scope: Any) -> str | None:
    return "carol" if b"person=carol" in dict(scope["headers"]).get(b"cookie", b"") else None


class ChatPage:
    """The process, with the settings of a sandbox."""

    def __init__(self, env: Mapping[str, str], folder: Path, *tools: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._command = [sys.executable, "-m", __name__, str(self.port), str(folder), *tools]
        self._env = {**os.environ, **env}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(self._command, env=self._env, cwd=ROOT)
        eventually(self._answers)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def __enter__(self) -> ChatPage:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None
        try:
            return patient.get(f"{self.url}/page.css").status_code == 200
        except httpx.TransportError:
            return False


def app(folder: Path, *tools: str) -> Starlette:
    def page(request: Request, scripts: str, content: str) -> Response:
        lang, direction = request.query_params.get("lang", "en"), request.query_params.get("dir", "ltr")
        html = PAGE.format(lang=escape(lang), dir=escape(direction), scripts=scripts, content=content)
        return HTMLResponse(html, headers={"Content-Security-Policy": CSP})

    def attributes(request: Request, prefix: str = "") -> str:
        given = {name: request.query_params[name] for name in ("room", "instance") if name in request.query_params}
        return "".join(f' {prefix}{name}="{escape(value)}"' for name, value in given.items())

    def element(request: Request) -> Response:
        script = '<script type="module" src="/modules/interactor-chat.js"></script>'
        return page(request, script, f"<interactor-chat{attributes(request)}></interactor-chat>")

    def rooms(request: Request) -> Response:
        scripts = "".join(
            f'<script type="module" src="/modules/interactor-{each}.js"></script>' for each in ("chat", "rooms")
        )
        assistant = escape(request.query_params["assistant"])
        listed = f'<interactor-rooms assistant="{assistant}" for="chat"></interactor-rooms>'
        return page(request, scripts, f'{listed}<interactor-chat id="chat"></interactor-chat>')

    def react(request: Request) -> Response:
        script = f'<script type="module" src="/bundles/{request.path_params["bundle"]}.js"></script>'
        return page(request, script, f'<div id="root"{attributes(request, "data-")}></div>')

    def bundle(request: Request) -> Response:
        return Response((folder / f"{request.path_params['bundle']}.js").read_text(), media_type="text/javascript")

    options: dict[str, Any] = {"tools": refunds, "approvals": manager} if tools else {}
    # What is written and read is counted for each room by itself, so that no test uses up what another may do.
    options |= {"authorize": lambda scope: (NAMESPACE, scope["path"]), "on_feedback": lambda *_: None}
    relay = Relay(AsyncInteractorClient(), **options)
    return Starlette(
        routes=[
            Route("/", element),
            Route("/rooms", rooms),
            Route("/react/{bundle}", react),
            Route("/bundles/{bundle}.js", bundle),
            Route("/page.css", lambda request: PlainTextResponse(STYLE, media_type="text/css")),
            Route("/favicon.ico", lambda request: Response(status_code=204)),
            # As they are in the working tree, where the relay's script may be older.
            Mount("/modules", StaticFiles(directory=STATIC)),
            Mount("/interactor", relay),
        ]
    )


if __name__ == "__main__":
    port, folder, *tools = sys.argv[1:]
    uvicorn.run(app(Path(folder), *tools), port=int(port), log_level="warning")
