"""Control endpoints of the sandbox, from Python and from another language; deprecations, and data source syncs."""

from __future__ import annotations

import inspect
import json
import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from interactor_ext.sandbox import Sandbox
from interactor_ext.sandbox.http.control import CALLS
from tests.support import patient
from tests.support.node import node
from tests.support.sandbox_caller import Caller, fetch_token, problem
from tests.support.scripted_server import receiving

ROWS = json.loads(Path(__file__).with_suffix(".json").read_text())

pytest_plugins = ["tests.support.sandbox_fixtures"]


def test_faults_can_be_added_listed_and_removed_over_http(
    sandbox: Sandbox, caller: Caller, control: httpx.Client
) -> None:
    made = control.post("/faults", json={"operation": "list_rooms", "status": 503, "times": None})
    assert (made.status_code, made.json()["kind"], made.json()["left"]) == (201, "status", None)
    assert control.get("/faults").json()["faults"] == [made.json()]
    problem(caller.get("/rooms"), 503, "API_ERROR")
    assert control.delete(f"/faults/{made.json()['id']}").status_code == 204
    assert control.delete(f"/faults/{made.json()['id']}").status_code == 404
    assert caller.get("/rooms").status_code == 200
    control.post("/faults", json={"kind": "reset"})
    assert control.delete("/faults").status_code == 204
    assert len(sandbox.faults) == 0
    assert control.post("/reset").status_code == 204
    assert len(sandbox.requests) == 0


@pytest.mark.parametrize(
    ("path", "body", "field"),
    ROWS["invalid requests"],
)
def test_invalid_control_request_returns_422_and_changes_nothing(
    sandbox: Sandbox, control: httpx.Client, path: str, body: Any, field: str
) -> None:
    found = problem(control.post(path, json=body), 422, "VALIDATION_ERROR")
    assert field in found or not field
    assert (len(sandbox.faults), len(sandbox.replies), len(sandbox.events)) == (0, 0, 0)


def test_every_method_of_a_sandbox_can_be_called_over_http() -> None:
    here = {"client", "async_client", "run", "serve", "close", "provider"}  # of a Python program alone
    apart = {"run_until_idle", "wait_for_deliveries"}  # endpoints of their own, as they wait
    methods = {name for name, value in vars(Sandbox).items() if inspect.isfunction(value) and not name.startswith("_")}
    assert methods - here - apart == {name for _, _, name in CALLS}


def test_snapshot_is_returned_to(sandbox: Sandbox, caller: Caller, control: httpx.Client) -> None:
    room = caller.room()
    caller.say(room, "one")
    sandbox.add_client("desk", "desk_secret")
    sandbox.clock.freeze()
    before, now = sandbox.snapshot(), sandbox.clock.now()
    assert control.get("/snapshot").json() == json.loads(json.dumps(before))
    caller.say(room, "two")
    sandbox.add_client("late", "late_secret")
    late = fetch_token(sandbox, client_id="late", client_secret="late_secret")
    sandbox.clock.advance(100)
    sandbox.restore(before)
    with Caller(sandbox, token=late) as gone:
        problem(gone.get("/rooms"), 401, "AUTH_ERROR")
    assert [each["content"] for each in caller.messages(room)] == ["one", "Bot here. You said: one"]
    assert (sandbox.clock.now(), sandbox.snapshot()) == (now, before)
    fetch_token(sandbox, client_id="desk", client_secret="desk_secret")
    with Sandbox() as other:
        other.restore(before)
        with Caller(other) as there:
            assert there.messages(room) == caller.messages(room)


def test_requests_over_http_are_selected_by_their_fields(caller: Caller, control: httpx.Client) -> None:
    caller.room()
    caller.get("/rooms/room_none")
    missing = control.get("/requests", params={"status": "404", "operation": "get_room"}).json()["requests"]
    assert [each["path"] for each in missing] == ["/api/v1/rooms/room_none"]
    assert control.get("/requests", params={"status": "500"}).json() == {"requests": []}


def test_cross_site_control_requests_return_403(sandbox: Sandbox, control: httpx.Client) -> None:
    headers = {"origin": "https://evil.example"}
    assert control.post("/faults", json={"status": 500}, headers=headers).status_code == 403
    assert control.post("/faults", content='{"status": 500}', headers={"content-type": "text/plain"}).status_code == 415
    assert len(sandbox.faults) == 0


