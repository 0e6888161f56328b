"""Reset during calls in progress: they have no effect afterwards."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from interactor_ext import ConflictError
from interactor_ext.sandbox import Sandbox
from tests.support.sandbox_caller import Caller, listening, problem, seed_file
from tests.support.waiting import eventually, with_enough_time

pytest_plugins = ["tests.support.sandbox_fixtures"]

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
