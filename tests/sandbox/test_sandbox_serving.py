"""Starting, stopping and serving the sandbox, its journals, its command."""

from __future__ import annotations

import asyncio
import logging
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from interactor_ext.cli import main
from interactor_ext.sandbox import Clock, Journal, Sandbox
from interactor_ext.sandbox.http.connections import CuttableProtocol
from interactor_ext.sandbox.http.pipeline import HANDLERS
from interactor_ext.sandbox.http.server import Server, listen, origin, serving
from tests.support.sandbox_caller import Caller, Listener, fetch_token, listening, problem

pytest_plugins = ["tests.support.sandbox_fixtures"]


def test_urls_exist_only_while_running() -> None:
    sandbox = Sandbox()
    with pytest.raises(RuntimeError, match="not running"):
        _ = sandbox.core_api_url
    with sandbox.run() as running:
        assert running is sandbox
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/api/v1", sandbox.core_api_url)
        assert sandbox.account_server_url == sandbox.core_api_url.replace("/api", "/auth/api")
        assert sandbox.env["INTERACTOR_CORE_API_URL"] == sandbox.core_api_url
        assert "sandbox_secret" not in repr(sandbox)
        with pytest.raises(RuntimeError, match="already"), sandbox.run():
            raise AssertionError
    assert repr(sandbox) == "Sandbox(not running)"


def test_sandbox_does_not_change_process_logging() -> None:
    """uvicorn's own handlers would keep writing to the current stderr, which a test closes at its end."""
    loggers = [logging.getLogger(name) for name in ("uvicorn", "uvicorn.error")]
    before = [list(logger.handlers) for logger in loggers]
    with Sandbox().run():
        assert [logger.handlers for logger in loggers] == before


def test_server_stops_when_it_is_told_to_and_sleeps_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """uvicorn by itself sleeps 0.1 s before it looks whether to stop, and again before it does."""
    slept: list[float] = []

    class Asyncio:
        """The module, as uvicorn sees it."""

        def __getattr__(self, name: str) -> Any:
            return getattr(asyncio, name)

        async def sleep(self, seconds: float) -> None:
            slept.append(seconds)
            await asyncio.sleep(seconds)

    monkeypatch.setattr("uvicorn.server.asyncio", Asyncio())
    with Sandbox().run() as sandbox, Caller(sandbox) as caller:
        caller.room()
    assert slept == []


def test_state_survives_restart_of_server() -> None:
    sandbox = Sandbox()
    with sandbox.run(), Caller(sandbox) as caller:
        room = caller.room()
    with sandbox.run(), Caller(sandbox) as caller:
        assert caller.read("/rooms") == [room]


def test_concurrent_sandboxes_share_nothing() -> None:
    with Sandbox().run() as one, Sandbox(client_id="b", client_secret="c").run() as two:
        with Caller(one) as caller, Caller(two) as other:
            caller.room()
            assert other.read("/rooms") == []
        with Caller(two, token=fetch_token(one)) as stranger:
            problem(stranger.get("/rooms"), 401, "AUTH_ERROR")


def test_port_in_use_raises_os_error() -> None:
    with Sandbox().run() as sandbox:
        port = int(sandbox.core_api_url.split(":")[2].split("/")[0])
        other = Sandbox()
        with pytest.raises(OSError, match="in use"), other.run(port):
            raise AssertionError
        with other.run():
            pass


def test_sandbox_listens_on_given_host_and_port() -> None:
    try:
        listen("::1", 0).close()
    except OSError:
        pytest.skip("no IPv6 here")
    with Sandbox().run(host="::1") as sandbox, Caller(sandbox) as caller:
        assert sandbox.core_api_url.startswith("http://[::1]:")
        assert caller.get("/rooms").status_code == 200
    with listen("0.0.0.0", 0) as anywhere:
        assert origin(anywhere).startswith("http://127.0.0.1:")


def test_sandbox_stops_with_open_connections() -> None:
    with ExitStack() as stack:
        with Sandbox(word_delay=30).run() as sandbox:
            caller = stack.enter_context(Caller(sandbox))
            room = caller.room()
            listeners = [Listener(caller, f"/rooms/{room['id']}/stream") for _ in range(30)]
            caller.make(f"/rooms/{room['id']}/messages", content="never finished", stream=True)
            listeners[0].until("message.delta")
            stopping = time.monotonic()
        assert time.monotonic() - stopping < 25
        for listener in listeners:
            assert not [event for event in listener.end() if event["type"] == "done"]
            listener.close()


