"""Every kind of injected fault, as a client sees it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from interactor_ext import APIStatusError, ResponseValidationError
from interactor_ext.sandbox import Sandbox
from tests.support import patient
from tests.support.modes import opened, sync_and_async
from tests.support.sandbox_caller import Caller, check_event, listening, problem
from tests.support.waiting import eventually

ROWS = json.loads(Path(__file__).with_suffix(".json").read_text())

pytest_plugins = ["tests.support.sandbox_fixtures"]

TOOL = {"name": "add", "description": "", "parameters": {}}


def tools(caller: Caller) -> list[Any]:
    return list(caller.read("/tools"))


@pytest.mark.parametrize(
    ("kind", "error", "status"),
    [
        ("reset", httpx.ReadError, 0),
        ("reset_after", httpx.ReadError, 201),
        ("truncated", httpx.RemoteProtocolError, 201),
    ],
)
def test_fault_ends_connection_before_or_after_handler_ran(
    sandbox: Sandbox, caller: Caller, kind: Any, error: type[Exception], status: int
) -> None:
    sandbox.faults.add("create_tool", kind=kind)
    with pytest.raises(error):
        caller.post("/tools", json=TOOL)
    assert (sandbox.requests[-1].fault, sandbox.requests[-1].status) == (kind, status)
    assert len(tools(caller)) == (status == 201)
    assert caller.post("/tools", json={**TOOL, "name": "other"}).status_code == 201


def test_malformed_fault_sends_half_json(sandbox: Sandbox, caller: Caller) -> None:
    caller.post("/tools", json=TOOL)
    sandbox.faults.add("list_tools", kind="malformed")
    answer = patient.get(f"{sandbox.core_api_url}/tools", headers=caller.headers)
    assert answer.status_code == 200
    with pytest.raises(ValueError, match=r"JSON|delimiter|Expecting|Unterminated"):
        answer.json()
    assert int(answer.headers["content-length"]) == len(answer.content) > 0


@pytest.mark.parametrize("kind", ["truncated", "malformed"])
def test_body_faults_leave_empty_response_unchanged(sandbox: Sandbox, caller: Caller, kind: Any) -> None:
    tool = caller.make("/tools", **TOOL)
    sandbox.faults.add("delete_tool", kind=kind)
    assert caller.delete(f"/tools/{tool['id']}").status_code == 204
    assert tools(caller) == []


@pytest.mark.parametrize(("options", "events"), [({"after_events": 2}, 2), ({}, 0), ({"after_bytes": 60}, None)])
def test_dropped_stream_fault_ends_stream_early(
    sandbox: Sandbox, caller: Caller, options: dict[str, int], events: int | None
) -> None:
    room = caller.room()
    sandbox.faults.add(kind="dropped_stream", **options)
    assert caller.get("/tools").status_code == 200
    received: list[bytes] = []
    with caller.stream("GET", f"/rooms/{room['id']}/stream") as answer:
        for number in range(3):
            sandbox.emit(room["id"], {"type": "message.delta", "content": f"{number} "})
        with pytest.raises(httpx.RemoteProtocolError):
            received.extend(answer.iter_raw(1))
    if events is None:
        assert len(received) == 60
    else:
        assert b"".join(received).count(b"\ndata: ") == events
    assert len(sandbox.faults) == 0


def test_stream_error_fault_ends_stream_with_an_error_event(
    sandbox: Sandbox, caller: Caller, control: httpx.Client
) -> None:
    room, error = caller.room(), {"code": "MODEL_ERROR", "message": "No answer."}
    assert control.post("/faults", json={"kind": "stream_error", "after_events": 1, **error}).status_code == 201
    with listening(caller, f"/rooms/{room['id']}/stream") as stream:
        for word in ("one", "two"):
            sandbox.emit(room["id"], {"type": "message.delta", "content": word})
        sent, failed = stream.end()
    assert (sent["content"], failed) == ("one", {"type": "error", "error": error})
    check_event("StreamEvent", "type", failed)
    headers = {"last-event-id": str(stream.ids[-1])}
    with listening(caller, f"/rooms/{room['id']}/stream", headers=headers) as resumed:
        eventually(lambda: [event["content"] for event in resumed.events] == ["two"])


def test_expired_token_fault_ends_token_for_all_calls(sandbox: Sandbox, caller: Caller) -> None:
    sandbox.faults.add("list_tools", kind="expired_token")
    for path in ("/tools", "/rooms"):
        answer = caller.get(path)
        problem(answer, 401, "AUTH_ERROR")
        assert "expired" in answer.text
    with Caller(sandbox) as anew:
        assert anew.get("/tools").status_code == 200


@pytest.mark.parametrize("skew", [900, -900])
def test_clock_skew_fault_shifts_date_headers(sandbox: Sandbox, caller: Caller, skew: int) -> None:
    sandbox.faults.add("list_tools", kind="clock_skew", skew=skew)
    skewed, straight = caller.get("/tools"), caller.get("/tools")
    dates = [
        datetime.strptime(answer.headers["date"], "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=UTC).timestamp()
        for answer in (skewed, straight)
    ]
    assert dates[0] - dates[1] == pytest.approx(skew, abs=30)
    resets = [int(answer.headers["x-ratelimit-reset"]) for answer in (skewed, straight)]
    assert resets[0] - resets[1] == pytest.approx(skew, abs=30)


def struck(sandbox: Sandbox, caller: Caller, **options: Any) -> list[bool]:
    sandbox.faults.clear()
    sandbox.faults.add("list_tools", status=503, times=None, probability=0.5, **options)
    return [caller.get("/tools").status_code == 503 for _ in range(40)]


def test_fault_probability_is_reproducible_with_seed(sandbox: Sandbox, caller: Caller) -> None:
    first = struck(sandbox, caller)
    assert 8 < sum(first) < 32
    assert struck(sandbox, caller) == first
    assert struck(sandbox, caller, seed=1) != first


def test_response_fault_combines_with_latency_and_status(sandbox: Sandbox, caller: Caller) -> None:
    sandbox.faults.add("list_tools", status=503)
    sandbox.faults.add("list_tools", kind="malformed", latency=0.05)
    answer = patient.get(f"{sandbox.core_api_url}/tools", headers=caller.headers)
    assert answer.status_code == 503
    assert answer.elapsed.total_seconds() >= 0.03  # timers may end a little early


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
    sandbox.faults.add("create_tool", status=500)
    problem(caller.post("/tools", json=TOOL), 500, "API_ERROR")
    assert tools(caller) == []


@pytest.mark.parametrize(
    ("options", "match"),
    ROWS["invalid"],
)
def test_invalid_fault_raises_value_error(sandbox: Sandbox, options: dict[str, Any], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        sandbox.faults.add(**options)


@pytest.mark.parametrize(("status", "sent"), [(429, "0"), (503, "0"), (500, None)])
def test_error_that_asks_for_patience_has_retry_after(
    sandbox: Sandbox, caller: Caller, status: int, sent: str | None
) -> None:
    sandbox.faults.add("list_rooms", status=status)
    assert caller.get("/rooms").headers.get("retry-after") == sent


@sync_and_async
async def test_fault_answers_anything(sandbox: Sandbox, mode: str) -> None:
    proxy = {"X-Served-By": "a proxy", "X-RateLimit-Remaining": "many"}
    sandbox.faults.add("list_rooms", status=502, body="<html>Bad gateway</html>", headers=proxy)
    sandbox.faults.add("list_rooms", status=200, body={"data": "none"})
    options = {"namespace": "user_1", "max_retries": 0}
    async with opened(mode, sandbox._with_connection(options)) as user:
        with pytest.raises(APIStatusError) as caught:
            await user.rooms.list()
        assert (caught.value.status, caught.value.headers["x-served-by"]) == (502, "a proxy")
        assert caught.value.headers["content-type"] == "text/html; charset=utf-8"
        assert caught.value.headers["x-ratelimit-remaining"] == "many"
        with pytest.raises(ResponseValidationError):
            await user.rooms.list()
    assert [each.status for each in sandbox.requests if each.operation == "list_rooms"] == [502, 200]


async def test_connection_faults_need_the_sandbox_server() -> None:
    sandbox = Sandbox()
    sandbox.faults.add("get_jwks", kind="reset")
    transport = httpx.ASGITransport(sandbox.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://platform.test") as client:
        with pytest.raises(RuntimeError, match=r"Sandbox\.run"):
            await client.get("/auth/api/v1/oauth/jwks")
