"""Chats in which the assistant calls tools: each call is run once and its result submitted once."""

from __future__ import annotations

import asyncio
import contextvars
import json
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Literal

import httpx
import pytest

from interactor_client.models import Message, RoomToolCallPendingEvent, Tool, ToolCall, ToolCallStart
from interactor_ext import (
    APIConnectionError,
    InteractorClient,
    PermissionDeniedError,
    ServerError,
    ToolContext,
    ToolSet,
)
from interactor_ext.sandbox import Sandbox
from interactor_ext.tools import ToolError
from interactor_ext.webhooks import WebhookRouter, WebhookVerifier, parse_event, sign
from tests.support.chaos_proxy import LOST, ChaosProxy
from tests.support.conversations import NAMESPACE, asked, chat, new_room, room_with
from tests.support.modes import call as call_with
from tests.support.modes import sync_and_async
from tests.support.scripted_server import receiving
from tests.support.waiting import eventually, eventually_async
from tests.support.wire import Wire

pytest_plugins = ["tests.support.sandbox_fixtures", "tests.support.conversation_fixtures"]
pytestmark = pytest.mark.usefixtures("short_pauses")

FIVE_CALLS = """/tool get_weather {"city": "Oslo"}
/tool get_weather {"city": "Rome", "unit": "F"}
/then
/tool fail {}
/then
/tool add {"a": "1"}
/then
/tool add {"a": 1, "b": 2.0}"""
FAILED = {"error": {"type": "tool_failed", "message": "The database is away."}}
INVALID = {
    "error": {
        "type": "invalid_arguments",
        "message": "The arguments are invalid: b: is missing; a: must be an integer, not a string",
        "details": [
            {"field": "b", "message": "is missing"},
            {"field": "a", "message": "must be an integer, not a string"},
        ],
    }
}
FIVE_ANSWERS = (
    'Bot here. get_weather returned {"city": "Oslo", "degrees": 3, "unit": "C"}. '
    'get_weather returned {"city": "Rome", "degrees": 3, "unit": "F"}. '
    f"fail returned {json.dumps(FAILED)}. add returned {json.dumps(INVALID)}. add returned 3."
)

tenant: contextvars.ContextVar[str] = contextvars.ContextVar("tenant", default="nobody")


class Tools(ToolSet):
    """The tools of these tests, and how often each was run."""

    def __init__(self) -> None:
        super().__init__()
        self.runs: Counter[str] = Counter()
        # Each of two calls waits for the other, so one after the other would never do.
        self.both = threading.Barrier(2, timeout=60)

        @self.tool
        def get_weather(city: str, unit: Literal["C", "F"] = "C") -> dict[str, Any]:
            """The weather right now."""
            self.runs["get_weather"] += 1
            self.both.wait()
            return {"city": city, "degrees": 3, "unit": unit}

        @self.tool
        async def fail() -> None:
            """Fails."""
            self.runs["fail"] += 1
            raise ToolError("The database is away.")

        @self.tool
        def add(a: int, b: int) -> int:
            """Adds two numbers."""
            self.runs["add"] += 1
            return a + b


def registered(sandbox: Sandbox, tools: ToolSet) -> list[str]:
    with sandbox.client(namespace=NAMESPACE) as user:
        return [tool.id for tool in tools.register(user)]


def accepted(sandbox: Sandbox) -> list[str]:
    return [request.body["tool_call_id"] for request in asked(sandbox, "submit_tool_result") if request.status < 300]


def pending(sandbox: Sandbox) -> list[RoomToolCallPendingEvent]:
    bodies = [event for event in sandbox.events if event["event"] == "room.tool_call.pending"]
    events = [parse_event(json.dumps(body)) for body in bodies]
    return [event for event in events if isinstance(event, RoomToolCallPendingEvent)]