def test_latency_fault_does_not_delay_stop(caplog: pytest.LogCaptureFixture) -> None:
    with Sandbox().run() as sandbox, Caller(sandbox) as caller:
        sandbox.faults.add("list_tools", kind="latency", latency=60)
        with pytest.raises(httpx.ReadTimeout):
            caller.get("/tools", timeout=1)
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_server_start_failure_raises_runtime_error(caplog: pytest.LogCaptureFixture) -> None:
    @asynccontextmanager
    async def broken(_: Starlette) -> AsyncIterator[None]:
        raise OSError("no disk")
        yield

    server = Server(Starlette(lifespan=broken), before_shutdown=lambda: None)
    with (
        listen("127.0.0.1", 0) as sock,
        pytest.raises(RuntimeError, match="did not start"),
        serving(server, sock),
    ):
        raise AssertionError


def test_connection_accepted_while_the_server_stops_is_closed() -> None:
    server = Server(Starlette(), before_shutdown=lambda: None)

    class StopsTheServer(CuttableProtocol):
        def __init__(self, *arguments: Any, **settings: Any) -> None:
            server._stopping.set()
            super().__init__(*arguments, **settings)

    server.config.http = StopsTheServer
    sock = listen("127.0.0.1", 0)
    address = sock.getsockname()
    with serving(server, sock), socket.create_connection(address, timeout=60) as client:
        assert client.recv(1) == b""


async def test_async_client_works_against_threaded_server() -> None:
    with Sandbox().run() as sandbox:
        async with httpx.AsyncClient() as client:
            urls = [f"{sandbox.account_server_url}/oauth/jwks"] * 50
            answers = await asyncio.gather(*(client.get(url) for url in urls))
        assert {answer.status_code for answer in answers} == {200}
        assert len(sandbox.requests) == 50


