"""Limits on the work and memory of one request."""

from __future__ import annotations

from typing import Any

import pytest

from interactor_ext.sandbox import Sandbox
from tests.support.sandbox_caller import END, Caller, listening, problem, workflow_of

pytest_plugins = ["tests.support.sandbox_fixtures"]


def machine(*actions: dict[str, Any], transitions: list[dict[str, str]] | None = None) -> dict[str, Any]:
    work = {"name": "work", "type": "action", "actions": list(actions), "transitions": transitions or [{"to": "end"}]}
    return workflow_of(work, END)


def start(caller: Caller, definition: dict[str, Any], context: Any) -> dict[str, Any]:
    return caller.make(
        "/workflow-instances", workflow_id=caller.make("/workflows", **definition)["id"], context=context
    )


COSTLY = {
    "texts": machine(*[{"type": "email", "config": {"body": "{{ rows }}" * 50}}] * 40),
    "copies": machine(*[{"type": "transform", "config": {"x": ["{{ rows }}"] * 50}}] * 40),
}


@pytest.mark.parametrize("name", COSTLY)
def test_step_that_fills_in_too_much_fails_the_instance(sandbox: Sandbox, caller: Caller, name: str) -> None:
    instance = start(caller, COSTLY[name], {"rows": [[number] for number in range(6_000)]})
    assert instance["status"] == "failed"
    assert instance["error"] == "the context grew beyond 64 KiB"
    assert sandbox.events[-1]["event"] == "workflow.instance.failed"
    assert caller.read("/workflow-instances") == [instance]


BOT = {"name": "B", "model": "m", "system_prompt": ""}


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/assistants", {**BOT, "tools": [1] * 20_000}, "tools[0]"),
        ("/assistants", {**BOT, **{f"key_{number}": 1 for number in range(20_000)}}, "key_0"),
        ("/webhooks", {"url": "https://a.test", "events": [{"a": number} for number in range(20_000)]}, "events[0]"),
        ("/webhooks", {"url": "https://a.test", "events": ["credential.expired"] * 10_000}, "events"),
        ("/workflows", {"name": "W", "initial_state": "a", "states": [{}] * 20_000}, "states[0].name"),
        ("/workflows", machine(*[{"type": "email", "config": {"body": "x" * 5_000}}] * 100), ""),
        ("/workflows", machine(transitions=[{"to": "none", "condition": "("}] * 2_000), "states[0].transitions[0].to"),
        ("/oauth/initiate", {"provider": "google", "redirect_uri": "https://a.test/?" + "&" * 8_000}, "redirect_uri"),
        ("/webhooks", {"url": "https://a.test/" + "a" * 8_000, "events": ["credential.expired"]}, "url"),
    ],
)
def test_oversized_body_returns_422_with_short_error(caller: Caller, path: str, body: Any, field: str) -> None:
    refused = caller.post(path, json=body, timeout=60)
    found = problem(refused, 422, "VALIDATION_ERROR")
    assert field in found
    assert len(found) <= 50
    assert len(refused.content) < 20_000


def test_message_with_too_many_tool_calls_returns_422(caller: Caller) -> None:
    path = f"/rooms/{caller.room_with_tools('t')['id']}/messages"
    for lines in (["/tool t"] * 101, ["/tool nobody"] * 200_000):
        refused = caller.post(path, json={"content": "\n".join(lines)}, timeout=60)
        assert set(problem(refused, 422, "VALIDATION_ERROR")) == {"content"}
    assert caller.read(path) == []
    asking = caller.make(path, content="\n/then\n".join(["/tool t"] * 100) + "\n/then" * 100_000)
    assert len(asking["tool_calls"]) == 1


@pytest.mark.parametrize("content", ["a " * 300_000, "\n" * 600_000])
def test_long_message_is_streamed_in_at_most_1000_pieces(caller: Caller, content: str) -> None:
    room = f"/rooms/{caller.room()['id']}"
    with listening(caller, f"{room}/stream") as stream:
        answer = caller.make(f"{room}/messages", content=content)
        events = stream.until("message.complete")
    words = [event["content"] for event in events if event["type"] == "message.delta"]
    assert len(words) <= 1000
    assert "".join(words) == answer["content"] == f"Bot here. You said: {content}"
