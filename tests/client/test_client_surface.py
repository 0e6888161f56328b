"""Every operation of the contract against the sandbox: as a method and as an endpoint function, sync and async."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from importlib import import_module
from typing import Any

import pytest

import interactor_client.models
from interactor_client.models import MessageComplete, WorkflowState, WorkflowTransition
from interactor_client.types import Page
from interactor_ext import AsyncInteractorClient, InteractorClient
from interactor_ext.sandbox import Sandbox
from tests.support.contract import operations

Script = Generator[Any, Any, None]


class LowLevel:
    """`user` with endpoint functions behind its methods: `rooms.get(id)` calls `get_room.sync(id, client=user.api)`."""

    def __init__(self, user: Any, function: str, tag: str = "") -> None:
        self._user = user
        self._function = function
        self._tag = tag

    def __getattr__(self, name: str) -> Any:
        if not self._tag:
            return LowLevel(self._user, self._function, name)
        operation = next(found for found in operations() if (found.tag, found.method_name) == (self._tag, name))
        endpoint = import_module(f"interactor_client.api.{self._tag}.{operation.id}")
        return self._adapted(getattr(endpoint, self._function))

    def _adapted(self, function: Callable[..., Any]) -> Callable[..., Any]:
        parameters = inspect.signature(function).parameters

        def call(*ids: Any, **fields: Any) -> Any:
            if "body" in parameters and "body" not in fields:
                model = getattr(interactor_client.models, str(parameters["body"].annotation))
                fields = {"body": model(**fields)}
            result = function(*ids, client=self._user.api, **fields)
            return _unwrapped_later(result) if inspect.isawaitable(result) else _unwrapped(result)

        return call


def _unwrapped(envelope: Any) -> Any:
    data = getattr(envelope, "data", envelope)
    return Page(data, None) if isinstance(data, list) and hasattr(envelope, "meta") else data  # type: ignore[arg-type]


async def _unwrapped_later(envelope: Any) -> Any:
    return _unwrapped(await envelope)


def tour(user: Any, sandbox: Sandbox) -> Script:
    """A generator of calls: each `yield` gives one, and gets its result."""
    tool = yield user.tools.create(name="get_weather", description="Weather", parameters={"type": "object"})
    assert tool.parameters == {"type": "object"}
    assert (yield user.tools.update(tool.id, description="The weather")).description == "The weather"
    assert (yield user.tools.get(tool.id)).id == tool.id
    assert tool.id in [item.id for item in (yield user.tools.list(per_page=100))]

    source = yield user.data_sources.create(name="Docs", type="url", config={"url": "https://example.com"})
    assert (yield user.data_sources.get(source.id)).type == "url"
    assert (yield user.data_sources.update(source.id, name="Guides")).name == "Guides"
    assert [item.id for item in (yield user.data_sources.list(type="url"))] == [source.id]
    assert (yield user.data_sources.sync(source.id)).sync_status == "syncing"

    bot = yield user.assistants.create(name="Bot", model="gpt-4", system_prompt="x", tools=[tool.id])
    assert (yield user.assistants.get(bot.id)).name == "Bot"
    assert (yield user.assistants.update(bot.id, name="Renamed", temperature=0.5)).name == "Renamed"
    assert [item.id for item in (yield user.assistants.list(page=1, per_page=5))] == [bot.id]

    room = yield user.rooms.create(assistant_id=bot.id, metadata={"email": "john@example.com"})
    assert (yield user.rooms.update(room.id, metadata={"vip": True})).metadata == {"vip": True}
    assert (yield user.rooms.get(room.id)).id == room.id
    assert [item.id for item in (yield user.rooms.list(assistant_id=bot.id))] == [room.id]
    asked = yield user.messages.send(room.id, content='/tool get_weather {"city": "Oslo"}')
    (pending,) = asked.tool_calls
    answer = yield user.tools.submit_result(room.id, tool_call_id=pending.id, result={"degrees": [-3, 1.5, None]})
    assert answer.room_id == room.id
    # Not before: the sandbox calls the URL of a tool that an assistant uses.
    assert (yield user.tools.update(tool.id, callback_url="https://example.com/t")).callback_url
    assert len((yield user.messages.list(room.id, order="desc", per_page=50)).data) >= 2

    workflow = yield user.workflows.create(
        name="Approval",
        initial_state="review",
        states=[
            WorkflowState(
                name="review",
                type="halting",
                transitions=[
                    WorkflowTransition(to="done", condition="approved == true"),
                    WorkflowTransition(to="done", event="forced"),
                ],
            ),
            WorkflowState(name="done", type="terminal"),
        ],
    )
    assert (yield user.workflows.get(workflow.id)).initial_state == "review"
    assert [item.id for item in (yield user.workflows.list())] == [workflow.id]
    started = []
    for number in range(3):
        instance = yield user.workflow_instances.start(workflow_id=workflow.id, context={"order": number})
        started.append(instance.id)
    first, second, third = started
    assert (yield user.workflow_instances.get(first)).status == "halted"
    assert len((yield user.workflow_instances.list(workflow_id=workflow.id, status="halted")).data) == 3
    assert (yield user.workflow_instances.submit_input(first, body={"approved": True})).status == "completed"
    assert (yield user.workflow_instances.trigger_event(second, event="forced")).status == "completed"
    message = yield user.workflow_instances.send_thread_message(third, content="How long?")
    assert message.content == "How long?"
    assert (yield user.workflow_instances.get_thread(third)).messages[-1].id
    assert (yield user.workflow_instances.cancel(third)) is None

    webhook = yield user.webhooks.create(url="https://example.com/hook", events=["credential.expired"])
    assert (yield user.webhooks.update(webhook.id, active=False)).active is False
    assert (yield user.webhooks.get(webhook.id)).url == "https://example.com/hook"
    assert [item.id for item in (yield user.webhooks.list())] == [webhook.id]
    assert (yield user.webhooks.rotate_secret(webhook.id)).secret != webhook.secret

    flow = yield user.credentials.initiate_oauth(
        provider="google", scopes=["calendar"], redirect_uri="https://example.com/back"
    )
    redirected = sandbox.decide(flow.flow_id)
    code = redirected.split("code=")[1].split("&")[0]
    credential = yield user.credentials.complete_oauth(provider="google", code=code, state=flow.state)
    assert (yield user.credentials.get_oauth_status(flow.flow_id)).credential_id == credential.id
    assert (yield user.credentials.get(credential.id)).provider == "google"
    assert (yield user.credentials.get_token(credential.id)).access_token
    assert (yield user.credentials.refresh(credential.id)).status == "active"
    assert [item.id for item in (yield user.credentials.list(provider="google", status="active"))] == [credential.id]

    assert (yield user.oauth.get_jwks()).keys[0].alg == "RS256"
    secret = {"client_id": sandbox.client_id, "client_secret": sandbox.client_secret}
    token = yield user.oauth.create_token(grant_type="client_credentials", **secret)
    assert (yield user.oauth.revoke_token(token=token.access_token, **secret)) is None

    for delete, name in (
        (user.credentials.delete, credential.id),
        (user.webhooks.delete, webhook.id),
        (user.workflows.delete, workflow.id),
        (user.rooms.delete, room.id),
        (user.assistants.delete, bot.id),
        (user.data_sources.delete, source.id),
        (user.tools.delete, tool.id),
    ):
        assert (yield delete(name)) is None


def walk_lists(user: Any) -> Script:
    """The lists of the namespace of the other calls, as iterators."""
    for number in range(5):
        bot = yield user.assistants.create(name=f"Bot {number}", model="gpt-4", system_prompt="x")
    room = yield user.rooms.create(assistant_id=bot.id)
    yield user.messages.send(room.id, content="Hello")
    found = yield user.assistants.iterate(per_page=2, prefetch=2)
    assert [bot.name for bot in found] == [f"Bot {number}" for number in range(5)]
    first, *_ = yield user.messages.iterate(room.id, order="asc")
    assert first.content == "Hello"
    for resource in (user.tools, user.data_sources, user.workflows, user.workflow_instances, user.webhooks):
        assert (yield resource.iterate(per_page=1)) == []
    assert len((yield user.rooms.iterate(assistant_id=bot.id))) == 1
    assert (yield user.credentials.iterate(provider="google")) == []


def drive(script: Script) -> None:
    result = None
    while True:
        try:
            result = script.send(result)
        except StopIteration:
            return
        if isinstance(result, Iterator):
            result = list(result)


async def drive_async(script: Script) -> None:
    result = None
    while True:
        try:
            result = script.send(result)
        except StopIteration:
            return
        if isinstance(result, AsyncIterator):
            result = [item async for item in result]
        elif inspect.isawaitable(result):
            result = await result


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox().run() as running:
        yield running


def called(sandbox: Sandbox) -> set[str | None]:
    failed = [(record.operation, record.status) for record in sandbox.requests if record.status >= 400]
    assert failed == []
    return {record.operation for record in sandbox.requests}


PLAIN = {operation.id for operation in operations() if operation.method_name != "stream"}


def test_every_operation_works_as_sync_method(sandbox: Sandbox) -> None:
    with sandbox.client() as client:
        drive(tour(client.namespace("a"), sandbox))
        drive(walk_lists(client.namespace("b")))
    assert called(sandbox) == PLAIN


async def test_every_operation_works_as_async_method(sandbox: Sandbox) -> None:
    async with sandbox.async_client() as client:
        await drive_async(tour(client.namespace("a"), sandbox))
        await drive_async(walk_lists(client.namespace("b")))
    assert called(sandbox) == PLAIN


def test_every_operation_works_as_sync_endpoint_function(sandbox: Sandbox) -> None:
    with sandbox.client() as client:
        drive(tour(LowLevel(client.namespace("a"), "sync"), sandbox))
    assert called(sandbox) == PLAIN


async def test_every_operation_works_as_async_endpoint_function(sandbox: Sandbox) -> None:
    async with sandbox.async_client() as client:
        await drive_async(tour(LowLevel(client.namespace("a"), "asyncio"), sandbox))
    assert called(sandbox) == PLAIN


def test_room_and_workflow_streams_work_sync(sandbox: Sandbox) -> None:
    with sandbox.client() as client:
        stream_both(client)
    assert {"stream_room", "stream_workflow_instance"} <= called(sandbox)


def stream_both(client: InteractorClient) -> None:
    user = client.namespace("a")
    bot = user.assistants.create(name="Bot", model="gpt-4", system_prompt="x")
    room = user.rooms.create(assistant_id=bot.id)
    with user.rooms.stream(room.id) as stream:
        user.messages.send(room.id, content="Hello", stream=True)
        while not isinstance(next(iter(stream)), MessageComplete):
            pass
    workflow = user.workflows.create(name="W", initial_state="wait", states=STATES)
    instance = user.workflow_instances.start(workflow_id=workflow.id)
    with user.workflow_instances.stream(instance.id) as stream:
        user.workflow_instances.trigger_event(instance.id, event="go")
        while getattr(next(iter(stream)), "state", "") != "done":
            pass


STATES = [
    WorkflowState(name="wait", type="halting", transitions=[WorkflowTransition(to="done", event="go")]),
    WorkflowState(name="done", type="terminal"),
]


async def test_room_and_workflow_streams_work_async(sandbox: Sandbox) -> None:
    async with sandbox.async_client() as client:
        await stream_both_async(client)
    assert {"stream_room", "stream_workflow_instance"} <= called(sandbox)


async def stream_both_async(client: AsyncInteractorClient) -> None:
    user = client.namespace("a")
    bot = await user.assistants.create(name="Bot", model="gpt-4", system_prompt="x")
    room = await user.rooms.create(assistant_id=bot.id)
    async with user.rooms.stream(room.id) as stream:
        await user.messages.send(room.id, content="Hello", stream=True)
        while not isinstance(await anext(aiter(stream)), MessageComplete):
            pass
    workflow = await user.workflows.create(name="W", initial_state="wait", states=STATES)
    instance = await user.workflow_instances.start(workflow_id=workflow.id)
    async with user.workflow_instances.stream(instance.id) as stream:
        await user.workflow_instances.trigger_event(instance.id, event="go")
        while getattr(await anext(aiter(stream)), "state", "") != "done":
            pass