async def test_sandbox_app_works_under_asgi_transport() -> None:
    sandbox = Sandbox()
    transport = httpx.ASGITransport(sandbox.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://platform.test") as client:
        body = {"grant_type": "client_credentials", **credentials(sandbox)}
        answer = await client.post("/auth/api/v1/oauth/token", json=body)
        headers = {"authorization": f"Bearer {answer.json()['data']['access_token']}"}
        assert (await client.get("/api/v1/rooms", headers=headers)).status_code == 200
        sandbox.add_credential("google")
        listed = await client.get("/api/v1/credentials", headers=headers)
        assert len(listed.json()["data"]) == 1
        sandbox.reset()
        assert (await client.get("/api/v1/rooms", headers=headers)).status_code == 401


async def test_websocket_is_closed() -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    await Sandbox().app({"type": "websocket", "path": "/api/v1/rooms", "headers": []}, receive, send)
    assert sent == [{"type": "websocket.close", "code": 1000}]


def credentials(sandbox: Sandbox) -> dict[str, str]:
    return {"client_id": sandbox.client_id, "client_secret": sandbox.client_secret}


def test_sandbox_client_connects(sandbox: Sandbox) -> None:
    with sandbox.client(namespace="user_1") as client:
        assert client.assistants.list().data == []
    assert [record.operation for record in sandbox.requests] == ["create_token", "list_assistants"]
    assert sandbox.requests[-1].namespace == "user_1"


async def test_sandbox_async_client_connects(sandbox: Sandbox) -> None:
    async with sandbox.async_client(client_secret="wrong") as client:
        with pytest.raises(Exception, match="client id or the client secret"):
            await client.assistants.list()
    async with sandbox.async_client() as client:
        assert (await client.assistants.list()).data == []


def test_reset_clears_all_state(sandbox: Sandbox, caller: Caller) -> None:
    caller.room()
    sandbox.faults.add(status=503, times=None)
    sandbox.clock.advance(100)
    sandbox.reset()
    assert (len(sandbox.requests), len(sandbox.events), len(sandbox.faults)) == (0, 0, 0)
    assert abs(sandbox.clock.now() - time.time()) < 50
    problem(caller.get("/rooms"), 401, "AUTH_ERROR")
    with Caller(sandbox) as anew:
        assert anew.read("/rooms") == []


def test_reset_disconnects_streams(sandbox: Sandbox, caller: Caller) -> None:
    room = caller.room()
    with listening(caller, f"/rooms/{room['id']}/stream") as stream:
        sandbox.reset()
        assert stream.end() == []
    assert sandbox.open_streams == 0


def test_recorded_requests_mask_secrets(sandbox: Sandbox, caller: Caller) -> None:
    caller.make("/webhooks", url="https://a.test", events=["credential.expired"], secret="hush")
    caller.post("/rooms", content=b"{", headers={"cookie": "hush"})
    caller.post("/rooms", json=["hush"])
    token, webhook, broken, odd = sandbox.requests
    assert (token.method, token.path, token.operation) == ("POST", "/auth/api/v1/oauth/token", "create_token")
    assert token.body == {"grant_type": "client_credentials", "client_id": sandbox.client_id, "client_secret": "***"}
    assert (webhook.client_id, webhook.namespace, webhook.status) == (sandbox.client_id, "user_1", 201)
    assert webhook.headers["authorization"] == "***"
    assert webhook.body == {"url": "https://a.test", "events": ["credential.expired"], "secret": "***"}
    assert (broken.body, broken.headers["cookie"], broken.status) == (None, "***", 415)
    assert odd.body == ["hush"]
    assert "hush" not in repr(sandbox.requests)
    assert [record.request_id for record in sandbox.requests[1:]] == [
        each.request_id for each in (webhook, broken, odd)
    ]


SOURCE = {
    "name": "Orders",
    "type": "database",
    "config": {
        "url": "postgres://admin:hunter2/x@db.test/orders",
        "dbPassword": "hunter2",
        "replicas": [{"host": "a.test", "password": {"now": "hunter2"}}, "https://admin:hunter2@b.test/?x=1"],
        "pooled": {"client_secret": "hunter2", "size": 3},
    },
}


def test_data_source_secrets_are_masked_at_any_depth(sandbox: Sandbox, caller: Caller) -> None:
    source = caller.make("/data-sources", **SOURCE)
    caller.patch(f"/data-sources/{source['id']}", json={"config": SOURCE["config"]})
    caller.make("/webhooks", url="https://admin:hunter2@app.test/hook", events=["credential.expired"])
    caller.get("/tools", headers={"referer": "https://admin:hunter2@app.test/", "x-api-key": "hunter2"})
    origin = sandbox.core_api_url.removesuffix("/api/v1")
    assert sandbox.requests[1].body["config"] == {
        "url": "postgres://***@db.test/orders",
        "dbPassword": "***",
        "replicas": [{"host": "a.test", "password": "***"}, "https://***@b.test/?x=1"],
        "pooled": {"client_secret": "***", "size": 3},
    }
    assert sandbox.requests[1].body["name"] == "Orders"
    shown = [
        httpx.get(f"{origin}/_sandbox/requests").text,
        httpx.get(f"{origin}/_sandbox/page/state").text,
        repr(list(sandbox.requests)),
        str([(record.body, record.headers) for record in sandbox.requests]),
    ]
    assert not [text for text in shown if "hunter2" in text]
    assert caller.read(f"/data-sources/{source['id']}")["config"] == SOURCE["config"]


def test_logs_contain_no_secret(sandbox: Sandbox, caller: Caller, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    room = caller.room()
    token = caller.headers["authorization"].removeprefix("Bearer ")
    with listening(caller, f"/rooms/{room['id']}/stream"):
        httpx.get(f"{sandbox.core_api_url}/rooms", params={"token": "of-nobody"})
    own = [record.getMessage() for record in caplog.records if record.name.startswith("interactor")]
    assert any("GET /api/v1/rooms 401" in line for line in own)
    assert not [line for line in own if token in line or "of-nobody" in line]


def test_journals_are_bounded_by_history() -> None:
    journal: Journal[int] = Journal(3)
    for number in range(5):
        journal.append(number)
    assert (list(journal), len(journal), journal[-1], journal[:2]) == ([2, 3, 4], 3, 4, [2, 3])
    assert repr(journal) == "Journal([2, 3, 4])"


def test_faults_apply_in_order(sandbox: Sandbox, caller: Caller) -> None:
    sandbox.faults.add("list_rooms", status=503, retry_after=7, times=2)
    sandbox.faults.add("list_rooms", namespace="user_2", status=520, code="GONE", message="Told so.")
    for _ in range(2):
        answer = caller.get("/rooms")
        problem(answer, 503, "API_ERROR")
        assert answer.headers["retry-after"] == "7"
    assert caller.get("/rooms").status_code == 200
    assert caller.get("/tools").status_code == 200
    with Caller(sandbox, "user_2") as other:
        answer = other.get("/rooms")
        problem(answer, 520, "GONE")
        assert (answer.json()["error"]["message"], "retry-after" in answer.headers) == ("Told so.", False)
    sandbox.faults.add(status=429, times=None, retry_after="soon")
    assert {caller.get(path).status_code for path in ("/rooms", "/tools", "/rooms")} == {429}
    sandbox.faults.clear()
    assert caller.get("/rooms").status_code == 200


def test_latency_fault_delays_response(sandbox: Sandbox, caller: Caller) -> None:
    sandbox.faults.add("list_rooms", latency=0.1)
    before = time.monotonic()
    assert caller.get("/rooms").status_code == 200
    assert time.monotonic() - before >= 0.08  # timers may end a little early


def test_status_fault_prevents_handler(sandbox: Sandbox, caller: Caller) -> None:
    sandbox.faults.add("create_tool", status=500)
    body = {"name": "a", "description": "", "parameters": {}}
    problem(caller.post("/tools", json=body), 500, "API_ERROR")
    assert caller.read("/tools") == []


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"operation": "list_roms", "status": 500}, "list_roms"),
        ({"status": 200}, "400 to 999"),
        ({}, "status or a latency"),
        ({"status": 500, "times": 0}, "at least 1"),
    ],
)
def test_invalid_fault_raises_value_error(sandbox: Sandbox, arguments: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        sandbox.faults.add(**arguments)


def test_clock_advances_and_resets() -> None:
    clock = Clock()
    assert abs(clock.now() - time.time()) < 60
    clock.advance(3600)
    clock.advance(-600)
    assert abs(clock.now() - time.time() - 3000) < 60
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", clock.stamp())
    with pytest.raises(ValueError, match="finite"):
        clock.advance(float("nan"))
    with pytest.raises(ValueError, match="positive"):
        Clock(speed=0)
    fast = Clock(speed=1e6)
    time.sleep(0.01)
    assert fast.now() > time.time() + 1000


def test_internal_failure_returns_500_envelope(
    caller: Caller, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_: Any) -> Any:
        raise KeyError("a bug")

    monkeypatch.setitem(HANDLERS, "list_rooms", broken)
    answer = caller.get("/rooms")
    problem(answer, 500, "API_ERROR")
    assert answer.headers["x-request-id"] in caplog.text
    assert "a bug" not in answer.text


def test_background_failure_is_logged(
    caller: Caller, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_: str) -> Any:
        raise KeyError("a bug")

    monkeypatch.setattr("interactor_ext.sandbox.platform.replies.pieces", broken)
    room = caller.room()
    caller.make(f"/rooms/{room['id']}/messages", content="Hello", stream=True)
    deadline = time.monotonic() + 60
    while "a background task of the sandbox failed" not in caplog.text:
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_client_disconnect_during_request_leaves_no_record(sandbox: Sandbox, caller: Caller) -> None:
    host, port = sandbox.core_api_url.removeprefix("http://").removesuffix("/api/v1").split(":")
    before = len(sandbox.requests)
    with socket.create_connection((host, int(port))) as sock:
        sock.sendall(b"POST /api/v1/rooms HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{")
    assert caller.get("/rooms").status_code == 200
    assert [record.method for record in sandbox.requests[before:]] == ["GET"]


@pytest.fixture
def process() -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "interactor_ext.sandbox", "--port", "0", "--token-lifetime", "900"]
    command += ["--allow-host", "sandbox.example.com"]
    command += ["--allow-origin", "http://a.test", "--allow-origin", "http://b.test"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        yield process
        process.kill()


@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM])
def test_command_serves_until_signal(process: subprocess.Popen[str], signal_number: int) -> None:
    assert process.stdout is not None
    variables: dict[str, str] = {}
    while len(variables) < 4:
        line = process.stdout.readline()
        assert line, "the command ended"
        if line.startswith("export "):
            name, _, value = line.removeprefix("export ").strip().partition("=")
            variables[name] = value
    body = {
        "grant_type": "client_credentials",
        "client_id": variables["INTERACTOR_CLIENT_ID"],
        "client_secret": variables["INTERACTOR_CLIENT_SECRET"],
    }
    headers = {"host": "sandbox.example.com", "origin": "http://b.test"}
    answer = httpx.post(f"{variables['INTERACTOR_ACCOUNT_SERVER_URL']}/oauth/token", json=body, headers=headers)
    assert answer.json()["data"]["expires_in"] == 900
    assert answer.headers["access-control-allow-origin"] == "http://b.test"
    process.send_signal(signal_number)
    rest = process.stdout.read()
    status = process.wait(60)
    assert "Traceback" not in rest
    assert status == (0 if signal_number == signal.SIGINT else -signal.SIGTERM)


def test_command_reports_port_in_use(capsys: pytest.CaptureFixture[str]) -> None:
    with listen("127.0.0.1", 0) as sock:
        assert main(["sandbox", "--port", f"{sock.getsockname()[1]}"]) == 1
    assert "Can't listen on 127.0.0.1" in capsys.readouterr().err
