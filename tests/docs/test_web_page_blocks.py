"""What the page "Put a chat into a web page" shows works: its backends, and its pages in a real Chromium."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import httpx
import itsdangerous
import pytest
from fastapi import FastAPI
from fastapi.responses import Response

from interactor_ext import reset_clients
from interactor_ext.sandbox import Sandbox
from interactor_ext.sandbox.http.server import Server, listen, origin, serving
from tests.support.browser import chromium, eventually
from tests.support.chat_driver import Chat
from tests.support.conversations import NAMESPACE, new_room
from tests.support.pages import DOCS, blocks
from tests.support.relay_server import MOUNT, Page, text_of
from tests.support.served import Served
from tests.support.waiting import eventually as eventually_here

pytestmark = pytest.mark.full  # drives a browser

PAGE = DOCS / "how-to" / "web-page.md"
PAGES = (PAGE, DOCS / "how-to" / "chat-in-frameworks.md")
POLICY = re.findall(r"`Content-Security-Policy: ([^`]+)`", PAGE.read_text())[0]
SECRET = "for-the-cookies-of-the-page"
ENTER = "\ue007"
STARTS = """
const [start] = document.querySelector("interactor-rooms")?.shadowRoot?.querySelectorAll("[part=start]") ?? [];
return start?.checkVisibility();
"""
LOADED = "return performance.getEntriesByType('resource').map((each) => each.toJSON())"
CACHING = "fetch(arguments[0]).then(({ headers }) => arguments[1](headers.get('Cache-Control')))"
DJANGO = """
import sys
import django
from django.conf import settings

settings.configure(
    SECRET_KEY="key of a test", ALLOWED_HOSTS=["*"], ROOT_URLCONF="django_chat",
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions"],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
    ],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "users.db"}},
)
django.setup()
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client

