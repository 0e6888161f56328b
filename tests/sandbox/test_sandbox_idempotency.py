"""Idempotency keys: one effect and one response for repeated calls until the key expires."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from interactor_ext.sandbox import Sandbox
from tests.support.sandbox_caller import WAITING, Caller, fetch_token, problem, workflow_of
from tests.support.waiting import eventually, with_enough_time

pytest_plugins = ["tests.support.sandbox_fixtures"]

Another = Callable[..., Caller]

BOT: dict[str, Any] = {"name": "Bot", "model": "gpt-4", "system_prompt": ""}


def create(caller: Caller, key: str = "key-1", path: str = "/assistants", **body: Any) -> httpx.Response:
    return caller.post(path, json=body or BOT, headers={"idempotency-key": key})


def test_repeated_idempotency_key_returns_first_response(caller: Caller) -> None:
    first, second = create(caller), create(caller, **dict(reversed(BOT.items())))
    assert (first.status_code, first.content) == (second.status_code, second.content)
    assert first.headers["x-request-id"] != second.headers["x-request-id"]
    assert len(caller.read("/assistants")) == 1


def test_idempotency_key_with_other_request_returns_409(caller: Caller) -> None:
    assistant = create(caller).json()["data"]
    problem(create(caller, **{**BOT, "name": "Other"}), 409, "CONFLICT")
    problem(create(caller, path="/rooms", assistant_id=assistant["id"]), 409, "CONFLICT")
    assert len(caller.read("/assistants")) == 1


def test_idempotency_keys_are_scoped_to_client_and_namespace(
    sandbox: Sandbox, caller: Caller, another: Another
) -> None:
    sandbox.add_client("other", "secret")
    token = fetch_token(sandbox, client_id="other", client_secret="secret")
    others = [another("user_2"), another("user_1", token=token), another(None)]
    ids = {create(each).json()["data"]["id"] for each in (caller, *others)}
    assert len(ids) == 4


def test_idempotency_key_expires_after_a_day(sandbox: Sandbox, caller: Caller) -> None:
    first = create(caller).json()
    sandbox.clock.advance(24 * 60 * 60 - 60)
    with Caller(sandbox) as tomorrow:
        assert create(tomorrow).json() == first
        create(tomorrow, "key-2")
        sandbox.clock.advance(61)
        create(tomorrow, "key-3")
        assert [kind for kind, *_ in sandbox.snapshot()["records"]].count("response") == 2, "the first was kept"
        assert create(tomorrow).json() != first


def test_idempotency_key_expires_despite_clock_set_back(sandbox: Sandbox, caller: Caller) -> None:
    create(caller)
    sandbox.clock.advance(-3600)
    second = create(caller, "key-2").json()
    sandbox.clock.advance(24 * 60 * 60 + 60)
    with Caller(sandbox) as tomorrow:
        assert create(tomorrow, "key-2").json() != second


@pytest.mark.parametrize("twins", [2, 12])
def test_concurrent_requests_with_one_key_wait_for_first(sandbox: Sandbox, caller: Caller, twins: int) -> None:
    sandbox.faults.add("create_assistant", latency=0.2)
    with ThreadPoolExecutor(twins) as pool:
        answers = list(pool.map(lambda _: create(caller).content, range(twins)))
    assert len(set(answers)) == 1
    assert len(caller.read("/assistants")) == 1
    assert len(sandbox.faults) == 0


def test_waiting_request_runs_when_first_with_key_fails(sandbox: Sandbox, caller: Caller) -> None:
    sandbox.faults.add("create_assistant", latency=0.2, status=503)
    with ThreadPoolExecutor(2) as pool:
        statuses = sorted(pool.map(lambda _: create(caller).status_code, range(2)))
    assert statuses == [201, 503]
    assert len(caller.read("/assistants")) == 1


def test_failed_response_is_not_stored_under_key(caller: Caller) -> None:
    problem(create(caller, name="Bot"), 422, "VALIDATION_ERROR")
    problem(create(caller, path="/rooms", assistant_id="asst_no"), 422, "VALIDATION_ERROR")
    assert create(caller).status_code == 201


def test_reset_forgets_idempotency_keys_in_progress(sandbox: Sandbox) -> None:
    def attempt(latency: float) -> None:
        fault = sandbox.faults.add("create_assistant", latency=latency, status=503)
        with Caller(sandbox) as caller, ThreadPoolExecutor(1) as pool:
            slow = pool.submit(create, caller)
            eventually(lambda: fault.left == 0)
            sandbox.reset()
            with Caller(sandbox) as anew:
                kept = create(anew)
                problem(slow.result(), 409, "CONFLICT")
                assert create(anew).content == kept.content

    with_enough_time(attempt, 0.3, 3, 20)


def test_every_idempotent_operation_honours_key(caller: Caller) -> None:
    room = caller.room()
    workflow = caller.make("/workflows", **workflow_of(*WAITING))
    calls: dict[str, dict[str, Any]] = {
        "/rooms": {"assistant_id": room["assistant_id"]},
        f"/rooms/{room['id']}/messages": {"content": "Hello"},
        "/workflow-instances": {"workflow_id": workflow["id"]},
        "/webhooks": {"url": "https://a.test", "events": ["credential.connected"]},
    }
    for number, (path, body) in enumerate(calls.items()):
        first, second = (create(caller, f"key-{number}", path, **body).json() for _ in range(2))
        assert first == second, path
    assert len(caller.read(f"/rooms/{room['id']}/messages")) == 2
