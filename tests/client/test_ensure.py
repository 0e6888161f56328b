"""`ensure` of assistants, rooms, webhooks and workflows, ToolSets as `tools=`, and patterns as `events=`."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any

import httpx
import pytest

import interactor_ext._interactor.views.ensuring as ensuring
from interactor_client.models import WorkflowState
from interactor_client.types import UNSET
from interactor_ext import (
    APIConnectionError,
    APITimeoutError,
    ConfigurationError,
    NotFoundError,
    ServerError,
    ToolSet,
    ValidationError,
)
from interactor_ext.sandbox import Sandbox
from interactor_ext.webhooks import WebhookRouter, WebhookVerifier
from tests.support.clock import Clock
from tests.support.modes import at_once, call, opened, sync_and_async
from tests.support.scripted_server import refusing_url
from tests.support.wire import Wire

pytest_plugins = ["tests.support.sandbox_fixtures", "tests.support.conversation_fixtures"]
pytestmark = pytest.mark.usefixtures("short_pauses")

BOT: dict[str, Any] = {"name": "Support Bot", "model": "gpt-4", "system_prompt": "You help."}
URL = "https://shop.example/webhooks"


def tool_set() -> ToolSet:
    tools = ToolSet()

    @tools.tool
    def order_status(number: int) -> str:
        """How far an order is."""
        return "on its way"

    return tools


def written(sandbox: Sandbox) -> Counter[str]:
    names = [record.operation for record in sandbox.requests if record.method in ("POST", "PATCH")]
    return Counter(name for name in names if name != "create_token")


@sync_and_async
@pytest.mark.parametrize(("whole", "asked"), [(BOT, "GET"), ({"name": BOT["name"]}, "PATCH")])
def test_what_a_list_leaves_out_is_asked_for_and_what_nobody_shows_is_written(
    mode: str, whole: dict[str, Any], asked: str
) -> None:
    requests: list[tuple[str, str]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append((request.method, request.url.path.rpartition("/v1")[2]))
        listed = {"data": [{"id": "asst_1", "name": BOT["name"]}], "meta": {"has_more": False}}
        return httpx.Response(200, json=listed if len(requests) == 1 else {"data": {"id": "asst_1", **whole}})

    bot = call(mode, Wire(answer).settings, lambda client: client.assistants.ensure(**BOT))
    assert bot.outcome == {"GET": "unchanged", "PATCH": "updated"}[asked]
    assert requests[:2] == [("GET", "/assistants"), ("GET", "/assistants/asst_1")]
    assert requests[2:] == ([("PATCH", "/assistants/asst_1")] if asked == "PATCH" else [])


@sync_and_async
async def test_assistant_is_created_then_found_then_updated(mode: str, sandbox: Sandbox) -> None:
    async with opened(mode, sandbox._with_connection({})) as client:
        user = client.namespace("user_1")
        for number in range(150):
            await user.assistants.create(**{**BOT, "name": f"Bot {number}"})
        sandbox.requests.clear()
        first = await user.assistants.ensure(**BOT, temperature=0.5)
        again = await user.assistants.ensure(**BOT, temperature=0.5)
        changed = await user.assistants.ensure(**{**BOT, "system_prompt": "Be brief."})
        outcomes = [bot.outcome for bot in (first, again, changed)]
        assert outcomes == ["created", "unchanged", "updated"]
        assert first == again != changed
        assert "outcome" not in first.to_dict()
        assert {bot.id for bot in (first, again, changed)} == {first.id}
        assert (await user.assistants.get(first.id)).system_prompt == "Be brief."
        assert written(sandbox) == {"create_assistant": 1, "update_assistant": 1}
        other = await client.namespace("user_2").assistants.ensure(**BOT)
        assert (other.outcome, other.id == first.id) == ("created", False)
        sandbox.requests.clear()
        with pytest.raises(ConfigurationError, match=r"'Support Bot' differs in its model, .* Nothing was changed\."):
            await user.assistants.ensure(**{**BOT, "model": "gpt-5"}, tools=tool_set())
        assert written(sandbox) == {}


@sync_and_async
@pytest.mark.parametrize("prompts", [1, 2])
async def test_first_visits_at_once_make_one_assistant(mode: str, prompts: int, sandbox: Sandbox) -> None:
    """Also of two versions of an application: the last one wins, as if they had come one after the other. Each may
    register the tool, of which the assistant has one."""
    barrier = threading.Barrier(12) if mode == "sync" else None

    async def visit(client: Any, number: int) -> Any:
        if barrier is not None:
            barrier.wait(60)
        wanted = {**BOT, "system_prompt": f"{number % prompts}", "tools": tool_set()}
        return await client.namespace("user_1").assistants.ensure(**wanted)

    async with opened(mode, sandbox._with_connection({})) as client:
        bots = await at_once(mode, *(visit(client, number) for number in range(12)))
        assert len({bot.id for bot in bots}) == 1
        page = await client.namespace("user_1").assistants.list()
        assert [bot.id for bot in page] == [bots[0].id]
        assert page.data[0].system_prompt in {str(number) for number in range(prompts)}
        assert len(page.data[0].tools) == 1


@sync_and_async
@pytest.mark.parametrize("prompt", ["You help.", "Be brief."])
async def test_what_was_deleted_is_created_again(
    mode: str, prompt: str, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within the 24 hours in which its idempotency key gives the first response again."""
    monkeypatch.setattr(ensuring, "_PAUSES", (0.0,))
    async with opened(mode, sandbox._with_connection({})) as client:
        user = client.namespace("user_1")
        ids = []
        for _ in range(3):
            bot = await user.assistants.ensure(**{**BOT, "system_prompt": prompt if ids else BOT["system_prompt"]})
            assert bot.outcome == "created"
            assert (await user.assistants.get(bot.id)).name == bot.name
            await user.assistants.delete(bot.id)
            ids.append(bot.id)
        assert len(set(ids)) == 3


