"""A server that is restarted while the relay runs tools: answers are finished, or taken over by another process."""

from __future__ import annotations

import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from interactor_ext import InteractorClient
from interactor_ext.sandbox import Sandbox
from interactor_ext.webhooks import PostgresEventStore
from tests.support.cases import NIGHTLY
from tests.support.postgres_server import PostgresServer
from tests.support.relay_server import MOUNT, Page
from tests.support.served import GUNICORN, UVICORN, Served, needs
from tests.support.waiting import PATIENCE, eventually

pytestmark = pytest.mark.full  # starts each server as a process

pytest_plugins = ["tests.support.sandbox_fixtures", "tests.support.relay_fixtures", "tests.support.server_fixtures"]

# A tool that runs until the file `go` is there, or one for its order, and writes when it begins and ends. Requests are
# held as long as the file `hold` is there.
APPLICATION = """
import os, time
from pathlib import Path
from fastapi import FastAPI
from interactor_ext import ToolSet, get_async_client
from interactor_ext.relay import Relay
import interactor_ext.tools._ledger as _ledger
from interactor_ext.webhooks import PostgresEventStore
from tests.support.relay_server import authorize

_ledger._LEASE = float(os.environ["LEASE"])
dsn = os.environ.get("LEDGER")
tools = ToolSet(ledger=PostgresEventStore(dsn) if dsn else None)

@tools.tool
def ship(order: str) -> str:
    "Ships an order."
    with open("effects", "a") as effects:
        effects.write(f"began {order}\\n")
    while not Path("go").exists() and not Path(f"go {order}").exists():
        time.sleep(0.02)
    time.sleep(float(os.environ["TOOL_SECONDS"]))
    with open("effects", "a") as effects:
        effects.write(f"ended {order}\\n")
    return f"{order} is on its way"

def rooms(namespace, room):
    while Path("hold").exists():
        Path(f"held {room}").touch()
        time.sleep(0.02)
    return True

relay = Relay(
    get_async_client,
    authorize=authorize,
    rooms=rooms,
    tools=tools,
    writes_per_minute=60_000,  # all are one user's
    drain_timeout=float(os.environ["DRAIN"]),
)
app = FastAPI()
app.mount("/interactor", relay)

def wsgi(environ, start_response):
    environ["PATH_INFO"] = environ["PATH_INFO"].removeprefix("/interactor")
    return relay.wsgi(environ, start_response)
"""
GTHREAD = [*GUNICORN, "--worker-class", "gthread", "--threads", "4"]
# The packages and the command of each.
SERVERS = {
    "uvicorn": (["fastapi", "uvicorn"], [*UVICORN, "application:app"]),
    "uvicorn, two workers": (["fastapi", "uvicorn"], [*UVICORN, "--workers", "2", "application:app"]),
    "gunicorn, gthread": (["fastapi", "gunicorn"], [*GTHREAD, "application:wsgi"]),
    "gunicorn, uvicorn": (
        ["fastapi", "gunicorn"],
        [*GUNICORN, "-k", "uvicorn.workers.UvicornWorker", "application:app"],
    ),
}


class Shop(Served):
    """A server with the application, in a folder that all of them share."""

    def __init__(self, sandbox: Sandbox, folder: Path, command: list[str], *, drain: float, **options: Any) -> None:
        settings = {"DRAIN": str(drain), "LEDGER": "", "TOOL_SECONDS": "0", "LEASE": "60", **options}
        super().__init__(command, {**sandbox.env, **settings}, folder)
        self.folder = folder
        self.wait_until_it_answers(f"{MOUNT}/static/interactor-stream.js")

    def page(self) -> Page:
        return Page(self.origin + MOUNT, self.origin, "user_1", {})

    def effects(self) -> list[str]:
        file = self.folder / "effects"
        return file.read_text().splitlines() if file.exists() else []


@pytest.fixture
def start(sandbox: Sandbox, tmp_path: Path) -> Iterator[Callable[..., Shop]]:
    sandbox.replies.add(call=("ship", {"order": "4711"}), then="It is on its way.")
    (tmp_path / "application.py").write_text(APPLICATION)
    with ExitStack() as stack:
        yield lambda command, **options: stack.enter_context(closing(Shop(sandbox, tmp_path, command, **options)))


