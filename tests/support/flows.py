"""What an application does with the platform, from end to end. The assertions only cover what any platform must return,
because an assistant chooses its own words. Each flow deletes what it created.
"""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from interactor_client.models import (
    Assistant,
    HaltingPresentation,
    MessageComplete,
    MessageDelta,
    WorkflowState,
    WorkflowTransition,
)
from interactor_ext import InteractorClient, NotFoundError, ValidationError


def converse(user: InteractorClient) -> None:
    with ExitStack() as stack:
        bot = new_assistant(user, stack)
        room = user.rooms.create(assistant_id=bot.id, metadata={"email": "john@example.com", "tags": ["vip", 1]})
        stack.callback(user.rooms.delete, room.id)
        assert user.rooms.get(room.id).metadata == {"email": "john@example.com", "tags": ["vip", 1]}
        answer = user.messages.send(room.id, content="Grüße, 世界! Answer in one word.")
        assert answer.room_id == room.id
        listed = user.messages.list(room.id, order="asc", per_page=50)
        assert listed.data[0].content == "Grüße, 世界! Answer in one word."
        assert "assistant" in {message.role for message in listed}


def follow(user: InteractorClient) -> None:
    with ExitStack() as stack:
        bot = new_assistant(user, stack)
        room = user.rooms.create(assistant_id=bot.id)
        stack.callback(user.rooms.delete, room.id)
        stream = stack.enter_context(user.rooms.stream(room.id))
        user.messages.send(room.id, content="Count to three.", stream=True)
        text = ""
        for event in stream:
            match event:
                case MessageDelta(content=piece):
                    text += piece
                case MessageComplete(message=message):
                    assert message.content == text
                    return
    raise AssertionError("the stream ended before the reply was complete")


def page_through(user: InteractorClient) -> None:
    with ExitStack() as stack:
        made = [new_assistant(user, stack).id for _ in range(5)]
        assert sorted(each.id for each in user.assistants.iterate(per_page=2, prefetch=2)) == sorted(made)
        assert len(user.assistants.list(per_page=2).data) == 2


def approve(user: InteractorClient) -> None:
    with ExitStack() as stack:
        workflow = user.workflows.create(
            name="Order approval",
            initial_state="review",
            states=[
                WorkflowState(
                    name="review",
                    type="halting",
                    presentation=HaltingPresentation(type="approval", config={"title": "Approve the order?"}),
                    transitions=[WorkflowTransition(to="shipped", condition="approved == true")],
                ),
                WorkflowState(name="shipped", type="terminal"),
            ],
        )
        stack.callback(user.workflows.delete, workflow.id)
        halted = user.workflow_instances.start(workflow_id=workflow.id, context={"total": 599.99})
        assert (halted.status, halted.current_state) == ("halted", "review")
        finished = user.workflow_instances.submit_input(halted.id, body={"approved": True})
        assert (finished.status, finished.current_state) == ("completed", "shipped")
        assert (finished.context["total"], finished.context["approved"]) == (599.99, True)
        other = user.workflow_instances.start(workflow_id=workflow.id)
        user.workflow_instances.cancel(other.id)
        assert user.workflow_instances.get(other.id).status == "cancelled"


def register(user: InteractorClient) -> None:
    """Things that are only stored: tools, data sources, webhooks."""
    with ExitStack() as stack:
        tool = user.tools.create(name="get_weather", description="The weather.", parameters={"type": "object"})
        stack.callback(user.tools.delete, tool.id)
        assert user.tools.update(tool.id, description="The weather now.").description == "The weather now."
        source = user.data_sources.create(name="Shop", type="url", config={"url": "https://shop.example.com"})
        stack.callback(user.data_sources.delete, source.id)
        assert user.data_sources.get(source.id).name == "Shop"
        hook = user.webhooks.create(url="https://app.example.com/hook", events=["credential.expired"], active=False)
        stack.callback(user.webhooks.delete, hook.id)
        assert user.webhooks.rotate_secret(hook.id).secret != hook.secret
        assert [each.id for each in user.webhooks.list()] == [hook.id]


def fail(user: InteractorClient) -> None:
    with pytest.raises(NotFoundError) as missing:
        user.rooms.get("room_that_never_was")
    assert missing.value.request_id
    with pytest.raises(ValidationError):
        user.assistants.create(name="", model="gpt-4", system_prompt="x")


FLOWS = [converse, follow, page_through, approve, register, fail]


def new_assistant(user: InteractorClient, stack: ExitStack) -> Assistant:
    bot = user.assistants.create(name="Support Bot", model="gpt-4", system_prompt="You are helpful. Be brief.")
    stack.callback(user.assistants.delete, bot.id)
    return bot


def left_behind(user: InteractorClient) -> list[str]:
    """The ids of everything that is still in a namespace. Finished runs of workflows are history, and stay."""
    lists = (user.assistants, user.rooms, user.tools, user.data_sources, user.workflows, user.webhooks)
    unfinished = [each for each in user.workflow_instances.iterate() if each.status in {"running", "halted"}]
    return [each.id for resource in lists for each in resource.iterate()] + [each.id for each in unfinished]