ENDS: list[dict[str, Any]] = [{"name": "done", "type": "terminal"}]


@sync_and_async
async def test_room_is_found_by_its_assistant_and_metadata(mode: str, sandbox: Sandbox) -> None:
    async with opened(mode, sandbox._with_connection({})) as client:
        user = client.namespace("user_1")
        bots = [(await user.assistants.create(**{**BOT, "name": name})).id for name in "ab"]
        kinds = [{}, {"metadata": {"topic": "orders"}}, {"metadata": {"topic": "returns", "paid": True}}]
        rooms = [await user.rooms.ensure(bot, **kind) for bot in bots for kind in reversed(kinds)]
        await user.rooms.update(rooms[1].id, metadata={"topic": "orders", "seen": 1})
        again = [await user.rooms.ensure(bot, **kind) for bot in bots for kind in reversed(kinds)]
        assert [room.outcome for room in rooms] == ["created", "created", "unchanged"] * 2
        assert [(room.id, room.outcome) for room in again] == [(room.id, "unchanged") for room in rooms]
        assert written(sandbox)["create_room"] == 4


@sync_and_async
async def test_workflow_is_found_by_its_name_and_never_changed(mode: str, sandbox: Sandbox) -> None:
    asks = {"name": "ask", "type": "halting", "presentation": {"type": "form", "title": "Ship?"}}
    states = [WorkflowState.from_dict(state) for state in (asks, *ENDS)]
    about: dict[str, Any] = {"name": "Approval", "initial_state": "ask", "states": states}
    async with opened(mode, sandbox._with_connection({})) as client:
        workflows = client.namespace("user_1").workflows
        sandbox.faults.add("create_workflow", kind="reset_after")
        found = [await workflows.ensure(**about) for _ in range(3)]
        assert len({each.id for each in found}) == (await workflows.list()).meta.total == 1
        other = [WorkflowState.from_dict(state) for state in ({**asks, "presentation": {"type": "text"}}, *ENDS)]
        for states in (other, other[:1], [*other, WorkflowState(name="x", type="terminal")]):
            with pytest.raises(ConfigurationError, match="The workflow 'Approval' differs in its states, which can't"):
                await workflows.ensure(**{**about, "states": states})
        older = await workflows.create(**{**about, "name": "Twice"})
        sandbox.clock.advance(1)
        await workflows.create(**{**about, "name": "Twice"})
        assert (await workflows.ensure(**{**about, "name": "Twice"})).id == older.id


