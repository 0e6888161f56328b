"""Every operation of the contract is a method of both clients, which have the same names and parameters, and works."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest

import interactor_client.models
from interactor_client.api import AsyncResources, Resources
from interactor_client.models import MessageComplete, WorkflowState, WorkflowTransition
from interactor_client.types import Page, PageMeta
from interactor_ext import AsyncInteractorClient, InteractorClient
from interactor_ext.sandbox import Sandbox
from tests.support.contract import operations, resource_methods
from tests.support.modes import client_of, opened, sync_and_async

pytest_plugins = ["tests.support.sandbox_fixtures"]

LAST = PageMeta(1, 20, None, None, has_more=False)


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
            return _unwrapped(function(*ids, client=self._user.api, **fields))

        return call


async def _unwrapped(result: Any) -> Any:
    envelope = await result if inspect.isawaitable(result) else result
    data = getattr(envelope, "data", envelope)
    return Page(data, LAST) if isinstance(data, list) and hasattr(envelope, "meta") else data


async def tour(user: Any, sandbox: Sandbox) -> None:
    tool = await user.tools.create(name="get_weather", description="Weather", parameters={"type": "object"})
    assert tool.parameters == {"type": "object"}
    assert (await user.tools.update(tool.id, description="The weather")).description == "The weather"
    assert (await user.tools.get(tool.id)).id == tool.id
    assert tool.id in [item.id for item in (await user.tools.list(per_page=100))]

    source = await user.data_sources.create(name="Docs", type="url", config={"url": "https://example.com"})
    assert (await user.data_sources.get(source.id)).type == "url"
    assert (await user.data_sources.update(source.id, name="Guides")).name == "Guides"
    assert [item.id for item in (await user.data_sources.list(type="url"))] == [source.id]
    assert (await user.data_sources.sync(source.id)).sync_status == "syncing"

    bot = await user.assistants.create(name="Bot", model="gpt-4", system_prompt="x", tools=[tool.id])
    assert (await user.assistants.get(bot.id)).name == "Bot"
    assert (await user.assistants.update(bot.id, name="Renamed", temperature=0.5)).name == "Renamed"
    assert [item.id for item in (await user.assistants.list(page=1, per_page=5))] == [bot.id]

    room = await user.rooms.create(assistant_id=bot.id, metadata={"email": "john@example.com"})
    assert (await user.rooms.update(room.id, metadata={"vip": True})).metadata == {"vip": True}
    assert (await user.rooms.get(room.id)).id == room.id
    assert [item.id for item in (await user.rooms.list(assistant_id=bot.id))] == [room.id]
    asked = await user.messages.send(room.id, content='/tool get_weather {"city": "Oslo"}')
    (pending,) = asked.tool_calls
    answer = await user.tools.submit_result(room.id, tool_call_id=pending.id, result={"degrees": [-3, 1.5, None]})
    assert answer.room_id == room.id
    # Not before: the sandbox calls the URL of a tool that an assistant uses.
    assert (await user.tools.update(tool.id, callback_url="https://example.com/t")).callback_url
    assert len((await user.messages.list(room.id, order="desc", per_page=50)).data) >= 2

    workflow = await user.workflows.create(
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
    assert (await user.workflows.get(workflow.id)).initial_state == "review"
    assert [item.id for item in (await user.workflows.list())] == [workflow.id]
    started = []
    for number in range(3):
        instance = await user.workflow_instances.start(workflow_id=workflow.id, context={"order": number})
        started.append(instance.id)
    first, second, third = started
    assert (await user.workflow_instances.get(first)).status == "halted"
    assert len((await user.workflow_instances.list(workflow_id=workflow.id, status="halted")).data) == 3
    assert (await user.workflow_instances.submit_input(first, body={"approved": True})).status == "completed"
    assert (await user.workflow_instances.trigger_event(second, event="forced")).status == "completed"
    message = await user.workflow_instances.send_thread_message(third, content="How long?")
    assert message.content == "How long?"
    assert (await user.workflow_instances.get_thread(third)).messages[-1].id
    assert (await user.workflow_instances.cancel(third)) is None

    webhook = await user.webhooks.create(url="https://example.com/hook", events=["credential.expired"])
    assert (await user.webhooks.update(webhook.id, active=False)).active is False
    assert (await user.webhooks.get(webhook.id)).url == "https://example.com/hook"
    assert [item.id for item in (await user.webhooks.list())] == [webhook.id]
    assert (await user.webhooks.rotate_secret(webhook.id)).secret != webhook.secret

    flow = await user.credentials.initiate_oauth(
        provider="google", scopes=["calendar"], redirect_uri="https://example.com/back"
    )
    redirected = sandbox.decide(flow.flow_id)
    code = redirected.split("code=")[1].split("&")[0]
    credential = await user.credentials.complete_oauth(provider="google", code=code, state=flow.state)
    assert (await user.credentials.get_oauth_status(flow.flow_id)).credential_id == credential.id
    assert (await user.credentials.get(credential.id)).provider == "google"
    assert (await user.credentials.get_token(credential.id)).access_token
    assert (await user.credentials.refresh(credential.id)).status == "active"
    assert [item.id for item in (await user.credentials.list(provider="google", status="active"))] == [credential.id]

    assert (await user.oauth.get_jwks()).keys[0].alg == "RS256"
    secret = {"client_id": sandbox.client_id, "client_secret": sandbox.client_secret}
    token = await user.oauth.create_token(grant_type="client_credentials", **secret)
    assert (await user.oauth.revoke_token(token=token.access_token, **secret)) is None

    for delete, name in (
        (user.credentials.delete, credential.id),
        (user.webhooks.delete, webhook.id),
        (user.workflows.delete, workflow.id),
        (user.rooms.delete, room.id),
        (user.assistants.delete, bot.id),
        (user.data_sources.delete, source.id),
        (user.tools.delete, tool.id),
    ):
        assert (await delete(name)) is None


async def walk_lists(user: Any) -> None:
    """The lists of the namespace of the other calls, as iterators."""

    async def all_of(iterator: Any) -> list[Any]:
        return [item async for item in iterator]

    for number in range(5):
        bot = await user.assistants.create(name=f"Bot {number}", model="gpt-4", system_prompt="x")
    room = await user.rooms.create(assistant_id=bot.id)
    await user.messages.send(room.id, content="Hello")
    found = await all_of(user.assistants.iterate(per_page=2, prefetch=2))
    assert [bot.name for bot in found] == [f"Bot {number}" for number in range(5)]
    first, *_ = await all_of(user.messages.iterate(room.id, order="asc"))
    assert first.content == "Hello"
    for resource in (user.tools, user.data_sources, user.workflows, user.workflow_instances, user.webhooks):
        assert await all_of(resource.iterate(per_page=1)) == []
    assert len(await all_of(user.rooms.iterate(assistant_id=bot.id))) == 1
    assert await all_of(user.credentials.iterate(provider="google")) == []


async def stream_both(user: Any) -> None:
    bot = await user.assistants.create(name="Bot", model="gpt-4", system_prompt="x")
    room = await user.rooms.create(assistant_id=bot.id)
    async with user.rooms.stream(room.id) as stream:
        await user.messages.send(room.id, content="Hello", stream=True)
        while not isinstance(await anext(stream), MessageComplete):
            pass
    states = [
        WorkflowState(name="wait", type="halting", transitions=[WorkflowTransition(to="done", event="go")]),
        WorkflowState(name="done", type="terminal"),
    ]
    workflow = await user.workflows.create(name="W", initial_state="wait", states=states)
    instance = await user.workflow_instances.start(workflow_id=workflow.id)
    async with user.workflow_instances.stream(instance.id) as stream:
        await user.workflow_instances.trigger_event(instance.id, event="go")
        while getattr(await anext(stream), "state", "") != "done":
            pass


def called(sandbox: Sandbox) -> set[str | None]:
    failed = [(record.operation, record.status) for record in sandbox.requests if record.status >= 400]
    assert failed == []
    return {record.operation for record in sandbox.requests}


PLAIN = {operation.id for operation in operations() if operation.method_name != "stream"}


@sync_and_async
async def test_every_operation_works_as_a_method(mode: str, sandbox: Sandbox) -> None:
    async with opened(mode, sandbox._with_connection({})) as client:
        await tour(client.namespace("a"), sandbox)
        await walk_lists(client.namespace("b"))
        assert called(sandbox) == PLAIN
        await stream_both(client.namespace("c"))
        assert called(sandbox) == PLAIN | {"stream_room", "stream_workflow_instance"}


@sync_and_async
async def test_every_operation_works_as_an_endpoint_function(mode: str, sandbox: Sandbox) -> None:
    async with client_of(mode, sandbox._with_connection({})) as client:
        await tour(LowLevel(client.namespace("a"), "sync" if mode == "sync" else "asyncio"), sandbox)
    assert called(sandbox) == PLAIN


METHODS = resource_methods()
TWINS = {"close": "aclose", "__enter__": "__aenter__", "__exit__": "__aexit__"}


def public(cls: type) -> dict[str, Any]:
    names = {name for name in dir(cls) if not name.startswith("_") or name in TWINS or name in TWINS.values()}
    # `hasattr` leaves out attributes that raise an error, which names the method of the other client.
    return {name: inspect.getattr_static(cls, name) for name in names if hasattr(cls, name)}


def parameters(function: Any) -> list[tuple[Any, ...]]:
    return [
        (parameter.name, parameter.kind, parameter.default)
        for parameter in inspect.signature(function).parameters.values()
    ]


def test_clients_have_the_same_names() -> None:
    sync, other = public(InteractorClient), public(AsyncInteractorClient)
    assert {TWINS.get(name, name) for name in sync} == set(other)


def test_clients_take_the_same_parameters() -> None:
    assert parameters(InteractorClient) == parameters(AsyncInteractorClient)
    for name, member in public(InteractorClient).items():
        twin = public(AsyncInteractorClient)[TWINS.get(name, name)]
        if inspect.isfunction(member):
            assert parameters(member) == parameters(twin), name
        else:
            assert type(member) is type(twin), name


def test_methods_that_send_are_coroutines_in_the_async_client_only() -> None:
    coroutines = {name for name, member in public(AsyncInteractorClient).items() if inspect.iscoroutinefunction(member)}
    assert {"get_access_token", "health", "room_stream_url", "workflow_stream_url", "aclose"} <= coroutines
    assert not any(inspect.iscoroutinefunction(member) for member in public(InteractorClient).values())


@pytest.mark.parametrize("tag", METHODS)
def test_every_operation_is_a_method_in_sync_and_async(tag: str) -> None:
    expected = METHODS[tag]
    module = import_module(f"interactor_client.api.{tag}")
    name = "".join(word.capitalize() for word in tag.split("_"))
    sync, other = getattr(module, name), getattr(module, f"Async{name}")
    hint = "run make generate, or edit tests/support/platform.txt"
    assert {method for method in vars(sync) if not method.startswith("_")} == expected, hint
    assert {method for method in vars(other) if not method.startswith("_")} == expected, hint
    for method in expected:
        assert parameters(getattr(sync, method)) == parameters(getattr(other, method)), method
        sends = method.split("_")[0] not in ("iterate", "stream")
        assert inspect.iscoroutinefunction(getattr(other, method)) == sends, method
        assert not inspect.iscoroutinefunction(getattr(sync, method))
    assert isinstance(vars(Resources)[tag], type(vars(AsyncResources)[tag]))
