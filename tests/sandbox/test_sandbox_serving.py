"""Starting, stopping, serving and resetting the sandbox, its journals, its command."""

from __future__ import annotations

import logging
import re
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import httpx
import pytest

from interactor_ext import ConflictError
from interactor_ext.sandbox import Clock, Sandbox
from interactor_ext.sandbox.http.server import listen, origin
from interactor_ext.sandbox.platform.handlers import HANDLERS
from tests.support import patient
from tests.support.forks import ended_well, in_child, in_threads, needs_fork
from tests.support.sandbox_caller import (
    Caller,
    connect,
    control_url,
    credentials_of,
    fetch_token,
    listening,
    problem,
    sandbox_process,
    seed_file,
)
from tests.support.waiting import PATIENCE, eventually, with_enough_time

pytest_plugins = ["tests.support.sandbox_fixtures"]


def test_urls_exist_only_while_running() -> None:
    sandbox = Sandbox()
    with pytest.raises(RuntimeError, match="isn't running"):
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


def test_sandbox_itself_is_a_context_manager() -> None:
    with Sandbox() as sandbox, Caller(sandbox) as caller:
        caller.room()
    with sandbox, Caller(sandbox) as caller:
        assert len(caller.read("/rooms")) == 1
    with pytest.raises(RuntimeError, match="isn't running"):
        _ = sandbox.core_api_url


def test_sandbox_does_not_change_process_logging() -> None:
    """uvicorn's own handlers would keep writing to the current stderr, which a test closes at its end."""
    loggers = [logging.getLogger(name) for name in ("uvicorn", "uvicorn.error")]
    before = [list(logger.handlers) for logger in loggers]
    with Sandbox().run():
        assert [logger.handlers for logger in loggers] == before


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


def test_latency_fault_does_not_delay_stop(caplog: pytest.LogCaptureFixture) -> None:
    with Sandbox().run() as sandbox, Caller(sandbox) as caller:
        sandbox.faults.add("list_tools", kind="latency", latency=60)
        with pytest.raises(httpx.ReadTimeout):
            caller.get("/tools", timeout=1)
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_sandbox_app_works_under_asgi_transport() -> None:
    sandbox = Sandbox()
    transport = httpx.ASGITransport(sandbox.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://platform.test") as client:
        body = {"grant_type": "client_credentials", **credentials_of(sandbox)}
        answer = await client.post("/auth/api/v1/oauth/token", json=body)
        headers = {"authorization": f"Bearer {answer.json()['data']['access_token']}"}
        assert (await client.get("/api/v1/rooms", headers=headers)).status_code == 200
        sandbox.add_credential("google")
        listed = await client.get("/api/v1/credentials", headers=headers)
        assert len(listed.json()["data"]) == 1
        sandbox.reset()
        assert (await client.get("/api/v1/rooms", headers=headers)).status_code == 401


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
    assert sandbox.requests[1].body["config"] == {
        "url": "postgres://***@db.test/orders",
        "dbPassword": "***",
        "replicas": [{"host": "a.test", "password": "***"}, "https://***@b.test/?x=1"],
        "pooled": {"client_secret": "***", "size": 3},
    }
    assert sandbox.requests[1].body["name"] == "Orders"
    shown = [
        patient.get(f"{control_url(sandbox)}/requests").text,
        patient.get(f"{control_url(sandbox)}/page/state").text,
        repr(list(sandbox.requests)),
        str([(record.body, record.headers) for record in sandbox.requests]),
    ]
    assert not [text for text in shown if "hunter2" in text]
    assert caller.read("/data-sources") == [source]
    assert source["config"] == sandbox.requests[1].body["config"]


def test_logs_contain_no_secret(sandbox: Sandbox, caller: Caller, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    room = caller.room()
    token = caller.headers["authorization"].removeprefix("Bearer ")
    with listening(caller, f"/rooms/{room['id']}/stream"):
        patient.get(f"{sandbox.core_api_url}/rooms", params={"token": "of-nobody"})
    own = [record.getMessage() for record in caplog.records if record.name.startswith("interactor")]
    assert any("GET /api/v1/rooms 401" in line for line in own)
    assert not [line for line in own if token in line or "of-nobody" in line]


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
    clock.freeze()
    clock.set(datetime(2030, 1, 1, tzinfo=UTC))
    assert [clock.stamp() for _ in range(2)] == ["2030-01-01T00:00:00.000Z"] * 2
    clock.advance(1.5)
    assert (clock.stamp(), clock.is_frozen) == ("2030-01-01T00:00:01.500Z", True)
    clock.resume()
    assert (clock.is_frozen, clock.now() - 1_893_456_001.5 < 60) == (False, True)
    with pytest.raises(ValueError, match="zone"):
        clock.set(datetime(2030, 1, 1))
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


@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM])
def test_command_serves_until_signal_with_open_streams_and_partial_requests(signal_number: int) -> None:
    options = ["--token-lifetime", "900", "--allow-host", "sandbox.example.com"]
    options += ["--allow-origin", "http://a.test", "--allow-origin", "http://b.test"]
    with sandbox_process(*options) as (process, core), connect(core) as user, ExitStack() as open_ones:
        assert process.stdout is not None
        lines = (line.strip() for line in process.stdout)
        exported = (line.removeprefix("export ") for line in lines if line.startswith("export "))
        shown = dict(line.split("=", 1) for line in islice(exported, 4))
        body = {
            "grant_type": "client_credentials",
            "client_id": shown["INTERACTOR_CLIENT_ID"],
            "client_secret": shown["INTERACTOR_CLIENT_SECRET"],
        }
        headers = {"host": "sandbox.example.com", "origin": "http://b.test"}
        answer = patient.post(f"{shown['INTERACTOR_ACCOUNT_SERVER_URL']}/oauth/token", json=body, headers=headers)
        assert answer.json()["data"]["expires_in"] == 900
        assert answer.headers["access-control-allow-origin"] == "http://b.test"
        bot = user.post("/assistants", json={"name": "B", "model": "m", "system_prompt": ""}).json()["data"]["id"]
        room = user.post("/rooms", json={"assistant_id": bot}).json()["data"]["id"]
        for path in (f"{core}/rooms/{room}/stream", f"{core.replace('/api/v1', '/_sandbox/page')}/rooms/{room}/stream"):
            stream = open_ones.enter_context(user.stream("GET", path))
            assert stream.status_code == 200
        half = open_ones.enter_context(socket.create_connection((user.base_url.host, user.base_url.port or 80)))
        half.sendall(b"POST /api/v1/rooms HTTP/1.1\r\nHost: a.local\r\nContent-Length: 100\r\n\r\n{")
        assert user.get("/rooms").status_code == 200
        process.send_signal(signal_number)
        said, _ = process.communicate(timeout=60)
    assert process.returncode == (0 if signal_number == signal.SIGINT else 128 + signal.SIGTERM)
    assert "Traceback" not in said
    assert "ERROR" not in said


