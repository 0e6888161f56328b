"""`pytest --interactor-explore` in projects of their own, by the plugin's options alone."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from interactor_ext.cli.app import run as interactor
from tests.support import patient

INI = "[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function\n"
# A busy machine tries all schedules, too.
EXPLORE = ("--interactor-explore", "--interactor-budget=20m")


def start(folder: Path, *options: str, **files: str) -> subprocess.Popen[str]:
    """pytest in a project of these files."""
    for name, text in {**files, "pytest": INI}.items():
        (folder / f"{name}{'.ini' if name == 'pytest' else '.py'}").write_text(text)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "interactor", "-p", "pytest_asyncio.plugin", *options]
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=folder, env=environment, text=True, stdout=pipe, stderr=subprocess.STDOUT)


def explore(folder: Path, *options: str, **files: str) -> str:
    """The output of pytest in a project of these files."""
    with start(folder, *options, **files) as running:
        output = running.communicate(timeout=600)[0]
    print(output)  # for whoever sees a test of this module fail
    return output


def section(output: str, test: str) -> str:
    """The report of a test."""
    return re.split(r"^_{3,} |^={3,} ", output.partition(f" {test} _")[2], flags=re.MULTILINE)[0].lstrip("_\n")


def survivors(output: str) -> dict[str, bool]:
    """The explored tests, and whether they have survived."""
    explored = re.findall(r"^test_\w+\.py::(\S+): \d+ schedule", output, re.MULTILINE)
    return {test: f"::{test} - " not in output for test in explored}


REQUESTS = """
import asyncio, threading, time, uuid
import pytest
from interactor_ext import InteractorError, get_client

made = []

def create(**options):
    user = get_client(max_retries=0).namespace(f"user_{uuid.uuid4()}").with_options(**options)
    for attempt in range(3):
        try:
            return user.assistants.create(name="Bot", model="m", system_prompt="")
        except InteractorError:
            time.sleep(2**attempt)
    raise RuntimeError("given up")

def test_with_key(interactor_sandbox):
    made.append(create(idempotency_key="k"))
    assert len(made) == 1  # a global is as new in each run

def test_without_key(interactor_sandbox):
    create()

def test_expectation(interactor_client, interactor_explore):
    interactor_explore.expect(lambda world: len(world.requests) == 2)
    interactor_client.namespace("user_1").tools.list()

async def test_async(async_interactor_client):
    user = async_interactor_client.namespace("user_1").with_options(max_retries=0)
    for attempt in range(4):
        try:
            return await user.tools.list()
        except InteractorError:
            await asyncio.sleep(2**attempt)

def test_thread(interactor_client):
    user = interactor_client.namespace("user_1").with_options(max_retries=0)
    thread = threading.Thread(target=user.tools.list)
    thread.start()
    thread.join()

@pytest.mark.xfail(strict=True)
def test_fails_undisturbed(interactor_client):
    assert interactor_client.namespace("user_1").tools.list().data

def test_without_platform():
    pass
"""
WITHOUT_KEY = """\
It fails under 3 of 13 schedules.

request                             refused  lost  limited  unavailable  slow  cut   revoked
r1       create_token               .        .     .        .            .     .
r2       create_assistant (user_X)  .        FAIL  .        .            FAIL  FAIL  .

r2:lost, r2:slow, r2:cut
  Created 2 times on the platform, not 1: assistant {"model": "m", "name": "Bot", "system_prompt": ""} of namespace \
'user_X'

The smallest failing schedule is r2:lost:
  r2:lost  r.create_assistant.1@user_X: the request takes effect, and its response is lost
  r1 create_token -> r2 create_assistant [LOST] -> r.create_assistant.2@user_X

Repeat it with:
  pytest test_r.py::test_without_key --interactor-schedule=r2:lost
"""


def test_requests(tmp_path: Path) -> None:
    output = explore(tmp_path, *EXPLORE, test_r=REQUESTS)
    survived = {"test_with_key": True, "test_async": True}
    assert survivors(output) == {**survived, "test_without_key": False, "test_expectation": False, "test_thread": False}
    assert section(output, "test_without_key") == WITHOUT_KEY
    assert "What the test expects does not hold" in section(output, "test_expectation")
    assert "Raised in the background: interactor_ext.APITimeoutError" in section(output, "test_thread")
    assert "1 xfailed" in output


# A server of one of the RECEIVERS.
RECEIVING = """
import io, json, secrets, subprocess, sys, threading, time
from contextlib import suppress
from pathlib import Path
from wsgiref.simple_server import WSGIRequestHandler, make_server
import httpx
import pytest
from interactor_ext import InteractorError, get_client
from interactor_ext.sse import SSEDecoder
from interactor_ext.webhooks import MemoryEventStore, WebhookRouter, WebhookVerifier

