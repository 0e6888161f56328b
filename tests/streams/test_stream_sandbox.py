"""Streams of the sandbox through a proxy that disconnects: sync and async get each event once, in order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from interactor_client.models import (
    HaltingPresentation,
    MessageComplete,
    WorkflowState,
    WorkflowStateChanged,
    WorkflowTransition,
)
from interactor_ext.retry import RetryPolicy
from interactor_ext.sandbox import Sandbox
from tests.support.conversations import new_room, user_of
from tests.support.modes import sync_and_async
from tests.support.waiting import eventually

COUNT = 200
TEXT = "".join(f"{number} " for number in range(COUNT))


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox().run() as running:
        yield running


def say(sandbox: Sandbox, room: str, numbers: range) -> None:
    for number in numbers:
        sandbox.emit(room, {"type": "message.delta", "content": f"{number} "})


def read(mode: str, sandbox: Sandbox, room: str, *, during: Callable[[Any], None], url: str | None = None) -> str:
    """The text up to the last of `COUNT` events; `during` is called on entering, and after each event."""

    async def main() -> str:
        text = ""
        settings = {"core_api_url": url or sandbox.core_api_url, "retry_policy": RetryPolicy(jitter=lambda: 0.0)}
        async with user_of(sandbox, mode, **settings) as user, user.rooms.stream(room) as stream:
            await asyncio.to_thread(during, None)
            async for event in stream:
                text += event.content
                await asyncio.to_thread(during, event)
                if text.endswith(f" {COUNT - 1} "):
                    break
        return text

    return asyncio.run(main())


@sync_and_async
def test_restart_expired_token_and_503_lose_no_event(mode: str, sandbox: Sandbox) -> None:
    room = new_room(sandbox)
    seen = 0

    def during(event: Any) -> None:
        nonlocal seen
        if event is None:
            say(sandbox, room, range(10))
            return
        seen += 1
        if seen % 10 or seen == COUNT:
            return
        if seen % 20:
            sandbox.disconnect_streams()
        if seen % 40 == 20:
            sandbox.revoke_tokens()
        if seen % 50 == 0:
            sandbox.faults.add("stream_room", status=503, retry_after="0.01")
            sandbox.faults.add("stream_room", status=429, retry_after="0")
        say(sandbox, room, range(seen, seen + 10))

    assert read(mode, sandbox, room, during=during) == TEXT
    eventually(lambda: sandbox.open_streams == 0)


@sync_and_async
async def test_workflow_stream_is_read_to_its_end(mode: str, sandbox: Sandbox) -> None:
    states = [
        WorkflowState(
            name="review",
            type="halting",
            presentation=HaltingPresentation(type="approval", config={}),
            transitions=[WorkflowTransition(to="done", condition="approved == true")],
        ),
        WorkflowState(name="done", type="terminal"),
    ]
    async with user_of(sandbox, mode) as user:
        workflow = await user.workflows.create(name="Approval", initial_state="review", states=states)
        instance = (await user.workflow_instances.start(workflow_id=workflow.id)).id
        async with user.workflow_instances.stream(instance) as stream:
            await user.workflow_instances.submit_input(instance, body={"approved": True})
            events = [event async for event in stream]
    assert [type(event) for event in events] == [WorkflowStateChanged]
    assert events[0].state == "done"


@sync_and_async
async def test_reply_stream_yields_each_delta(mode: str, sandbox: Sandbox) -> None:
    room = new_room(sandbox)
    deltas: list[str] = []
    async with user_of(sandbox, mode) as user, user.rooms.stream(room) as stream:
        await user.messages.send(room, content="Hello!", stream=True)
        async for event in stream:
            if isinstance(event, MessageComplete):
                break
            deltas.append(event.content)
    assert len(deltas) > 1
    assert "".join(deltas) == event.message.content
    await asyncio.to_thread(eventually, lambda: sandbox.open_streams == 0)
