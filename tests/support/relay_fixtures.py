"""Pytest fixtures of the relay, in addition to the sandbox's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from interactor_client.models import WorkflowState, WorkflowTransition
from interactor_ext import InteractorClient
from interactor_ext.sandbox import Sandbox
from tests.support.relay_server import RelayServer, relaying


@pytest.fixture
def start_relay(sandbox: Sandbox) -> Iterator[Callable[..., RelayServer]]:
    """Starts relays of the sandbox, which end with the test."""
    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(relaying(sandbox, **options))


@pytest.fixture
def relay(start_relay: Callable[..., RelayServer]) -> RelayServer:
    return start_relay()


@pytest.fixture
def backend(sandbox: Sandbox) -> Iterator[InteractorClient]:
    """The platform as the application's backend sees it."""
    with sandbox.client() as client:
        yield client


@pytest.fixture
def new_room(backend: InteractorClient) -> Callable[..., str]:
    def new_room(namespace: str = "user_1", **fields: Any) -> str:
        user = backend.namespace(namespace)
        bot = user.assistants.create(**{"name": "Bot", "model": "gpt-4", "system_prompt": "Help.", **fields})
        return user.rooms.create(assistant_id=bot.id).id

    return new_room


@pytest.fixture
def emit(sandbox: Sandbox) -> Callable[..., None]:
    """Makes the platform send an event on the stream of a room or workflow instance."""

    def emit(stream: str, event_type: str, **fields: Any) -> None:
        sandbox.emit(stream, {"type": event_type, **fields})

    return emit


@pytest.fixture
def new_instance(backend: InteractorClient) -> Callable[..., str]:
    """Starts a workflow that waits for input and ends with it."""

    def new_instance(namespace: str = "user_1", **context: Any) -> str:
        user = backend.namespace(namespace)
        states = [
            WorkflowState(name="ask", type="halting", transitions=[WorkflowTransition(to="end")]),
            WorkflowState(name="end", type="terminal"),
        ]
        workflow = user.workflows.create(name="Ask", states=states, initial_state="ask")
        return user.workflow_instances.start(workflow_id=workflow.id, context=context).id

    return new_instance
