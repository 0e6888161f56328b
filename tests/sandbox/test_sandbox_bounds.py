"""Limits on the work and memory of one request."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from interactor_ext.sandbox import Sandbox
from interactor_ext.sandbox.storage import journal
from tests.support.sandbox_caller import Caller, control_url, listening, problem

pytest_plugins = ["tests.support.sandbox_fixtures"]


BOT = {"name": "B", "model": "m", "system_prompt": ""}


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/assistants", {**BOT, "tools": [1] * 20_000}, "tools[0]"),
        ("/assistants", {**BOT, **{f"key_{number}": 1 for number in range(20_000)}}, "key_0"),
        ("/webhooks", {"url": "https://a.test", "events": ["credential.expired"] * 10_000}, "events"),
        ("/workflows", {"name": "W", "initial_state": "a", "states": [{}] * 20_000}, "states[0].name"),
    ],
)
def test_body_with_many_errors_returns_422_with_short_error(caller: Caller, path: str, body: Any, field: str) -> None:
    refused = caller.post(path, json=body, timeout=60)
    found = problem(refused, 422, "VALIDATION_ERROR")
    assert field in found
    assert len(found) <= 50
    assert len(refused.content) < 20_000


@pytest.mark.parametrize("content", ["a " * 300_000, "\n" * 600_000])
def test_long_message_is_streamed_in_at_most_1000_pieces(caller: Caller, content: str) -> None:
    room = f"/rooms/{caller.room()['id']}"
    with listening(caller, f"{room}/stream") as stream:
        answer = caller.make(f"{room}/messages", content=content)
        events = stream.until("message.complete")
    words = [event["content"] for event in events if event["type"] == "message.delta"]
    assert len(words) <= 1000
    assert "".join(words) == answer["content"] == f"Bot here. You said: {content}"


def test_recorded_request_bodies_are_bounded(sandbox: Sandbox, caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "MAX_SIZE", 300_000)
    room = f"/rooms/{caller.room()['id']}"
    for _ in range(8):
        caller.patch(room, json={"metadata": {"text": "x" * 100_000}})
        caller.make(f"{room}/messages", content="x" * 100_000, role="system")
    assert len(sandbox.requests) == 2
    assert len(sandbox.events) == 2
    assert len(httpx.get(f"{control_url(sandbox)}/requests").json()["requests"]) == 2
    assert httpx.get(f"{control_url(sandbox)}/events").json()["events"] == list(sandbox.events)