@sync_and_async
async def test_what_was_found_is_remembered_for_a_minute(
    mode: str, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr(ensuring, "clock", clock)
    monkeypatch.setattr(ensuring, "_PAUSES", (0.0,))
    async with opened(mode, sandbox._with_connection({})) as client:
        user, tools = client.namespace("user_1"), tool_set()

        async def visit(tools: ToolSet, view: Any = user, **changes: Any) -> Any:
            """A bot, and how many requests it took to find it."""
            before = len(sandbox.requests)
            bot = await view.assistants.ensure(**{**BOT, **changes}, tools=tools)
            return bot.outcome, len(sandbox.requests) - before

        assert (await visit(tools))[0] == "created"
        assert await visit(tools) == ("unchanged", 2)
        assert await visit(tools) == await visit(tool_set()) == ("unchanged", 0)
        for options in ({"headers": {"X-Team": "a"}}, {"query": {"team": "a"}}):
            assert await visit(tools, user.with_options(**options)) == ("unchanged", 2)
        (await user.assistants.ensure(**BOT, tools=tools)).name = "mine"
        bot = await user.assistants.ensure(**BOT, tools=tools)
        assert bot.name == BOT["name"]
        assert (await client.namespace("user_2").assistants.ensure(**BOT, tools=tools)).outcome == "created"
        assert await visit(tools, system_prompt="Be brief.") == ("updated", 3)
        assert await visit(tools, system_prompt="Be brief.") == ("unchanged", 0)
        assert await visit(tools) == ("updated", 3)
        tools.tool(name="more", description="More.")(lambda: "")
        assert (await visit(tools))[0] == "updated"
        assert await visit(tools) == ("unchanged", 0)
        await user.assistants.update(bot.id, max_tokens=9)
        assert await visit(tools) == ("unchanged", 2)
        async with opened(mode, sandbox._with_connection({})) as another:
            await another.namespace("user_1").assistants.delete(bot.id)
            assert await visit(tools) == ("unchanged", 0)
            with pytest.raises(NotFoundError):
                await user.assistants.get(bot.id)
            assert (await visit(tools))[0] == "created"
            bot = await user.assistants.ensure(**BOT, tools=tools)
            await another.namespace("user_1").assistants.delete(bot.id)
            with pytest.raises(ValidationError):
                await user.rooms.create(bot.id)
            assert (await visit(tools))[0] == "created"
            bot = await user.assistants.ensure(**BOT, tools=tools)
            await another.namespace("user_1").assistants.update(bot.id, system_prompt="Other.")
        assert await visit(tools) == ("unchanged", 0)
        clock.pass_(61)
        assert await visit(tools) == ("updated", 3)


@sync_and_async
async def test_function_among_the_tools_says_what_to_write(mode: str, sandbox: Sandbox) -> None:
    async with opened(mode, sandbox._with_connection({})) as client:
        for method in (client.assistants.create, client.assistants.ensure):
            with pytest.raises(TypeError, match=r"function 'tool_set'\. Write tools = ToolSet\(\); tools\.tool"):
                await method(**BOT, tools=[tool_set])


@sync_and_async
async def test_webhook_shows_its_secret_when_it_is_created(mode: str, sandbox: Sandbox) -> None:
    router = WebhookRouter(WebhookVerifier("whsec_example"))
    router.on("workflow.*", "room.message.created")(lambda event: None)
    router.on("room.message.*")(lambda event: None)
    async with opened(mode, sandbox._with_connection({})) as client:
        webhooks = client.namespace("user_1").webhooks
        first = await webhooks.ensure(url=URL, events=router.events)
        again = await webhooks.ensure(url=URL, events=list(reversed(router.events)), secret="whsec_other")
        paused = await webhooks.ensure(url=URL, events=["credential.*"], active=False)
        assert [each.outcome for each in (first, again, paused)] == ["created", "unchanged", "updated"]
        assert [bool(each.secret) for each in (first, again, paused)] == [True, False, False]
        assert (
            set(first.events)
            == set(router.events)
            == {
                *("room.message.created", "room.message.updated"),
                *(
                    f"workflow.instance.{what}"
                    for what in ("started", "state_changed", "halted", "completed", "failed")
                ),
                "workflow.instance.cancelled",
            }
        )
        assert (paused.active, all(event.startswith("credential.") for event in paused.events)) == (False, True)
        created = await webhooks.create(url=f"{URL}/2", events=["room.message.*", "room.message.created"])
        assert sorted(created.events) == ["room.message.created", "room.message.updated"]
        with pytest.raises(ValueError, match=r"No event matches 'rooms\.\*'"):
            await webhooks.update(created.id, events=["rooms.*"])


def test_router_with_a_default_handler_takes_every_event() -> None:
    router = WebhookRouter(WebhookVerifier("whsec_example"))
    assert router.events == []
    router.on("room.invented")(print)
    assert router.events == ["room.invented"]
    router.default(print)
    assert len(router.events) == 16


@sync_and_async
async def test_tool_set_is_registered_and_bound(mode: str, sandbox: Sandbox) -> None:
    async with opened(mode, sandbox._with_connection({})) as client:
        user, tools = client.namespace("user_1"), tool_set()
        bot = await user.assistants.create(**BOT, tools=tools)
        (tool,) = await user.tools.list()
        assert (bot.tools, tool.name) == ([tool.id], "order_status")
        bare = await user.assistants.update(bot.id, tools=[])
        assert (bare.tools, (await user.assistants.update(bot.id, tools=tools)).tools) == ([], [tool.id])
        ensured = await user.assistants.ensure(**BOT, tools=tools)
        assert (ensured.outcome, ensured.id) == ("unchanged", bot.id)
        ids = await user.assistants.create(**BOT, tools=[tool.id])
        assert ids.tools == [tool.id]
        assert written(sandbox)["create_tool"] == 1


@pytest.mark.parametrize("fault", [{"kind": "reset"}, {"kind": "reset_after"}, {"kind": "truncated"}, {"status": 503}])
@sync_and_async
async def test_lost_answer_to_a_request_without_a_key_is_no_error(
    mode: str, sandbox: Sandbox, fault: dict[str, Any]
) -> None:
    async with opened(mode, sandbox._with_connection({})) as client:
        user, tools, changed = client.namespace("user_1"), tool_set(), {**BOT, "system_prompt": "Be brief."}
        for operation in ("create_tool", "update_assistant"):
            sandbox.faults.add(operation, **fault)
        bot = await user.assistants.ensure(**BOT, tools=tools)
        assert [tool.id for tool in await user.tools.list()] == bot.tools
        assert (await user.assistants.ensure(**changed, tools=tools)).outcome == "updated"
        assert (await user.assistants.get(bot.id)).system_prompt == "Be brief."
        sandbox.faults.add("create_tool", status=503)
        with pytest.raises(ServerError):
            await client.namespace("user_2").with_options(max_retries=0).assistants.ensure(**BOT, tools=tools)


@sync_and_async
async def test_unavailable_or_unreachable_platform_is_tried_as_often_as_by_one_call(
    mode: str, sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    sandbox.faults.add("list_tools", status=503, times=None)
    async with opened(mode, sandbox._with_connection({"max_retries": 1})) as client:
        with pytest.raises(ServerError):
            await client.namespace("user_1").assistants.create(**BOT, tools=tool_set())
    assert [each.operation for each in sandbox.requests].count("list_tools") == 2
    caplog.clear()
    with refusing_url() as url:
        options = {**sandbox._with_connection({"max_retries": 1}), "core_api_url": f"{url}/api/v1"}
        async with opened(mode, options) as client:
            with pytest.raises(APIConnectionError):
                await client.namespace("user_1").assistants.create(**BOT, tools=tool_set())
    assert caplog.text.count("is retried") == 1


@sync_and_async
def test_deadline_of_the_view_bounds_all_of_ensure(mode: str, sandbox: Sandbox) -> None:
    sandbox.faults.add("list_assistants", latency=60)
    with pytest.raises(APITimeoutError):
        call(mode, sandbox._with_connection({"deadline": 0.5}), lambda client: client.assistants.ensure(**BOT))


@sync_and_async
async def test_question_is_what_a_halted_instance_asks(mode: str, sandbox: Sandbox) -> None:
    asks = {"name": "ask", "type": "halting", "presentation": {"type": "form", "title": "Ship?"}}
    bare = {"name": "bare", "type": "halting", "transitions": [{"to": "done"}]}
    async with opened(mode, sandbox._with_connection({})) as client:
        user = client.namespace("user_1")
        for initial, expected in (("ask", ("form", "Ship?")), ("bare", ("form", UNSET)), ("done", None)):
            states = [WorkflowState.from_dict(state) for state in (asks, bare, *ENDS)]
            workflow = await user.workflows.create(name="W", initial_state=initial, states=states)
            started = await user.workflow_instances.start(workflow.id)
            question = await user.workflow_instances.question(started.id)
            assert expected == (question and (question.type, question.title))
        with pytest.raises(NotFoundError):
            await user.workflow_instances.question("wfi_none")


@sync_and_async
@pytest.mark.parametrize(
    ("known", "asked"),
    [
        ({"status": "halted", "workflow_id": "w", "current_state": "ask"}, "approval"),
        ({"workflow_id": "w", "current_state": "ask"}, "approval"),
        ({"workflow_id": "w", "current_state": "other"}, None),
        ({"status": "halted", "current_state": "ask"}, "form"),
        ({"status": "halted", "workflow_id": "w"}, "form"),
        ({"status": "running", "workflow_id": "w", "current_state": "ask"}, None),
        ({}, None),
    ],
)
async def test_question_of_an_instance_that_leaves_something_out(
    mode: str, known: dict[str, Any], asked: str | None
) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if "/workflow-instances/" in request.url.path:
            return httpx.Response(200, json={"data": {"id": "i", **known}})
        return httpx.Response(
            200, json={"data": {"id": "w", "states": [{"name": "ask", "presentation": {"type": "approval"}}]}}
        )

    async with opened(mode, Wire(answer).settings) as client:
        question = await client.workflow_instances.question("i")
        assert asked == (question and question.type)
