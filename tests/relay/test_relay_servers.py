"""The relay under the servers and frameworks that it is made for, in processes of their own."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from interactor_ext.sandbox import Sandbox
from tests.support.forks import needs_fork
from tests.support.relay_server import MOUNT, Page, text_of
from tests.support.served import GUNICORN, HYPERCORN, UVICORN, Served, needs
from tests.support.waiting import PATIENCE, eventually

pytestmark = pytest.mark.full  # starts each server as a process

pytest_plugins = ["tests.support.sandbox_fixtures", "tests.support.relay_fixtures"]

APPS = "tests.support.relay_apps"
ENDS_SOON = "--timeout-graceful-shutdown", "1"
GRACE = "--graceful-timeout", "1"
BY_UVICORN, BY_HYPERCORN = [*UVICORN, *ENDS_SOON], [*HYPERCORN, *GRACE]
BY_GUNICORN = [*GUNICORN, *GRACE, "--worker-class", "gthread", "--threads", "8"]
# The packages and the command of each.
SERVERS = {
    "bare ASGI, uvicorn": (["uvicorn"], [*BY_UVICORN, f"{APPS}:bare_asgi"]),
    "bare ASGI, hypercorn": (["hypercorn"], [*BY_HYPERCORN, f"{APPS}:bare_asgi"]),
    "Starlette, uvicorn": (["starlette"], [*BY_UVICORN, "--factory", f"{APPS}:starlette_app"]),
    "FastAPI, two workers": (["fastapi"], [*BY_UVICORN, "--workers", "2", "--factory", f"{APPS}:fastapi_app"]),
    "FastAPI, hypercorn": (["fastapi", "hypercorn"], [*BY_HYPERCORN, f"{APPS}:fastapi_app()"]),
    "Django ASGI": (["django"], [*BY_UVICORN, "--factory", f"{APPS}:django_asgi"]),
    "Django WSGI": (["django", "gunicorn"], [*BY_GUNICORN, f"{APPS}:django_wsgi()"]),
    "Flask, two workers": (["flask", "gunicorn"], [*BY_GUNICORN, "--workers", "2", f"{APPS}:flask_wsgi()"]),
}


class RelayProcess(Served):
    """A server with one of the applications."""

    def __init__(self, sandbox: Sandbox, folder: Path, command: list[str]) -> None:
        super().__init__(command, sandbox.env, folder)
        self.wait_until_it_answers(f"{MOUNT}/static/interactor-stream.js")

    def page(self, namespace: str | None = "user_1", **headers: str) -> Page:
        return Page(self.origin + MOUNT, self.origin, namespace, headers)


@pytest.fixture(scope="module", params=list(SERVERS))
def server(
    request: pytest.FixtureRequest, sandbox_server: Sandbox, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RelayProcess]:
    packages, command = SERVERS[request.param]
    needs(packages)
    with closing(RelayProcess(sandbox_server, tmp_path_factory.mktemp("relay"), command)) as process:
        yield process


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


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals that a process can send")
@pytest.mark.parametrize("told", [signal.SIGINT, signal.SIGTERM])
def test_uvicorn_without_a_time_limit_ends_although_a_page_is_open(
    sandbox: Sandbox, new_room: Callable[[], str], tmp_path: Path, told: signal.Signals
) -> None:
    process = RelayProcess(sandbox, tmp_path, [*UVICORN, "--factory", f"{APPS}:fastapi_app"])
    try:
        with process.page() as page, page.room_events(new_room()) as stream:
            assert stream.status == 200
            process.process.send_signal(told)
            process.process.wait(60)
            assert list(stream) == []
    finally:
        process.process.kill()
        process.process.wait()
    assert "Traceback" not in process.printed()
    assert "ERROR" not in process.printed()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals that a process can send")
@pytest.mark.parametrize("name", ["hypercorn", "gunicorn"])
def test_server_that_waits_for_open_streams_ends_within_its_time_limit(
    sandbox: Sandbox, new_room: Callable[[], str], tmp_path: Path, name: str
) -> None:
    needs(["fastapi", name])
    command = HYPERCORN if name == "hypercorn" else [*GUNICORN, "--worker-class", "asgi"]
    process = RelayProcess(sandbox, tmp_path, [*command, "--graceful-timeout", "3", f"{APPS}:fastapi_app()"])
    with process.page() as page, page.room_events(new_room()) as stream:
        assert stream.status == 200
        process.process.terminate()
        with pytest.raises(subprocess.TimeoutExpired):
            process.process.wait(0.2)
        process.process.wait(PATIENCE)


# The account server never responds, so the task that opens the stream is running when the process forks.
FORKS = """
import os, signal, socket, sys, threading
from interactor_ext import AsyncInteractorClient
from interactor_ext.relay import Relay

silent = socket.create_server(("127.0.0.1", 0))
url = f"http://127.0.0.1:{silent.getsockname()[1]}/api/v1"
client = AsyncInteractorClient(client_id="a", client_secret="b", core_api_url=url, account_server_url=url)
relay = Relay(client, authorize=lambda scope: "user_1", drain_timeout=3600)
environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/rooms/room_1/stream"}
threading.Thread(target=relay.wsgi, args=(environ, print), daemon=True).start()
connection = silent.accept()
if os.fork() == 0:
    signal.alarm(60)
    sys.exit()
os._exit(os.wait()[1] != 0)
"""


@needs_fork
def test_child_forked_while_a_stream_is_open_exits_at_once() -> None:
    subprocess.run([sys.executable, "-W", "ignore", "-c", FORKS], check=True)