@pytest.fixture
def bot(backend: InteractorClient) -> str:
    user = backend.namespace("user_1")
    tool = user.tools.create(name="ship", description="Ships an order.", parameters={"type": "object"})
    return user.assistants.create(name="Bot", model="gpt-4", system_prompt="Help.", tools=[tool.id]).id


@pytest.fixture
def room(backend: InteractorClient, bot: str) -> str:
    return backend.namespace("user_1").rooms.create(bot).id


def calls(backend: InteractorClient, room: str) -> list[Any]:
    messages = backend.namespace("user_1").messages.iterate(room, order="asc")
    return [call for message in messages for call in message.tool_calls or ()]


def is_answered(backend: InteractorClient, room: str) -> bool:
    newest = backend.namespace("user_1").messages.list(room, order="desc", per_page=1).data[0]
    return newest.role == "assistant" and not newest.tool_calls


@pytest.mark.parametrize("taken_over", [False, True])
@pytest.mark.parametrize("name", SERVERS)
def test_server_that_stops_waits_for_its_tools(
    name: str,
    start: Callable[..., Shop],
    room: str,
    backend: InteractorClient,
    postgres: PostgresServer,
    *,
    taken_over: bool,
) -> None:
    """No browser reads the stream: it was closed after the question, or after the tool was taken over."""
    packages, command = SERVERS[name]
    needs(packages)
    PostgresEventStore(postgres.dsn).create()
    shop = start(command, drain=PATIENCE, LEDGER=postgres.dsn)
    with shop.page() as page:
        if taken_over:
            backend.namespace("user_1").messages.send(room, content="Ship it.")
            with page.room_events(room):
                eventually(shop.effects)
        else:
            assert page.say(room, "Ship it.").status_code == 201
    eventually(lambda: shop.effects() == ["began 4711"])
    shop.process.send_signal(signal.SIGTERM)
    with pytest.raises(subprocess.TimeoutExpired):
        shop.process.wait(1)
    (shop.folder / "go").touch()
    shop.process.wait(PATIENCE)
    assert shop.effects() == ["began 4711", "ended 4711"], shop.printed()
    assert [call.status for call in calls(backend, room)] == ["completed"]


def test_request_that_is_under_way_when_the_server_stops_is_finished_too(
    start: Callable[..., Shop], sandbox: Sandbox, backend: InteractorClient, bot: str
) -> None:
    sandbox.replies.clear()
    for order in ("1", "2"):
        sandbox.replies.add(when=f"order {order}", call=("ship", {"order": order}), then="It is on its way.")
    first, second, third = (backend.namespace("user_1").rooms.create(bot).id for _ in range(3))
    shop = start(SERVERS["uvicorn"][1], drain=PATIENCE)
    with shop.page() as page, ThreadPoolExecutor(2) as pool:
        with page.room_events(first) as stream:
            assert page.say(first, "Ship order 1.").status_code == 201
            (shop.folder / "hold").touch()
            message = pool.submit(page.say, second, "Ship order 2.")
            late_stream = pool.submit(page.get, f"/rooms/{third}/stream")
            eventually(lambda: all((shop.folder / f"held {room}").exists() for room in (second, third)))
            eventually(lambda: shop.effects() == ["began 1"])
            shop.process.send_signal(signal.SIGTERM)
            list(stream)  # ends as the server begins to wait
        (shop.folder / "hold").unlink()
        assert message.result().status_code == 201
        assert late_stream.result().status_code == 503
        eventually(lambda: "began 2" in shop.effects())
        (shop.folder / "go 1").touch()
        eventually(lambda: is_answered(backend, first))
        (shop.folder / "go 2").touch()
    shop.process.wait(PATIENCE)
    assert shop.printed() == ""
    assert [call.status for call in calls(backend, second)] == ["completed"]


def test_uvicorn_whose_authorization_hangs_ends_with_a_time_limit_alone(start: Callable[..., Shop], room: str) -> None:
    shop = start([*SERVERS["uvicorn"][1], "--timeout-graceful-shutdown", "1"], drain=0.2)
    (shop.folder / "hold").touch()
    with shop.page() as page, ThreadPoolExecutor(1) as pool:
        asked = pool.submit(page.get, f"/rooms/{room}/messages")
        eventually((shop.folder / f"held {room}").exists)
        shop.process.terminate()
        shop.process.wait(PATIENCE)
        assert asked.exception() is not None or asked.result().status_code >= 500


