"""The SDK's own calls for every operation but the two streams, in an order in which a platform can answer them all.

Nothing is asserted here of what comes back, for it is called with servers that keep no state as well: what a step needs
it takes from the answers before it.
"""

from __future__ import annotations

from collections.abc import Callable

from interactor_client.models import (
    HaltingPresentation,
    SemanticMapping,
    WorkflowAction,
    WorkflowState,
    WorkflowTransition,
)
from interactor_ext import InteractorClient

STREAMS = {"stream_room", "stream_workflow_instance"}


def use_every_operation(client: InteractorClient, approve: Callable[[str], str]) -> None:
    """`approve` plays the user at the provider: it takes the id of an OAuth flow and returns the code."""
    user = client.namespace("user_1")
    use_credentials(user, approve)
    use_agents(user)
    use_workflows(user)
    use_webhooks(user)
    use_account_server(client)


def use_account_server(client: InteractorClient) -> None:
    client.oauth.get_jwks()
    config = client.config
    token = client.oauth.create_token(client_id=config.client_id, client_secret=config.client_secret)
    client.oauth.revoke_token(token=token.access_token, client_id=config.client_id, client_secret=config.client_secret)


def use_credentials(user: InteractorClient, approve: Callable[[str], str]) -> None:
    flow = user.credentials.initiate_oauth(
        provider="google", redirect_uri="https://app.example.com/back?next=%2F", scopes=["calendar.read"]
    )
    flow_id, state = str(flow.flow_id), str(flow.state)
    credential = user.credentials.complete_oauth(provider="google", code=approve(flow_id), state=state)
    user.credentials.get_oauth_status(flow_id)
    user.credentials.list(provider="google", status="active", page=1, per_page=100)
    user.credentials.get(credential.id)
    user.credentials.get_token(credential.id)
    user.credentials.refresh(credential.id)
    user.credentials.delete(credential.id)


def use_agents(user: InteractorClient) -> None:
    parameters = {"type": "object", "properties": {"city": {"type": "string"}}}
    tool = user.tools.create(name="get_weather", description="The weather now.", parameters=parameters)
    user.tools.list(per_page=1)
    user.tools.get(tool.id)
    source = user.data_sources.create(
        name="Orders",
        type="database",
        config={"dsn": "postgres://orders", "tables": ["orders"]},
        semantic_mappings=[SemanticMapping(field="cust_nm", description="Who bought", type="string")],
    )
    user.data_sources.list(type="database")
    user.data_sources.get(source.id)
    user.data_sources.update(source.id, name="All orders")
    user.data_sources.sync(source.id)
    bot = user.assistants.create(
        name="Support Bot",
        model="gpt-4",
        system_prompt="You are helpful. Sei freundlich: äöü 世界.",
        tools=[tool.id],
        data_sources=[source.id],
        temperature=0.2,
        max_tokens=256,
    )
    user.assistants.list(page=1, per_page=5)
    user.assistants.get(bot.id)
    user.assistants.update(bot.id, name="Renamed", temperature=0)
    use_rooms(user, bot.id)
    # Not before: the sandbox calls the URL of a tool that an assistant uses.
    user.tools.update(tool.id, description="The weather of today.", callback_url="https://app.example.com/tools")
    user.assistants.delete(bot.id)
    user.tools.delete(tool.id)
    user.data_sources.delete(source.id)


def use_rooms(user: InteractorClient, assistant_id: str) -> None:
    room = user.rooms.create(assistant_id=assistant_id, metadata={"email": "john@example.com", "tags": ["vip", None]})
    user.rooms.list(assistant_id=assistant_id)
    user.rooms.get(room.id)
    user.rooms.update(room.id, metadata={})
    user.messages.send(room.id, content="Hello!", role="user")
    asking = user.messages.send(room.id, content='/tool get_weather {"city": "Oslo"}', stream=False)
    calls = asking.tool_calls or []
    call_id = calls[0].id if calls else "tc_none"
    user.tools.submit_result(room.id, tool_call_id=call_id, result={"degrees": -3.5, "sky": None})
    user.messages.list(room.id, order="desc", page=1, per_page=2)
    user.rooms.delete(room.id)


def use_workflows(user: InteractorClient) -> None:
    workflow = user.workflows.create(
        name="Approval",
        description="Someone must agree.",
        initial_state="prepare",
        states=[
            WorkflowState(
                name="prepare",
                type="action",
                actions=[WorkflowAction(type="transform", config={"prepared": True})],
                transitions=[WorkflowTransition(to="review")],
            ),
            WorkflowState(
                name="review",
                type="halting",
                presentation=HaltingPresentation(type="approval", config={"title": "Approve?"}),
                transitions=[
                    WorkflowTransition(to="done", condition="approved == true"),
                    WorkflowTransition(to="done", event="skip"),
                ],
            ),
            WorkflowState(name="done", type="terminal"),
        ],
    )
    user.workflows.list()
    user.workflows.get(workflow.id)
    first, second, third = (
        user.workflow_instances.start(workflow_id=workflow.id, context={"total": 599.99}) for _ in range(3)
    )
    user.workflow_instances.list(workflow_id=workflow.id, status="halted")
    user.workflow_instances.get(first.id)
    user.workflow_instances.send_thread_message(first.id, content="Why?")
    user.workflow_instances.get_thread(first.id)
    user.workflow_instances.submit_input(first.id, body={"approved": True, "by": {"name": "Ana"}})
    user.workflow_instances.trigger_event(second.id, event="skip", payload={"reason": "late"})
    user.workflow_instances.cancel(third.id)
    user.workflows.delete(workflow.id)


def use_webhooks(user: InteractorClient) -> None:
    hook = user.webhooks.create(url="https://app.example.com/hooks", events=["credential.expired"], active=True)
    user.webhooks.list()
    user.webhooks.get(hook.id)
    user.webhooks.update(hook.id, events=["room.message.created", "workflow.instance.halted"], active=False)
    user.webhooks.rotate_secret(hook.id)
    user.webhooks.delete(hook.id)