verifier = WebhookVerifier("whsec_x")
router = WebhookRouter(verifier, store=MemoryEventStore())
handled = []

@router.on("credential.*")
def handle(event):
    handled.append(event.event)

def answer(handle):
    def application(environ, start_response):
        body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        handle(json.loads(body)["event"])
        start_response("200 OK", [])
        return [b""]
    return application

class Quiet(WSGIRequestHandler):
    def log_message(self, *args):
        pass

@pytest.fixture
def url(request):
    server = make_server("127.0.0.1", 0, RECEIVERS[request.param], handler_class=Quiet)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()
"""
# A receiver that handles each event once, and others that don't.
DELIVERIES = """
def connected_first(name):
    if name == "credential.connected":
        handled.append(name)
    elif "credential.connected" in handled:
        handled.append(name)

RECEIVERS = {"once": router.wsgi, "each": answer(handled.append), "assuming": answer(connected_first)}

@pytest.mark.interactor_invariant
def handled_once(request):
    if "url" in request.fixturenames:
        assert sorted(handled) == ["credential.connected", "credential.expired"]

@pytest.mark.parametrize("url", list(RECEIVERS), indirect=True)
def test_events(interactor_sandbox, interactor_client, url):
    user = interactor_client.namespace("user_1")
    user.webhooks.create(url=url, events=["credential.connected", "credential.expired"], secret="whsec_x")
    credential = interactor_sandbox.add_credential("google", namespace="user_1")
    interactor_sandbox.expire_credential(credential["id"])
    interactor_sandbox.wait_for_deliveries()

def room(interactor_client):
    user = interactor_client.namespace("user_1")
    bot = user.assistants.create(name="Bot", model="m", system_prompt="")
    return user, user.rooms.create(bot.id)

def test_chat(interactor_client):
    user, room_ = room(interactor_client)
    with user.chat(room_.id, "Hello!") as reply:
        assert "".join(reply.text()) == "Bot here. You said: Hello!"

def test_first_connection(interactor_client):
    user, room_ = room(interactor_client)
    with user.rooms.stream(room_.id, max_reconnects=0) as stream:
        user.messages.send(room_.id, "Hello!")
        assert any(event.type == "message.complete" for event in stream)

def test_own_reader(interactor_client):
    user, room_ = room(interactor_client)
    user.messages.send(room_.id, "Hello!")
    url, ids, types = user.room_stream_url(room_.id), ["0"], []
    while "message.complete" not in types:
        decoder = SSEDecoder()
        with suppress(httpx.TransportError), httpx.stream("GET", url, headers={"Last-Event-ID": ids[-1]}) as stream:
            for chunk in stream.iter_bytes():
                for event in decoder.feed(chunk):
                    ids.append(event.id)
                    types.append(json.loads(event.data)["type"])
                if "message.complete" in types:
                    break
    assert len(ids) == len(set(ids))

SERVER = '''
import os, sys, threading, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Receiver(BaseHTTPRequestHandler):
    def store(self, body):
        while sys.argv[1] == "afterwards" and not os.path.exists("acknowledged"):
            time.sleep(0.01)
        with open("stored", "ab") as file:
            file.write(body)
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if sys.argv[1] == "first":
            self.store(body)
        else:
            threading.Thread(target=self.store, args=[body]).start()
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *args):
        pass
server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), Receiver)
print("ready", flush=True)
server.serve_forever()
'''

@pytest.mark.parametrize("when", ["first", "afterwards"])
def test_process(interactor_sandbox, interactor_client, when, tmp_path, interactor_explore):
    port = 10_000 + secrets.randbelow(20_000)  # those above could be another's by the time it starts again
    command = [sys.executable, "-c", SERVER, when, str(port)]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        user = interactor_client.namespace("user_1")
        user.webhooks.create(url=f"http://127.0.0.1:{port}/", events=["credential.connected"], secret="whsec_x")
        interactor_sandbox.add_credential("google", namespace="user_1")
        interactor_sandbox.wait_for_deliveries()
        (tmp_path / "acknowledged").touch()
        stored = tmp_path / "stored"
        for _ in range(300):
            if stored.exists():
                break
            time.sleep(0.01)
        process.kill()
    interactor_explore.expect(lambda world: stored.exists())
