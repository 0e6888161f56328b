"""The relay under the servers and frameworks that it is made for, in processes of their own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from interactor_ext.sandbox import Sandbox
from tests.support.relay_server import MOUNT, Page, text_of
from tests.support.waiting import eventually

pytestmark = pytest.mark.full  # starts each server as a process

ROOT = Path(__file__).parents[2]
APPS = "tests.support.relay_apps"
UVICORN = [
    sys.executable,
    "-m",
    "uvicorn",
    "--fd",
    "{fd}",
    "--log-level",
    "warning",
    "--timeout-graceful-shutdown",
    "1",
]
HYPERCORN = [sys.executable, "-m", "hypercorn", "--bind", "fd://{fd}", "--graceful-timeout", "1"]
GUNICORN = [
    *(sys.executable, "-m", "gunicorn", "--bind", "fd://{fd}", "--no-control-socket", "--graceful-timeout", "1"),
    *("--worker-class", "gthread", "--threads", "8"),
]
# The packages and the command of each.
SERVERS = {
    "bare ASGI, uvicorn": (["uvicorn"], [*UVICORN, f"{APPS}:bare_asgi"]),
    "bare ASGI, hypercorn": (["hypercorn"], [*HYPERCORN, f"{APPS}:bare_asgi"]),
    "Starlette, uvicorn": (["starlette"], [*UVICORN, "--factory", f"{APPS}:starlette_app"]),
    "FastAPI, two workers": (["fastapi"], [*UVICORN, "--workers", "2", "--factory", f"{APPS}:fastapi_app"]),
    "FastAPI, hypercorn": (["fastapi", "hypercorn"], [*HYPERCORN, f"{APPS}:fastapi_app()"]),
    "Django ASGI": (["django"], [*UVICORN, "--factory", f"{APPS}:django_asgi"]),
    "Django WSGI": (["django", "gunicorn"], [*GUNICORN, f"{APPS}:django_wsgi()"]),
    "Flask, two workers": (["flask", "gunicorn"], [*GUNICORN, "--workers", "2", f"{APPS}:flask_wsgi()"]),
}


class RelayProcess:
    """A server process that takes the connections of a listening socket."""

    def __init__(self, sandbox: Sandbox, log: Path, command: list[str]) -> None:
        self._log = log
        environment = os.environ | sandbox.env | {"PYTHONPATH": str(ROOT)}
        # The server inherits it, so that nobody can take its port.
        with socket.create_server(("127.0.0.1", 0)) as listener, log.open("wb") as file:
            self.port = listener.getsockname()[1]
            self._process = subprocess.Popen(
                [part.format(fd=listener.fileno()) for part in command],
                cwd=ROOT,
                env=environment,
                stdout=file,
                stderr=subprocess.STDOUT,
                pass_fds=[listener.fileno()],
            )
        self.origin = f"http://127.0.0.1:{self.port}"

    def page(self, namespace: str | None = "user_1", **headers: str) -> Page:
        return Page(self.origin + MOUNT, self.origin, namespace, headers)

    def printed(self) -> str:
        return self._log.read_text()

    def wait_until_it_answers(self) -> None:
        with self.page(None) as page:
            try:
                assert page.get("/static/interactor-stream.js").status_code == 200, self.printed()
            except httpx.TransportError:
                pytest.fail(self.printed())

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(60)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox().run() as sandbox:
        yield sandbox


@pytest.fixture(
    scope="module",
    params=list(SERVERS),
)
def server(
    request: pytest.FixtureRequest, sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RelayProcess]:
    packages, command = SERVERS[request.param]
    for package in packages:
        pytest.importorskip(package, reason=f"needs the Python package {package} (pip install {package})")
    process = RelayProcess(sandbox, tmp_path_factory.mktemp("relay") / "log", command)
    try:
        process.wait_until_it_answers()
        yield process
    finally:
        process.close()


@pytest.fixture
def new_room(sandbox: Sandbox) -> Callable[[], str]:
    def new_room(namespace: str = "user_1") -> str:
        with sandbox.client() as client:
            user = client.namespace(namespace)
            bot = user.assistants.create(name="Bot", model="gpt-4", system_prompt="Help.")
            return user.rooms.create(assistant_id=bot.id).id

    return new_room


def test_message_is_answered_on_the_stream_and_stands_in_the_history(
    server: RelayProcess, new_room: Callable[[], str]
) -> None:
    room = new_room()
    with server.page() as page, page.room_events(room) as stream:
        assert stream.status == 200, server.printed()
        assert page.say(room, "Hello!").status_code == 201
        events = stream.until("message.complete")
        history = page.get(f"/rooms/{room}/messages").json()["data"]
    assert text_of(events) == "Bot here. You said: Hello!"
    assert {message["role"] for message in history} == {"user", "assistant"}


def test_reader_that_moves_between_workers_gets_every_event_once(
    server: RelayProcess, new_room: Callable[[], str]
) -> None:
    """Each connection goes to any worker."""
    room = new_room()
    with server.page() as page:
        with page.room_events(room) as stream:
            page.say(room, "one two three four five six")
            events = [stream.next()]
        while events[-1] is not None and events[-1]["type"] != "message.complete":
            with page.room_events(room, events[-1]["id"]) as stream:
                events.append(stream.next())
    text = text_of([event for event in events if event])
    assert text == "Bot here. You said: one two three four five six"


def test_browser_that_leaves_ends_the_stream_of_the_platform(
    server: RelayProcess, sandbox: Sandbox, new_room: Callable[[], str]
) -> None:
    with server.page() as page, page.room_events(new_room()):
        assert sandbox.open_streams >= 1
    eventually(lambda: sandbox.open_streams == 0)


def test_foreign_user_foreign_origin_and_hidden_slash_are_refused(
    server: RelayProcess, sandbox: Sandbox, new_room: Callable[[], str]
) -> None:
    room = new_room()
    with server.page("user_2") as page:
        assert page.get(f"/rooms/{room}/messages").status_code == 404
        assert page.get("/rooms/none/messages").status_code == 404
    before = len(sandbox.requests)
    with server.page(None) as page:
        assert page.say(room, "Hi").status_code == 401
    with server.page(origin="https://evil.example") as page:
        assert page.say(room, "Hi").status_code == 403
    with server.page() as page:
        assert page.get(f"/rooms/x%2f..%2f{room}/messages").status_code == 404
        assert page.get("/rooms/%2e%2e/messages").status_code in {404, 405}
        assert page.delete(f"/rooms/{room}/messages").status_code == 405
        assert page.head("/static/interactor-stream.js").status_code == 200
        assert page.post(f"/rooms/{room}/messages", content=b"x").status_code == 415
        # Last, for a server may close the connection of a body that nobody reads.
        large = page.say(room, "x" * 70_000)
        assert (large.status_code, large.json()["error"]["code"]) == (413, "TOO_LARGE")
    assert len(sandbox.requests) == before


def test_server_shuts_down_with_streams_open(sandbox: Sandbox, new_room: Callable[[], str], tmp_path: Path) -> None:
    """Within the time that it was given for what is open."""
    process = RelayProcess(sandbox, tmp_path / "log", SERVERS["FastAPI, two workers"][1])
    process.wait_until_it_answers()
    with process.page() as page, page.room_events(new_room()):
        process.close()
    eventually(lambda: sandbox.open_streams == 0)