SEED: dict[str, Any] = {
    "user_1": {
        "assistants": [{"id": "asst_1", "name": "Bot", "model": "gpt-4", "system_prompt": ""}],
        "rooms": [{"id": "room_1", "assistant_id": "asst_1"}],
    }
}
STREAM = "/rooms/room_1/stream"


@pytest.mark.parametrize("kind", ["latency", "clock_skew"])
def test_call_started_before_reset_has_no_effect(sandbox: Sandbox, kind: Any) -> None:
    skew = {"skew": 1.0} if kind == "clock_skew" else {}
    tool = {"name": "ghost", "description": "", "parameters": {}}

    def attempt(latency: float) -> None:
        fault = sandbox.faults.add("create_tool", kind=kind, latency=latency, **skew)
        with Caller(sandbox) as old, ThreadPoolExecutor(1) as pool:
            slow = pool.submit(old.post, "/tools", json=tool)
            eventually(lambda: fault.left == 0)
            sandbox.reset()
            problem(slow.result(), 409, "CONFLICT")
        assert list(sandbox.requests) == []
        with Caller(sandbox) as caller:
            assert caller.read("/tools") == []

    with_enough_time(attempt, 0.3, 3, 20)


def test_client_does_not_retry_call_across_reset(sandbox: Sandbox) -> None:
    def attempt(latency: float) -> None:
        fault = sandbox.faults.add("create_tool", latency=latency)
        with sandbox.client(namespace="user_1") as old, ThreadPoolExecutor(1) as pool:
            slow = pool.submit(old.tools.create, name="ghost", description="", parameters={})
            eventually(lambda: fault.left == 0)
            sandbox.reset()
            with pytest.raises(ConflictError, match="reset"):
                slow.result()
            assert old.tools.list().data == []

    with_enough_time(attempt, 0.3, 3, 20)


@pytest.mark.parametrize("deleted", [False, True])
def test_event_ids_continue_for_recreated_room(tmp_path: Path, deleted: bool) -> None:
    """The SDK's stream ignores events with ids that it has seen."""
    with Sandbox(seed=seed_file(tmp_path, SEED)).run() as sandbox, sandbox.client(namespace="user_1") as client:
        with client.rooms.stream("room_1") as stream:
            sandbox.emit("room_1", {"type": "message.delta", "content": "one"})
            sandbox.emit("room_1", {"type": "message.delta", "content": "two"})
            seen = [next(stream).content for _ in range(2)]
            if deleted:
                client.rooms.delete("room_1")
            sandbox.reset()
            sandbox.emit("room_1", {"type": "message.delta", "content": "three"})
            assert [*seen, next(stream).content] == ["one", "two", "three"]
        with Caller(sandbox) as caller, listening(caller, STREAM, headers={"last-event-id": "1"}) as raw:
            assert raw.until("message.delta")[0]["content"] == "three"
            assert raw.ids[-1] == 3


@needs_fork
@in_threads
def test_forked_child_is_told_that_its_parent_serves_the_sandbox() -> None:
    with Sandbox() as sandbox:

        def child() -> bool:
            signal.alarm(int(PATIENCE))
            with pytest.raises(RuntimeError, match="forked"):
                sandbox.reset()
            return True

        assert ended_well(in_child(child))