@pytest.mark.parametrize("name", ["uvicorn", "gunicorn, gthread"])
def test_tool_that_outlives_the_drain_is_logged_and_told_apart_by_the_next_process(
    name: str, start: Callable[..., Shop], room: str, backend: InteractorClient, postgres: PostgresServer
) -> None:
    packages, command = SERVERS[name]
    needs(packages)
    PostgresEventStore(postgres.dsn).create()
    old = start(command, drain=0.2, LEDGER=postgres.dsn, LEASE="2")
    with old.page() as page:
        message = page.say(room, "Ship it.").json()["data"]["id"]
    eventually(lambda: old.effects() == ["began 4711"])
    [call] = calls(backend, room)
    old.process.terminate()
    old.process.wait(PATIENCE)
    assert (
        f"The reply to message {message} of room {room} (tool calls that run: {call.id}) was cut off" in old.printed()
    )
    new = start(command, drain=0.2, LEDGER=postgres.dsn)
    with new.page() as page, page.room_events(room):
        eventually(lambda: is_answered(backend, room))
    assert [each.status for each in calls(backend, room)] == ["failed"]
    assert new.effects() == ["began 4711"]  # it may have taken effect: it isn't run again
    assert "the outcome of the tool ship is unknown" in new.printed()


def test_call_that_nobody_began_is_run_when_a_browser_writes(
    start: Callable[..., Shop], room: str, backend: InteractorClient, postgres: PostgresServer
) -> None:
    PostgresEventStore(postgres.dsn).create()
    backend.namespace("user_1").messages.send(room, content="Ship it.")
    eventually(lambda: calls(backend, room))
    shop = start(SERVERS["uvicorn"][1], drain=0.2, LEDGER=postgres.dsn)
    (shop.folder / "go").touch()
    with shop.page() as page:
        assert page.say(room, "Well?").status_code == 201
    eventually(lambda: {call.status for call in calls(backend, room)} == {"completed"} and is_answered(backend, room))


def test_rolling_restart_runs_each_tool_once_and_loses_no_answer(
    start: Callable[..., Shop], sandbox: Sandbox, backend: InteractorClient, bot: str, postgres: PostgresServer
) -> None:
    """Two servers, each replaced by a new one again and again, while browsers chat through whichever is there."""
    PostgresEventStore(postgres.dsn).create()
    command = SERVERS["uvicorn"][1]
    how_many, restarts = (200, 5) if NIGHTLY else (40, 3)
    sandbox.replies.clear()
    for number in range(how_many):
        sandbox.replies.add(when=f"order {number}!", call=("ship", {"order": str(number)}), then="It is on its way.")
    options = {"drain": PATIENCE, "LEDGER": postgres.dsn, "TOOL_SECONDS": "1"}
    servers = [start(command, **options) for _ in range(2)]
    (servers[0].folder / "go").touch()

    def chat(number: int) -> bool:
        room, sent = backend.namespace("user_1").rooms.create(bot).id, False
        deadline = time.monotonic() + 3 * PATIENCE
        while time.monotonic() < deadline:
            try:
                with servers[number % 2].page() as page:
                    if not sent:
                        key = {"idempotency-key": f"key-{number}"}
                        sent = page.say(room, f"order {number}!", **key).status_code == 201
                    with page.room_events(room) as stream:
                        # An answer from before the stream is in the history.
                        if sent and not is_answered(backend, room):
                            stream.until("message.complete")
            except (httpx.TransportError, StopIteration, AssertionError):
                pass  # the server is being replaced: a browser comes back
            if sent and is_answered(backend, room):
                return True
        return False

    with ThreadPoolExecutor(16) as pool:
        answers = [pool.submit(chat, number) for number in range(how_many)]
        for round_ in range(restarts):
            for place in range(2):
                done = how_many * (2 * round_ + place + 1) // (2 * restarts + 1)
                eventually(lambda done=done: sum(each.done() for each in answers) >= min(done, how_many))
                old, servers[place] = servers[place], start(command, **options)
                old.process.terminate()
        assert all(answer.result() for answer in answers)
    began = Counter(line for line in servers[0].effects() if line.startswith("began"))
    assert began == {f"began {number}": 1 for number in range(how_many)}
    rooms = backend.namespace("user_1").rooms.iterate(per_page=100)
    assert {call.status for room in rooms for call in calls(backend, room.id)} == {"completed"}