call_command("migrate", verbosity=0)
user, nobody = Client(), Client()
user.force_login(User.objects.create(username="first"))
history = f"/interactor/rooms/{sys.argv[1]}/messages"
print(user.get(history).status_code, nobody.get(history).status_code, user.get("/nothing/").status_code)
"""


def block(kind: str) -> str:
    """The first block of this language, or the file of this name."""
    return next(block.code for page in PAGES for block in blocks(page) if kind in (block.title, block.language))


def run(code: str) -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": "page"}
    exec(compile(code, str(PAGE), "exec"), names)
    return names


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    with Sandbox().run() as sandbox:
        for name, value in {**sandbox.env, "SESSION_SECRET": SECRET}.items():
            monkeypatch.setenv(name, value)
        yield sandbox
        reset_clients()


def test_page_with_a_chat_works_with_the_fastapi_backend(sandbox: Sandbox) -> None:
    room = new_room(sandbox)
    app: FastAPI = run(block("page_backend.py"))["app"]

    def serve(path: str, text: str, media_type: str) -> None:
        text = text.replace("room_4Kd9", room)
        app.get(path)(lambda: Response(text, media_type=media_type, headers={"Content-Security-Policy": POLICY}))

    page = '<!doctype html><html lang="en"><meta charset="utf-8"><title>Page</title><body>{}</body></html>'
    script = '<script type="module" src="/{}.js"></script>'
    style = '<link rel="stylesheet" href="/page.css">'
    serve("/chat", page.format(style + block("html")), "text/html")
    serve("/own", page.format(script.format("own")), "text/html")
    serve("/page.css", block("css"), "text/css")
    serve("/own.js", block("js"), "text/javascript")
    serve("/favicon.ico", "", "image/x-icon")
    with (
        listen("127.0.0.1", 0) as sock,
        serving(Server(app, before_shutdown=lambda: None), sock),
        chromium() as browser,
    ):
        url = origin(sock)
        browser.get(url)
        rooms = Chat(browser)
        eventually(browser, lambda: rooms.focused == "" and browser.execute_script(STARTS))
        rooms.tab_to("New conversation")
        rooms.press(ENTER)
        rooms.write("Hi")
        rooms.shows_messages("Hi", "Support Bot here. You said: Hi")
        browser.get("about:blank")
        eventually_here(lambda: sandbox.open_streams == 0)
        browser.get(f"{url}/own")
        eventually_here(lambda: sandbox.open_streams == 1)
        browser.execute_script('import("/own.js").then(({ say }) => say("Hello"))')
        said = "Bot here. You said: Hello"
        eventually(browser, lambda: browser.find_element("css selector", "body").text == said)
        browser.get(f"{url}/chat")
        Chat(browser).shows_messages("Hello", said)
        Chat(browser).shows("[part=status]", "Connected")
        height = 'return getComputedStyle(document.querySelector("interactor-chat")).blockSize'
        assert browser.execute_script(height) == "480px"
        loaded = [each for each in browser.execute_script(LOADED) if "/interactor/static/" in each["name"]]
        assert len(loaded) == 1
        assert loaded[0]["encodedBodySize"] <= 24_000
        assert browser.execute_async_script(CACHING, loaded[0]["name"]).endswith(", immutable")
        assert browser.get_log("browser") == []


def test_flask_backend_serves_a_signed_in_user(sandbox: Sandbox) -> None:
    from flask import session

    names = run(block("flask_chat.py"))

    @names["app"].get("/sign-in")  # type: ignore[untyped-decorator]
    def sign_in() -> str:
        session["namespace"] = NAMESPACE
        return ""

    history = f"/interactor/rooms/{new_room(sandbox)}/messages"
    transport = httpx.WSGITransport(app=names["application"])
    with httpx.Client(transport=transport, base_url="http://testserver") as page:
        assert page.get(history).status_code == 401
        page.get("/sign-in")
        assert page.get(history).json()["data"] == []


def test_django_backend_serves_a_signed_in_user(sandbox: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "django_chat.py").write_text(block("django_chat.py"))
    room = new_room(sandbox)  # of the namespace user_1, as Django's first user
    command = [sys.executable, "-c", DJANGO, room]
    done = subprocess.run(command, cwd=tmp_path, env=dict(os.environ), capture_output=True, text=True, timeout=300)
    assert done.stdout.split() == ["200", "401", "404"], done.stderr


def starlette_cookie() -> str:
    session = base64.b64encode(json.dumps({"namespace": NAMESPACE}).encode())
    return f"session={itsdangerous.TimestampSigner(SECRET).sign(session).decode()}"


def flask_cookie() -> str:
    from flask import Flask
    from flask.sessions import SecureCookieSessionInterface

    app = Flask(__name__)
    app.secret_key = SECRET
    serializer = SecureCookieSessionInterface().get_signing_serializer(app)
    assert serializer is not None
    return f"session={serializer.dumps({'namespace': NAMESPACE})}"


# The file, the cookie of a user who has signed in, and how each server is given its socket.
BACKENDS = {
    "uvicorn": ("page_backend.py", starlette_cookie, ["--fd", "{fd}"]),
    "gunicorn": (
        "flask_chat.py",
        flask_cookie,
        ["--bind", "fd://{fd}", "--graceful-timeout", "1", "--no-control-socket"],
    ),
}


@pytest.mark.parametrize("server", BACKENDS)
def test_backend_serves_a_signed_in_user_in_three_workers(sandbox: Sandbox, tmp_path: Path, server: str) -> None:
    title, cookie, socket = BACKENDS[server]
    (tmp_path / title).write_text(block(title))
    pages = "\n".join(page.read_text() for page in PAGES)
    [command] = (
        each.split() for each in re.findall(rf"(?:^|`)({server} [^`\n]*--workers[^`\n]*)", pages, re.MULTILINE)
    )
    assert command[command.index("--workers") + 1] == "3"
    room = new_room(sandbox)
    with (
        closing(Served([sys.executable, "-m", *command, *socket], dict(os.environ), tmp_path)) as served,
        ExitStack() as pages,
    ):
        served.wait_until_it_answers(f"{MOUNT}/static/interactor-stream.js")

        def page() -> Page:
            """On a connection of its own, which any worker may have."""
            opened = pages.enter_context(Page(served.origin + MOUNT, served.origin, None, {}))
            opened.headers["cookie"] = cookie()
            return opened

        streams = [pages.enter_context(page().room_events(room)) for _ in range(8)]
        assert [stream.status for stream in streams] == [200] * 8, served.printed()
        assert page().say(room, "Hi").status_code == 201, served.printed()
        assert {text_of(stream.until("message.complete")) for stream in streams} == {"Bot here. You said: Hi"}
        # One worker may get most of them, and refuse some for their number.
        assert {page().say(room, "Hi").status_code for _ in range(24)} <= {201, 429}, served.printed()
