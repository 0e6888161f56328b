"""Limits on the work and memory of one request."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.sandbox_caller import Caller, listening, problem

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
