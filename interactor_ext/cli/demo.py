"""`interactor demo`: the quickstart with the real client against an embedded sandbox.

`python -m interactor_ext.cli.demo` needs the extra `[sandbox]` and no credentials. It exits with status 0 if every step
had the expected result.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from interactor_client.models import (
    HaltingPresentation,
    MessageComplete,
    MessageDelta,
    WorkflowState,
    WorkflowTransition,
)
from interactor_ext import InteractorClient, NotFoundError, validate_env
from interactor_ext._redaction import escape_controls
from interactor_ext.sandbox import Sandbox
from interactor_ext.testing.environment import environment_of


def main() -> int:
    """Run every step in order. Raises the error of a failed step."""
    with Sandbox().run() as sandbox, _environment(environment_of(sandbox)):
        _say("Interactor SDK demo", f"sandbox at {sandbox.core_api_url}")
        validate_env()
        _say("environment", "INTERACTOR_CLIENT_ID and INTERACTOR_CLIENT_SECRET are set")
        with InteractorClient() as client:
            token = client.get_access_token()
            _say("token", f"{len(token)} characters, kept until a minute before it expires")
            user = client.namespace("user_123")
            _converse(user)
            _page_through(user)
            _approve(user)
            _fail(user)
    _say("done", "every step came out as it should")
    return 0


def _converse(user: InteractorClient) -> None:
    bot = user.assistants.create(name="Support Bot", model="gpt-4", system_prompt="You are helpful.")
    _say("assistant", f"{bot.name} is {bot.id}")
    room = user.rooms.create(assistant_id=bot.id, metadata={"email": "john@example.com"})
    _say("room", room.id)
    answer = user.messages.send(room.id, content="Hello!")
    _say("message", f"{answer.role}: {answer.content}")
    # The stream is opened before the message is sent, so that no word of the reply is missed.
    with user.rooms.stream(room.id) as stream:
        user.messages.send(room.id, content="And word by word?", stream=True)
        _begin("streamed reply")
        for event in stream:
            match event:
                case MessageDelta(content=text):
                    _write(text)
                case MessageComplete(message=message):
                    break
        else:
            raise AssertionError("the stream ended before the answer was complete")
    _write(f"  ({message.id})\n")


def _page_through(user: InteractorClient) -> None:
    for number in range(6):
        user.assistants.create(name=f"Bot {number}", model="gpt-4", system_prompt="You are helpful.")
    page = user.assistants.list(page=1, per_page=3)
    everything = list(user.assistants.iterate(per_page=3, prefetch=2))
    _say("pages", f"{len(everything)} assistants on {page.meta.total_pages} pages of at most {page.meta.per_page}")


def _approve(user: InteractorClient) -> None:
    workflow = user.workflows.create(
        name="Order approval",
        initial_state="review",
        states=[
            WorkflowState(
                name="review",
                type="halting",
                presentation=HaltingPresentation(type="approval", config={"title": "Approve the order?"}),
                transitions=[
                    WorkflowTransition(to="shipped", condition="approved == true"),
                    WorkflowTransition(to="rejected", condition="approved == false"),
                ],
            ),
            WorkflowState(name="shipped", type="terminal"),
            WorkflowState(name="rejected", type="terminal"),
        ],
    )
    halted = user.workflow_instances.start(workflow_id=workflow.id, context={"order_id": "ord_123", "total": 599.99})
    _say("workflow", f"{halted.id} is {halted.status} at {halted.current_state!r} and waits for input")
    finished = user.workflow_instances.submit_input(halted.id, body={"approved": True})
    _say("workflow", f"{finished.id} is {finished.status} at {finished.current_state!r}")


def _fail(user: InteractorClient) -> None:
    try:
        user.assistants.get("asst_does_not_exist")
    except NotFoundError as error:
        _say("an error", f"{type(error).__name__}: {error}")
    else:
        raise AssertionError("an unknown id was found")


@contextmanager
def _environment(variables: dict[str, str | None]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    _set(variables)
    try:
        yield
    finally:
        _set(before)


def _set(variables: dict[str, str | None]) -> None:
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def _say(step: str, text: str) -> None:
    _begin(step)
    _write(f"{text}\n")


def _begin(step: str) -> None:
    _write(f"{step:>20}  ")


def _write(text: str) -> None:
    sys.stdout.write(escape_controls(text))
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