@sync_and_async
@pytest.mark.parametrize("network_fails", [False, True])
def test_each_call_is_run_once_and_its_result_or_error_submitted_once(
    mode: str, network_fails: bool, sandbox: Sandbox
) -> None:
    """Also where the stream is cut twice, and the responses to two submissions are lost."""
    tools = Tools()
    room = room_with(sandbox, tools)

    def lose(request: str, number: int) -> int | None:
        if request.endswith("/stream") and network_fails:
            return (0, 400)[number] if number < 2 else None
        return LOST if request.endswith("/tool-results") and network_fails and number in (1, 3) else None

    with ChaosProxy(sandbox.core_api_url, lose) as proxy:
        outcome = chat(mode, sandbox, room, FIVE_CALLS, tools=tools, core_api_url=proxy.url)
        lost = Counter(request.rpartition("/")[2] for request in proxy.cuts)
    assert lost == ({"stream": 2, "tool-results": 2} if network_fails else {})
    assert outcome.error is None
    assert outcome.answer == outcome.text == FIVE_ANSWERS
    assert tools.runs == {"get_weather": 2, "fail": 1, "add": 1}
    calls = [event.tool_call.id for event in outcome.events if isinstance(event, ToolCallStart)]
    assert sorted(Counter(accepted(sandbox)).values()) == [1] * 5
    assert {*calls} <= {*accepted(sandbox)}
    assert network_fails or len(calls) == 5
    assert len(list(asked(sandbox, "submit_tool_result"))) == 5


@sync_and_async
def test_tools_run_and_the_answer_is_found_without_a_stream(mode: str, sandbox: Sandbox) -> None:
    tools = Tools()
    room = room_with(sandbox, tools)

    def break_off(event: Any) -> None:
        if event is None:
            sandbox.faults.add("stream_room", status=403, times=None)
            sandbox.disconnect_streams()

    outcome = chat(mode, sandbox, room, FIVE_CALLS, tools=tools, during=break_off)
    assert isinstance(outcome.error, PermissionDeniedError)
    assert outcome.answer == FIVE_ANSWERS
    assert tools.runs == {"get_weather": 2, "fail": 1, "add": 1}
    assert len(list(asked(sandbox, "submit_tool_result"))) == 5


@sync_and_async
def test_rejected_result_ends_the_chat_and_can_be_submitted_later(mode: str, sandbox: Sandbox) -> None:
    tools = Tools()
    room = room_with(sandbox, tools)
    sandbox.faults.add("submit_tool_result", status=403, times=None)
    outcome = chat(mode, sandbox, room, '/tool add {"a": 1, "b": 2}', tools=tools)
    assert isinstance(outcome.error, PermissionDeniedError)
    assert outcome.message is None
    # The function has run. What it gave is handed in as soon as that is possible.
    sandbox.faults.clear()
    with sandbox.client(namespace=NAMESPACE) as user:
        tools.run(user, pending(sandbox)[0])
        assert eventually(lambda: user.messages.list(room, order="desc").data[0].content == "Bot here. add returned 3.")
    assert tools.runs == {"add": 1}