def test_deprecated_operation_sends_headers_and_returns_410_after_sunset(
    sandbox: Sandbox, caller: Caller, control: httpx.Client
) -> None:
    now = int(sandbox.clock.now())
    sandbox.deprecate("list_rooms", at=now - 60, sunset=now + 600, link="https://docs.test/rooms")
    answer = caller.get("/rooms")
    assert answer.headers["deprecation"] == f"@{now - 60}"
    assert datetime.strptime(answer.headers["sunset"], "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=UTC).timestamp() == (
        now + 600
    )
    assert answer.headers["link"] == '<https://docs.test/rooms>; rel="deprecation"'
    assert "deprecation" not in caller.get("/tools").headers
    sandbox.clock.advance(601)
    gone = caller.get("/rooms")
    problem(gone, 410, "GONE")
    assert "sunset" in gone.headers
    assert [each["operation"] for each in control.get("/deprecations").json()["deprecations"]] == ["list_rooms"]
    assert control.delete("/deprecations").status_code == 204
    assert caller.get("/rooms").status_code == 200
    with pytest.raises(ValueError, match="isn't in the contract"):
        sandbox.deprecate("no_such")
    with pytest.raises(ValueError, match="zone"):
        sandbox.deprecate("list_rooms", at=datetime(2030, 1, 1))
    with pytest.raises(ValueError, match="sunset must be a datetime, or Unix seconds"):
        sandbox.deprecate("list_rooms", sunset=now * 1000)


def test_data_source_sync_progresses_by_clock() -> None:
    with Sandbox(sync_time=2000).run() as sandbox, Caller(sandbox) as caller:
        source = caller.make("/data-sources", name="Orders", type="url", config={"url": "https://shop.test"})
        path = f"/data-sources/{source['id']}"
        assert "sync_status" not in source
        assert caller.post(f"{path}/sync").status_code == 202
        assert caller.read(path)["sync_status"] == "syncing"
        sandbox.clock.advance(1000)
        assert 0.5 <= caller.read(path)["sync_progress"] < 1
        assert caller.post(f"{path}/sync").status_code == 202
        assert caller.read(path)["sync_progress"] >= 0.5
        sandbox.clock.advance(1000)
        done = caller.read("/data-sources")[0]
        assert (done["sync_status"], done["sync_progress"], done["sync_error"]) == ("completed", 1.0, None)
        assert datetime.fromisoformat(done["synced_at"]).timestamp() <= sandbox.clock.now()


def test_data_source_sync_can_be_made_to_fail_and_retried(sandbox: Sandbox, caller: Caller) -> None:
    config = {"url": "https://shop.test", "simulate": {"error": "no route"}}
    path = f"/data-sources/{caller.make('/data-sources', name='O', type='url', config=config)['id']}"
    caller.post(f"{path}/sync")
    sandbox.clock.advance(3)
    failed = caller.read(path)
    assert (failed["sync_status"], failed["sync_error"], "synced_at" in failed) == ("failed", "no route", False)
    caller.patch(path, json={"config": {"url": "https://shop.test"}})
    caller.post(f"{path}/sync")
    sandbox.clock.advance(3)
    assert caller.read(path)["sync_status"] == "completed"


def test_date_header_follows_sandbox_clock(sandbox: Sandbox) -> None:
    sandbox.clock.advance(86_400 * 365)
    answer = patient.get(f"{sandbox.core_api_url}/rooms", headers={"authorization": f"Bearer {fetch_token(sandbox)}"})
    assert len(answer.headers.get_list("date")) == 1
    shown = datetime.strptime(answer.headers["date"], "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=UTC)
    assert abs(shown.timestamp() - sandbox.clock.now()) < 60


PROGRAM = Path(__file__).with_name("program.mjs")


def test_program_of_node_does_what_python_programs_do() -> None:
    with Sandbox() as sandbox, receiving() as (receiver, url):
        receiver.answers.extend([500] * 2)
        command = [node(), str(PROGRAM), sandbox.core_api_url, url]
        ran = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        assert ran.returncode == 0, ran.stderr
        assert len({got.body for got in receiver.got}) == 1
        assert [each.attempt for each in sandbox.deliveries] == [1, 2, 3, 1]
    shown = json.loads(ran.stdout)
    assert shown.pop("faulty").startswith("GET /api/v1/rooms: 502 <html>")
    assert shown.pop("refused").startswith("GET /api/v1/rooms: 401 ")
    assert shown.pop("location").startswith("https://a.test?error=access_denied&state=")
    assert shown == {
        "deliveries": 1,
        "said": "From nine to five.",
        "rooms": 1,
        "failed": "No.",
        "open": 0,
        "seed": ["", "org_a"],
        "requests": 1,
        "emails": [],
    }


def test_program_calls_every_method() -> None:
    told = re.findall(r'tell\("(\w+)", ["`]([^"`?]+)', PROGRAM.read_text())
    assert {(method, re.sub(r"\{\w+\}", "*", path)) for method, path, _ in CALLS} <= {
        (method, re.sub(r"\$\{[\w.]+\}", "*", path)) for method, path in told
    }