"""


@pytest.mark.full
def test_deliveries_streams_and_processes(tmp_path: Path) -> None:
    output = explore(tmp_path, *EXPLORE, test_d=RECEIVING + DELIVERIES)
    survived = {test for test, has_survived in survivors(output).items() if has_survived}
    assert survived == {"test_events[once]", "test_chat", "test_process[first]"}
    failing = {
        "test_events[each]": "d1:twice, d1:failed, d2:twice, d2:failed\n  The invariant handled_once does not hold",
        "test_events[assuming]": "d1:reordered",
        "test_first_connection": "s1:cut-before, s1:cut-within, s1:cut-after, s1:repeated",
        "test_own_reader": "s1:repeated",
        "test_process[afterwards]": "p1:died\n  in the teardown: AssertionError: What the test expects does not hold",
    }
    for test, expected in failing.items():
        assert expected in section(output, test), test


OTHERS = """
def acknowledging(environ, start_response):
    try:
        get_client(max_retries=0).namespace("user_1").tools.list()
    except InteractorError:
        start_response("200 OK", [])  # the event is lost, or handled half a second later
        if environ["PATH_INFO"] == "/late":
            body = io.BytesIO(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
            threading.Timer(0.5, router.wsgi, [{**environ, "wsgi.input": body}, lambda *_: None]).start()
        return [b""]
    return router.wsgi(environ, start_response)

RECEIVERS = {"tool": answer(handled.append), "acknowledging": acknowledging}

@pytest.mark.parametrize("url", ["tool"], indirect=True)
def test_tool(interactor_sandbox, interactor_client, url):
    user = interactor_client.namespace("user_1")
    tool = user.tools.create(name="pay", description="Pays.", parameters={}, callback_url=url)
    bot = user.assistants.create(name="Bot", model="m", system_prompt="", tools=[tool.id])
    room = user.rooms.create(bot.id)
    user.messages.send(room.id, "/tool pay {}")
    while "returned" not in (content := user.messages.list(room.id, order="desc").data[0].content):
        time.sleep(0.01)
    assert "error" not in content
    assert handled == ["room.tool_call.pending"]

@pytest.mark.parametrize("path", ["lost", "late"])
@pytest.mark.parametrize("url", ["acknowledging"], indirect=True)
def test_event(interactor_sandbox, interactor_client, url, path):
    user = interactor_client.namespace("user_1")
    user.webhooks.create(url=url + path, events=["credential.connected"], secret="whsec_x")
    interactor_sandbox.add_credential("google", namespace="user_1")
    interactor_sandbox.wait_for_deliveries()

def test_unsteady(interactor_client):
    user, runs = interactor_client.namespace("user_1"), Path(__file__).with_name("runs")
    with runs.open("a") as file:
        file.write(".")
    both = [user.tools.list, user.data_sources.list]
    for each in both if len(runs.read_text()) % 2 else reversed(both):
        each()
    for attempt in range(3):
        try:
            return user.with_options(max_retries=0).assistants.create(name="Bot", model="m", system_prompt="")
        except InteractorError:
            pass
"""


CALLED_TWICE = "AssertionError: assert ['room.tool_c...call.pending'] == ['room.tool_call.pending']"
NEVER_HANDLED = "Acknowledged and never handled: the event d.credential.connected.1@user_1"


@pytest.mark.full
def test_tool_calls_lost_events_and_unsteady_order(tmp_path: Path) -> None:
    """In an unsteady order, places have names that every run finds again."""
    output = explore(tmp_path, *EXPLORE, "-k", "unsteady", test_o=RECEIVING + OTHERS)
    name = "r.create_assistant.1@user_1:lost"
    assert f"pytest test_o.py::test_unsteady --interactor-schedule={name}\n" in output
    for test, schedule, expected in (
        ("unsteady", name, "Created 2 times on the platform, not 1: assistant"),
        ("unsteady", name, "Created 2 times on the platform, not 1: assistant"),
        ("tool", "t1:twice", CALLED_TWICE),
        ("tool", "t1:lost", "assert 'error' not in "),
        ("event and lost", "r4:refused", NEVER_HANDLED),
    ):
        output = explore(tmp_path, f"--interactor-schedule={schedule}", "-k", f"test_{test}")
        assert f"\n{schedule}\n  {expected}" in output
    assert "\n1 passed" in explore(tmp_path, "--interactor-schedule=r4:refused", "-k", "event and late")


def test_inspector_shows_schedule_as_line_of_time(tmp_path: Path) -> None:
    options = ("--interactor-schedule=r2:lost", "--interactor-inspect", "-k", "without_key")
    with start(tmp_path, *options, test_r=REQUESTS) as running:
        assert running.stdout is not None
        address = next(line.split()[-1] for line in running.stdout if "then press Ctrl-C: " in line)
        schedule = patient.get(f"{address.removesuffix('#requests')}/page/state").json()["schedule"]
        running.send_signal(signal.SIGINT)
        output = running.stdout.read()
    line_of_time = [each["place"] for each in schedule]
    assert line_of_time == ["r1 create_token", "r2 create_assistant [LOST]", "r.create_assistant.2@user_X"]
    assert [each["fault"] for each in schedule] == ["", "lost", ""]
    assert "\nRepeat it with:" in output
    assert "--interactor-inspect shows a single run: add --interactor-schedule." in explore(tmp_path, options[1])


@pytest.mark.full
def test_report_is_the_same_when_distributed(tmp_path: Path) -> None:
    options = (*EXPLORE, "-p", "xdist", "-n", "2", "test_r.py::test_without_key")
    distributed = explore(tmp_path, *options, test_r=REQUESTS)
    assert re.sub(r"\[gw\d\].*\n", "", section(distributed, "test_without_key")) == WITHOUT_KEY


def test_schedule_is_replayed_or_refused(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    test = "test_r.py::test_without_key"
    replayed = explore(tmp_path, "--interactor-schedule=r2:lost", test, test_r=REQUESTS)
    assert "r2       create_assistant (user_X)  FAIL\n" in replayed
    full_name = "r.create_assistant.1@user_X:refused,r.create_assistant.2@user_X:lost"
    output = explore(tmp_path, f"--interactor-schedule={full_name}", test)
    assert "failing schedule is r2:refused,r.create_assistant.2@user_X:lost:\n" in output
    capfd.readouterr()
    command = [sys.executable, "-m", "pytest", str(tmp_path / "test_r.py"), "-k", "test_without_key"]
    assert interactor(["explore", "--schedule", "r2:lots", "--", *command]) == 1
    assert "Unknown 'r2:lots'. Did you mean r2:lost, r2:slow, " in capfd.readouterr().out


PAIR = """
import threading, time
from interactor_ext import InteractorError, get_client

def test_one_repeat(interactor_sandbox):
    user = get_client(max_retries=0).namespace("user_1")
    try:
        user.tools.list()
    except InteractorError:
        time.sleep(2)
        user.tools.list()

def test_hang(interactor_client):
    try:
        interactor_client.namespace("user_1").with_options(max_retries=0).tools.list()
    except InteractorError:
        threading.Event().wait()
"""


@pytest.mark.full
def test_two_faults(tmp_path: Path) -> None:
    options = ("--interactor-explore=2", "--interactor-budget=5m", "-k", "repeat")
    output = section(explore(tmp_path, *options, test_p=PAIR), "test_one_repeat")
    assert "FAIL" not in output
    assert "The smallest failing schedule is r1:refused,r2:refused:" in output


@pytest.mark.full
def test_hang(tmp_path: Path) -> None:
    output = explore(tmp_path, "--interactor-schedule=r2:limited", "-k", "hang", test_p=PAIR)
    assert "r2:limited\n  It hangs: it was not over after " in output
    assert re.search(r'File ".*test_p.py", line \d+ in test_hang$', output, re.MULTILINE)
    assert "_pytest" not in section(output, "test_hang")


NOTHING_LOADED = """
import sys

def test_modules(interactor_client, interactor_explore):
    interactor_explore.expect(lambda world: len(world.requests) == 0)
    assert not [name for name in sys.modules if "interactor_ext" in name and "explore" in name]
"""


def test_without_the_option_nothing_of_it_is_loaded(tmp_path: Path) -> None:
    assert "1 passed" in explore(tmp_path, test_m=NOTHING_LOADED)