@sync_and_async
def test_unknown_tool_gets_an_error_result_and_a_callback_tool_is_left_alone(
    mode: str, sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    """Without a result the chat would hang; a tool with a `callback_url` gets its result from there."""
    tools = Tools()
    with receiving() as (receiver, url):
        receiver.content = b'"from the callback"'
        with sandbox.client(namespace=NAMESPACE) as user:
            stray = user.tools.create(name="stray", description="", parameters={})
            hooked = user.tools.create(name="hooked", description="", parameters={}, callback_url=url)
        room = new_room(sandbox, stray.id, hooked.id)
        outcome = chat(mode, sandbox, room, "/tool stray {}\n/then\n/tool hooked {}", tools=tools)
    refusal = json.dumps({"error": {"type": "unknown_tool", "message": "There is no tool stray here."}})
    assert outcome.text == f'Bot here. stray returned {refusal}. hooked returned "from the callback".'
    assert "stray" in caplog.text
    assert len(list(asked(sandbox, "submit_tool_result"))) == 1


@sync_and_async
def test_chat_without_tools_waits_for_results_of_others(mode: str, sandbox: Sandbox) -> None:
    tools = Tools()
    room = room_with(sandbox, tools)

    def answer(event: Any) -> None:
        if isinstance(event, ToolCallStart):
            with sandbox.client(namespace=NAMESPACE) as user:
                tools.run(user, event, room_id=room)

    with pytest.warns(RuntimeWarning, match="'add'"):
        outcome = chat(mode, sandbox, room, '/tool add {"a": 1, "b": 2}', during=answer)
    assert outcome.text == "Bot here. add returned 3."


@sync_and_async
def test_tool_context_has_namespace_room_and_call_id(mode: str, sandbox: Sandbox) -> None:
    tools = ToolSet()
    seen: list[tuple[ToolContext, str, str]] = []

    @tools.tool
    def note(context: ToolContext, text: str) -> None:
        """Takes a note."""
        seen.append((context, text, tenant.get()))

    room = room_with(sandbox, tools)
    token = tenant.set("acme")
    try:
        chat(mode, sandbox, room, '/tool note {"text": "a"}\n/tool note {"text": "b"}', tools=tools)
    finally:
        tenant.reset(token)
    calls = {call.data.tool_call_id for call in pending(sandbox)}
    assert {context for context, _, _ in seen} == {ToolContext(NAMESPACE, room, call) for call in calls}
    assert sorted(text for _, text, _ in seen) == ["a", "b"]
    assert {owner for _, _, owner in seen} == {"acme"}


@sync_and_async
def test_tools_run_within_around_and_receive_what_it_yields(mode: str, sandbox: Sandbox) -> None:
    seen: list[str] = []

    @contextmanager
    def session() -> Iterator[str]:
        yield "session"
        if len(seen) > 2:
            raise LookupError("COMMIT failed")
        seen.append("committed")

    tools = ToolSet(around=session, expose_errors=True)

    @tools.tool
    def save(context: ToolContext) -> None:
        """Saves a note."""
        seen.append(context.around)

    @tools.tool
    async def save_again() -> None:
        """Saves it again."""
        seen.append("again")

    room = room_with(sandbox, tools)
    outcome = chat(mode, sandbox, room, "/tool save {}\n/then\n/tool save_again {}", tools=tools)
    assert seen == ["session", "committed", "again"]
    assert "save returned null" in outcome.text
    assert "COMMIT failed" in outcome.text


@sync_and_async
def test_tool_that_chats_in_its_own_room_gets_an_error(mode: str, sandbox: Sandbox) -> None:
    tools = ToolSet(expose_errors=True)

    @tools.tool
    def ask(context: ToolContext) -> str:
        """Asks back."""
        with sandbox.client(namespace=NAMESPACE) as user, user.chat(context.room_id, "Hm?") as reply:
            return reply.message().content

    room = room_with(sandbox, tools)
    assert "waits for its result" in chat(mode, sandbox, room, "/tool ask {}", tools=tools).text


async def test_cancelled_chat_cancels_asynchronous_tools(sandbox: Sandbox) -> None:
    tools = ToolSet()
    started = asyncio.Event()
    runs: list[str] = []

    @tools.tool
    async def sleep() -> None:
        """Sleeps."""
        runs.append("started")
        started.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            runs.append("cancelled")
            raise

    room = await asyncio.to_thread(room_with, sandbox, tools)
    async with sandbox.async_client(namespace=NAMESPACE) as user:

        async def follow() -> None:
            async with user.chat(room, "/tool sleep {}", tools=tools) as reply:
                await reply.message()

        task = asyncio.create_task(follow())
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await eventually_async(lambda: runs == ["started", "cancelled"])
    assert not list(asked(sandbox, "submit_tool_result"))


async def test_wait_for_that_times_out_does_not_run_a_tool_again(sandbox: Sandbox) -> None:
    tools = ToolSet()
    go_on = asyncio.Event()
    runs = 0

    @tools.tool
    async def work() -> str:
        """Works."""
        nonlocal runs
        runs += 1
        await go_on.wait()
        return "done"

    room = await asyncio.to_thread(room_with, sandbox, tools)
    async with (
        sandbox.async_client(namespace=NAMESPACE) as user,
        user.chat(room, "/tool work {}", tools=tools) as reply,
    ):
        for _ in range(2):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(reply.message(), 0.2)
        go_on.set()
        assert (await reply.message()).content == 'Bot here. work returned "done".'
    assert runs == 1


@sync_and_async
def test_register_creates_updates_and_keeps_tools(mode: str, sandbox: Sandbox) -> None:
    tools = Tools()

    def register() -> list[Tool]:
        return call_with(mode, sandbox._with_connection({"namespace": NAMESPACE}), tools.register)

    with sandbox.client(namespace=NAMESPACE) as user:
        # More than a page of others, and one that has changed since.
        for number in range(101):
            user.tools.create(name=f"other_{number}", description="", parameters={})
        old = user.tools.create(name="add", description="Old.", parameters={}, callback_url="https://example.com/")
    first = register()
    assert [(tool.name, tool.description, tool.parameters) for tool in first] == [
        (tool.name, tool.description, tool.parameters) for tool in tools
    ]
    assert first[2].id == old.id
    assert first[2].callback_url == "https://example.com/"
    changes = [request for request in sandbox.requests if request.operation in ("create_tool", "update_tool")]
    assert [tool.id for tool in register()] == [tool.id for tool in first]
    later = [request for request in sandbox.requests if request.operation in ("create_tool", "update_tool")]
    assert len(later) == len(changes)


def answered(mode: str, sandbox: Sandbox, tools: ToolSet, call: Any, times: int, **options: Any) -> list[Message]:
    """`tools.run` of the same call so many times at once."""
    if mode == "sync":
        with sandbox.client(namespace=NAMESPACE) as user, ThreadPoolExecutor(times) as pool:
            return list(pool.map(lambda _: tools.run(user, call, **options), range(times)))

    async def main() -> list[Message]:
        async with sandbox.async_client(namespace=NAMESPACE) as user:
            return await asyncio.gather(*(tools.run(user, call, **options) for _ in range(times)))

    return asyncio.run(main())


@sync_and_async
def test_concurrent_runs_of_one_call_submit_one_result(mode: str, sandbox: Sandbox) -> None:
    tools = Tools()
    room = room_with(sandbox, tools)
    with sandbox.client(namespace=NAMESPACE) as user:
        asking = user.messages.send(room, content='/tool add {"a": 1, "b": 2}')
    assert asking.tool_calls
    messages = answered(mode, sandbox, tools, pending(sandbox)[0], 8)
    assert [message.content for message in messages] == ["Bot here. add returned 3."] * 8
    # Much later, by another way, from a client of the other mode.
    other = "async" if mode == "sync" else "sync"
    assert answered(other, sandbox, tools, asking.tool_calls[0], 1, room_id=room) == messages[:1]
    assert tools.runs == {"add": 1}
    assert len(list(asked(sandbox, "submit_tool_result"))) == 1


@sync_and_async
def test_call_answered_by_another_process_returns_the_newest_message(mode: str, sandbox: Sandbox) -> None:
    ours, theirs = Tools(), Tools()
    room = room_with(sandbox, ours)
    with sandbox.client(namespace=NAMESPACE) as user:
        user.messages.send(room, content='/tool add {"a": 1, "b": 2}')
        theirs.run(user, pending(sandbox)[0])
    (message,) = answered(mode, sandbox, ours, pending(sandbox)[0], 1)
    assert message.content == "Bot here. add returned 3."
    assert len(accepted(sandbox)) == 1


@sync_and_async
@pytest.mark.parametrize(("deleted", "answer"), [(False, "Bot here. add returned 3."), (True, "unknown_tool")])
def test_tool_is_found_by_id_in_a_set_that_did_not_register_it(
    mode: str, deleted: bool, answer: str, sandbox: Sandbox
) -> None:
    """A call of a message names the tool by its id alone, and another process may have registered it."""
    ids = registered(sandbox, Tools())
    room = new_room(sandbox, *ids)
    with sandbox.client(namespace=NAMESPACE) as user:
        asking = user.messages.send(room, content='/tool add {"a": 1, "b": 2}')
        if deleted:
            user.tools.delete(ids[2])
    assert asking.tool_calls
    (message,) = answered(mode, sandbox, Tools(), asking.tool_calls[0], 1, room_id=room)
    assert answer in message.content


def test_webhook_event_runs_a_tool_once(sandbox: Sandbox) -> None:
    tools = Tools()
    room = room_with(sandbox, tools)
    router = WebhookRouter(WebhookVerifier("whsec_1"))
    with sandbox.client() as client:

        @router.on("room.tool_call.pending")
        def answer(event: RoomToolCallPendingEvent) -> None:
            tools.run(client, event)

        client.namespace(NAMESPACE).messages.send(room, content='/tool add {"a": 1, "b": 2}')
        (body,) = [json.dumps(event) for event in sandbox.events if event["event"] == "room.tool_call.pending"]
        for _ in range(2):
            assert router.handle(body.encode(), sign(body, "whsec_1")).status == 200
        newest = client.namespace(NAMESPACE).messages.list(room, order="desc").data[0]
    assert newest.content == "Bot here. add returned 3."
    assert tools.runs == {"add": 1}


def test_call_without_room_or_of_another_namespace_raises_value_error(sandbox: Sandbox) -> None:
    tools = Tools()
    room = room_with(sandbox, tools)
    with sandbox.client(namespace=NAMESPACE) as user:
        asking = user.messages.send(room, content='/tool add {"a": 1, "b": 2}')
        assert asking.tool_calls
        with pytest.raises(ValueError, match="room_id="):
            tools.run(user, asking.tool_calls[0])
        with pytest.raises(ValueError, match=r"user_1.*user_2"):
            tools.run(user.namespace("user_2"), pending(sandbox)[0])
        assert tools.run(user, pending(sandbox)[0].data).content == "Bot here. add returned 3."
        answered = user.messages.list(room).data[1].tool_calls
        assert answered
        with pytest.raises(ValueError, match="already completed"):
            tools.run(user, answered[0], room_id=room)


class Unplugged(httpx.BaseTransport):
    def handle_request(self, request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("unplugged")


def test_equal_tool_ids_of_two_platforms_are_kept_apart() -> None:
    tools = ToolSet()

    @tools.tool
    def first(number: int) -> str:
        """First."""
        return f"first {number}"

    @tools.tool
    def second(number: int) -> str:
        """Second."""
        return f"second {number}"

    tool = {"id": "tool_1", "description": "", "parameters": {}}
    message = {"id": "msg", "room_id": "room_1", "role": "tool", "content": "", "created_at": "2026-01-01T00:00:00Z"}

    answers = []
    for name in ("first", "second"):

        def answer(request: httpx.Request) -> httpx.Response:
            if "/tools/" in request.url.path:
                return httpx.Response(200, json={"data": {**tool, "name": name}})  # noqa: B023
            answers.append(json.loads(request.content)["result"])
            return httpx.Response(200, json={"data": message})

        settings = {**Wire(answer).settings, "core_api_url": f"https://{name}.example/api/v1"}
        with InteractorClient(**settings) as user:
            call = ToolCall(id="tc_1", tool_id="tool_1", arguments={"number": 1}, status="pending")
            tools.run(user, call, room_id="room_1")
    assert answers == ["first 1", "second 1"]


def test_unreachable_platform_raises_and_a_later_run_submits_the_result(sandbox: Sandbox) -> None:
    """A later run submits the same result."""
    tools = Tools()
    room = room_with(sandbox, tools)
    with sandbox.client(namespace=NAMESPACE, max_retries=0) as user:
        user.messages.send(room, content='/tool add {"a": 1, "b": 2}')
        sandbox.faults.add("submit_tool_result", status=500, times=None)
        with pytest.raises(ServerError):
            tools.run(user, pending(sandbox)[0])
        sandbox.faults.clear()
        assert tools.run(user, pending(sandbox)[0]).content == "Bot here. add returned 3."
    with sandbox.client(namespace=NAMESPACE, transport=Unplugged(), max_retries=0) as user:
        assert tools.run(user, pending(sandbox)[0]).content == "Bot here. add returned 3."
        other = ToolCall(id="tc_2", tool_id="tool_x", arguments={}, status="pending")
        with pytest.raises(APIConnectionError):
            tools.run(user, other, room_id=room)
    assert tools.runs == {"add": 1}


def test_synchronous_client_runs_tools_in_threads_that_end(sandbox: Sandbox) -> None:
    tools = ToolSet()
    names: set[str] = set()

    @tools.tool
    def name(number: int) -> int:
        """Says in which thread it runs."""
        names.add(threading.current_thread().name)
        return number

    room = room_with(sandbox, tools)
    content = "\n".join(f'/tool name {{"number": {number}}}' for number in range(40))
    outcome = chat("sync", sandbox, room, content, tools=tools)
    assert outcome.text == "Bot here. " + " ".join(f"name returned {number}." for number in range(40))
    assert all(name.startswith("interactor-tools") for name in names)
    assert eventually(lambda: not [each for each in threading.enumerate() if each.name == "interactor-tools"])


def test_call_without_a_status_that_has_a_result_is_not_run() -> None:
    call = ToolCall.from_dict({"id": "tc_1", "tool_id": "tool_1", "result": "done"})
    client = InteractorClient(client_id="client_x", client_secret="secret_x")
    with client, pytest.raises(ValueError, match="tc_1 is already completed"):
        ToolSet().run(client, call, room_id="room_1")
