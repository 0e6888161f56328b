"""What a halted workflow asks, for a browser that comes when it is halted already."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from interactor_client.models import WorkflowState
from interactor_ext.sandbox import Sandbox
from tests.support.chat_page import ChatPage
from tests.support.conversations import NAMESPACE

QUESTION = {"type": "approval", "title": "Approve the order?", "config": {"total": 600}}
STATES = [
    {"name": "review", "type": "halting", "presentation": QUESTION, "transitions": [{"to": "wait"}]},
    {"name": "wait", "type": "halting", "transitions": [{"to": "done", "event": "go_on"}]},
    {"name": "done", "type": "terminal"},
]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox().run() as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def url(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with ChatPage(sandbox.env, tmp_path_factory.mktemp("bundles")) as page:
        yield page.url


def first_event(url: str, instance: str) -> Any:
    with httpx.stream("GET", f"{url}/interactor/workflow-instances/{instance}/stream") as response:
        return next(json.loads(line[6:]) for line in response.iter_lines() if line.startswith("data: "))


def test_stream_of_a_halted_workflow_begins_with_its_question(sandbox: Sandbox, url: str) -> None:
    with sandbox.client(namespace=NAMESPACE) as user:
        states = [WorkflowState.from_dict(each) for each in STATES]
        workflow = user.workflows.create(name="Order", initial_state="review", states=states)
        instance = user.workflow_instances.start(workflow_id=workflow.id).id
        assert first_event(url, instance) == {"type": "workflow.halted", "presentation": QUESTION}
        user.workflow_instances.submit_input(instance, body={})
        assert first_event(url, instance) == {"type": "workflow.halted", "presentation": {"type": "form"}}
        # Of a workflow that was deleted the question is not known any more.
        user.workflows.delete(workflow.id)
        assert first_event(url, instance) == {"type": "workflow.halted", "presentation": {"type": "form"}}
