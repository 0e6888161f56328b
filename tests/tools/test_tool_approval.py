"""Calls of tools that wait for a person: asked in one process, approved in another, once, by those who may."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest

from interactor_client.models import RoomToolCallPendingEvent
from interactor_ext import ConfigurationError, NotFoundError, ToolContext, ToolSet
from interactor_ext.sandbox import Sandbox
from interactor_ext.telemetry import ToolDecided
from interactor_ext.tools import ApprovalError, WaitingCall
from interactor_ext.webhooks import MemoryEventStore, parse_event
from tests.support.conversations import NAMESPACE, chat, room_with, user_of
from tests.support.modes import call, sync_and_async
from tests.support.telemetry import Recorded
from tests.support.waiting import eventually_async

pytest_plugins = ["tests.support.sandbox_fixtures", "tests.support.conversation_fixtures"]
pytestmark = pytest.mark.usefixtures("short_pauses")
REFUND = '/tool refund {"order": "o_1", "amount": 200, "note": "internal"}'


class Refunds(ToolSet):
    """Tools of which one needs approval above 100, and what they have done."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.paid: list[tuple[str, int]] = []
        self.looked_up: list[str] = []
        self.decided_by: list[str | None] = []

        @self.tool(approval=lambda arguments: arguments["amount"] > 100, show=("order", "amount"))
        def refund(order: str, context: ToolContext, amount: int = 500, note: str = "") -> str:
            """Pays a customer back."""
            self.paid.append((order, amount))
            self.decided_by.append(context.decided_by)
            return "paid"

        @self.tool
        def look_up(order: str) -> str:
            """Looks up an order."""
            self.looked_up.append(order)
            return "late"


def decide(mode: str, sandbox: Sandbox, use: Any, namespace: str = NAMESPACE, **settings: Any) -> Any:
    return call(mode, sandbox._with_connection({"namespace": namespace, **settings}), use)


def waiting_in(mode: str, sandbox: Sandbox, tools: Refunds, content: str = REFUND) -> tuple[str, WaitingCall]:
    room = room_with(sandbox, tools)
    outcome = chat(mode, sandbox, room, content, tools=tools)
    (waiting,) = [event for event in outcome.events if isinstance(event, WaitingCall)]
    return room, waiting


@sync_and_async
def test_chat_leaves_a_call_that_needs_approval_to_a_person(mode: str, sandbox: Sandbox) -> None:
    tools = Refunds()
    room = room_with(sandbox, tools)

    outcome = chat(mode, sandbox, room, f'{REFUND}\n/tool look_up {{"order": "o_1"}}', tools=tools)
    assert (tools.paid, outcome.error, outcome.message) == ([], None, None)
    assert outcome.types[-1] == "tool_call.needs_approval"
    (waiting,) = decide(mode, sandbox, lambda user: tools.pending(user, room))
    assert waiting in outcome.events
    assert (waiting.tool, waiting.room_id, waiting.namespace) == ("refund", room, NAMESPACE)
    assert waiting.arguments == {"order": "o_1", "amount": 200, "note": "internal"}
    assert waiting.shown == {"order": "o_1", "amount": 200}
    assert "internal" not in repr(waiting)
    assert tools.looked_up == ["o_1"]
    # The room goes on meanwhile.
    assert chat(mode, sandbox, room, "Hello?", tools=tools).text.endswith("Hello?")


@sync_and_async
@pytest.mark.parametrize("ends_by", [None, SystemExit])
def test_approval_runs_within_around_and_cannot_end_the_program(
    mode: str, ends_by: type[BaseException] | None, sandbox: Sandbox
) -> None:
    steps: list[str] = []

    @contextmanager
    def session() -> Iterator[None]:
        steps.append("begin")
        yield
        steps.append("end")

    def connect() -> AbstractContextManager[None]:
        steps.append("connect")
        return session()

    def is_large(arguments: dict[str, Any]) -> bool:
        steps.append(arguments["order"])
        if ends_by is not None:
            raise ends_by
        return True

    tools = ToolSet(around=connect)

    @tools.tool(approval=is_large)
    def refund(order: str, amount: int, note: str) -> str:
        """Pays a customer back."""
        return "paid"

    outcome = chat(mode, sandbox, room_with(sandbox, tools), REFUND, tools=tools)
    assert outcome.types[-1] == "tool_call.needs_approval"
    assert steps == (["connect", "begin", "o_1", "end"] if ends_by is None else ["connect", "begin", "o_1"])


@sync_and_async
def test_coroutine_that_a_regular_approval_returns_runs_within_around(mode: str, sandbox: Sandbox) -> None:
    steps: list[str] = []

    @contextmanager
    def session() -> Iterator[None]:
        steps.append("begin")
        yield
        steps.append("end")

    async def is_large(arguments: dict[str, Any]) -> bool:
        steps.append(arguments["order"])
        return True

    tools = ToolSet(around=session)

    @tools.tool(approval=lambda arguments: is_large(arguments))
    def refund(order: str, amount: int, note: str) -> None:
        """Pays a customer back."""

    chat(mode, sandbox, room_with(sandbox, tools), REFUND, tools=tools)
    assert steps == ["begin", "end", "begin", "o_1", "end"]


@sync_and_async
def test_regular_approval_runs_within_an_async_around(mode: str, sandbox: Sandbox) -> None:
    steps: list[str] = []

    @asynccontextmanager
    async def session() -> AsyncIterator[None]:
        steps.append("begin")
        yield
        steps.append("end")

    tools = ToolSet(around=session)

    @tools.tool(approval=lambda arguments: steps.append(arguments["order"]))
    async def refund(order: str, amount: int, note: str) -> str:
        """Pays a customer back."""
        return "paid"

    assert "paid" in chat(mode, sandbox, room_with(sandbox, tools), REFUND, tools=tools).text
    assert steps == ["begin", "o_1", "end", "begin", "end"]


async def test_session_of_a_cancelled_chat_stays_open_until_its_approval_has_ended(sandbox: Sandbox) -> None:
    steps: list[str] = []
    entered, go = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    @asynccontextmanager
    async def session() -> AsyncIterator[None]:
        try:
            yield
        finally:
            steps.append("end")

    tools = ToolSet(around=session)

    def is_large(arguments: dict[str, Any]) -> None:
        loop.call_soon_threadsafe(entered.set)
        assert go.wait(60)
        steps.append("approval")

    @tools.tool(approval=is_large)
    def refund(order: str, amount: int, note: str) -> None:
        """Pays a customer back."""

    async def converse(room: str) -> None:
        async with user_of(sandbox, "async") as user, user.chat(room, REFUND, tools=tools) as reply:
            await reply.message()

    task = asyncio.create_task(converse(await asyncio.to_thread(room_with, sandbox, tools)))
    await entered.wait()
    task.cancel()
    await asyncio.wait([task], timeout=0.1)
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    await eventually_async(lambda: len(steps) == 2)
    assert steps == ["approval", "end"]


@sync_and_async
async def test_message_of_a_chat_that_waits_says_what_to_do(mode: str, sandbox: Sandbox) -> None:
    tools = Refunds()
    room = room_with(sandbox, tools)
    with pytest.raises(ApprovalError, match=r"approval of refund \(tc_.*tools.approve\(user, call, by=") as caught:
        async with user_of(sandbox, mode) as user, user.chat(room, REFUND, tools=tools) as reply:
            await reply.message()
    assert caught.value.code == "approval_needed"


@sync_and_async
@pytest.mark.parametrize("by_id", [False, True], ids=["the call", "its id alone"])
def test_approved_call_is_run_once_and_recorded(
    mode: str, by_id: bool, sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    tools, recorder = Refunds(), Recorded()
    room, waiting = waiting_in(mode, sandbox, tools)
    target = waiting.id if by_id else waiting
    with caplog.at_level(logging.INFO, "interactor.tools"):
        decide(mode, sandbox, lambda user: tools.approve(user, target, by="alice"), telemetry=recorder)
    assert (tools.paid, tools.decided_by) == ([("o_1", 200)], ["alice"])
    assert ToolDecided("refund", "approved", NAMESPACE) in recorder.events
    (record,) = [record for record in caplog.records if record.name == "interactor.tools"]
    assert record.message == f"alice approved the tool refund (call {waiting.id})"
    assert vars(record)["decided_by"] == "alice"
    assert vars(record)["arguments"] == waiting.arguments
    assert decide(mode, sandbox, lambda user: tools.pending(user, room)) == []
    for again in (tools.approve, tools.reject):
        with pytest.raises(ApprovalError, match="is already completed") as caught:
            decide(mode, sandbox, lambda user, again=again: again(user, target, by="bob"))
        assert caught.value.code == "call_finished"
    assert len(tools.paid) == 1
    with sandbox.client(namespace=NAMESPACE) as user:
        newest = user.messages.list(room, order="desc").data[0]
    assert "paid" in newest.content


@sync_and_async
def test_approval_lists_only_the_newest_messages_of_a_long_room(mode: str, sandbox: Sandbox) -> None:
    tools = Refunds()
    room = room_with(sandbox, tools)
    with sandbox.client(namespace=NAMESPACE) as user:
        for _ in range(51):  # each with its answer
            user.messages.send(room, "Hello!")
    (waiting,) = [
        each for each in chat(mode, sandbox, room, REFUND, tools=tools).events if isinstance(each, WaitingCall)
    ]
    before = len(sandbox.requests)
    decide(mode, sandbox, lambda user: tools.approve(user, waiting, by="alice"))
    assert [each.operation for each in sandbox.requests[before:]].count("list_messages") == 1


@sync_and_async
def test_rejected_call_is_not_run_and_the_model_reads_the_reason(mode: str, sandbox: Sandbox) -> None:
    tools = Refunds()
    room, waiting = waiting_in(mode, sandbox, tools)
    decide(mode, sandbox, lambda user: tools.reject(user, waiting, reason="The order was delivered.", by="carol"))
    assert tools.paid == []
    with sandbox.client(namespace=NAMESPACE) as user:
        assert "The order was delivered." in user.messages.list(room, order="desc").data[0].content


@sync_and_async
@pytest.mark.parametrize(
    ("arguments", "waits"),
    [
        ({"order": "o_1", "amount": 100}, False),
        ({"order": "o_1"}, True),  # the default is 500
        ({"order": "o_1", "amount": "much"}, False),  # the model is told
    ],
    ids=["small", "default", "invalid"],
)
def test_approval_depends_on_the_arguments(mode: str, arguments: Any, waits: bool, sandbox: Sandbox) -> None:
    tools = Refunds()
    outcome = chat(mode, sandbox, room_with(sandbox, tools), f"/tool refund {json.dumps(arguments)}", tools=tools)
    assert any(isinstance(event, WaitingCall) for event in outcome.events) is waits
    assert tools.paid == ([("o_1", 100)] if arguments.get("amount") == 100 else [])


def test_approval_function_that_fails_leaves_it_to_a_person(sandbox: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    tools, runs = ToolSet(), []

    @tools.tool(approval=lambda arguments: arguments["missing"])
    def pay() -> None:
        """Pays."""
        runs.append(1)

    outcome = chat("sync", sandbox, room_with(sandbox, tools), "/tool pay", tools=tools)
    assert [type(event) for event in outcome.events][-1] is WaitingCall
    assert runs == []
    assert "KeyError: 'missing'" in caplog.text


@sync_and_async
def test_webhook_handler_gets_the_waiting_call(mode: str, sandbox: Sandbox) -> None:
    tools = Refunds()
    room = room_with(sandbox, tools)
    with sandbox.client(namespace=NAMESPACE) as user:
        user.messages.send(room, REFUND)
    (body,) = [event for event in sandbox.events if event["event"] == "room.tool_call.pending"]
    event = parse_event(json.dumps(body))
    assert isinstance(event, RoomToolCallPendingEvent)
    waiting = decide(mode, sandbox, lambda user: tools.run(user, event))
    assert isinstance(waiting, WaitingCall)
    assert tools.paid == []
    decide(mode, sandbox, lambda user: tools.approve(user, waiting, by="alice"))
    assert tools.paid == [("o_1", 200)]


def test_approval_outlives_a_restart_of_everything(tmp_path: Path) -> None:
    data = tmp_path / "platform.db"
    with Sandbox(data=data).run() as sandbox:
        room, waiting = waiting_in("sync", sandbox, Refunds())
    tools = Refunds()  # of another process
    with Sandbox(data=data).run() as sandbox, sandbox.client(namespace=NAMESPACE) as user:
        (found,) = tools.pending(user, room)
        assert found == waiting
        tools.approve(user, found, by="alice")
        assert "paid" in user.messages.list(room, order="desc").data[0].content
    assert tools.paid == [("o_1", 200)]


@sync_and_async
def test_only_what_was_shown_is_approved_and_only_by_somebody_of_its_tenant(mode: str, sandbox: Sandbox) -> None:
    tools = Refunds()
    _, waiting = waiting_in(mode, sandbox, tools)

    def approving(call: WaitingCall | str) -> Any:
        return lambda user: tools.approve(user, call, by="mallory")

    with pytest.raises(ApprovalError, match="have changed since they were shown") as caught:
        decide(mode, sandbox, approving(attrs.evolve(waiting, digest="0" * 64)))
    assert caught.value.code == "call_changed"
    with pytest.raises(NotFoundError):
        decide(mode, sandbox, approving(waiting), namespace="user_2")
    with pytest.raises(ApprovalError, match=r"The tenant has no tool call 'tc_") as caught:
        decide(mode, sandbox, approving(waiting.id), namespace="user_2")
    assert caught.value.code == "call_not_found"
    with pytest.raises(ApprovalError, match="doesn't need the approval of this ToolSet"):
        decide(mode, sandbox, lambda user: ToolSet().approve(user, waiting, by="alice"))
    for nobody in (None, "", " "):
        with pytest.raises(ValueError, match="by= must be the name"):
            decide(mode, sandbox, lambda user, by=nobody: tools.approve(user, waiting, by=by))
    assert tools.paid == []


def test_one_of_two_decisions_at_once_is_taken(sandbox: Sandbox) -> None:
    tools, running, go = ToolSet(), threading.Event(), threading.Event()

    @tools.tool(approval=True)
    def pay() -> str:
        """Pays."""
        running.set()
        assert go.wait(60)
        return "paid"

    room = room_with(sandbox, tools)
    chat("sync", sandbox, room, "/tool pay", tools=tools)
    with sandbox.client(namespace=NAMESPACE) as user:
        (waiting,) = tools.pending(user, room)
        first = threading.Thread(target=lambda: tools.approve(user, waiting, by="alice"))
        first.start()
        assert running.wait(60)
        with pytest.raises(ApprovalError, match="has been approved, and that hasn't finished"):
            tools.reject(user, waiting, by="bob")
        go.set()
        first.join(60)
        assert "paid" in user.messages.list(room, order="desc").data[0].content


def test_rejection_that_comes_after_the_approval_in_another_process_says_so(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    """Two sets with one ledger, as two processes have them."""
    ledger, running, waits, refused = MemoryEventStore(), threading.Event(), threading.Event(), list[ApprovalError]()

    class Second(MemoryEventStore):
        def claim(self, key: str, token: str, lease: float) -> Any:
            state = ledger.claim(key, token, lease)
            waits.set()
            return state

    def pay() -> str:
        """Pays."""
        running.set()
        assert waits.wait(60)
        return "paid"

    first, second = ToolSet(ledger=ledger), ToolSet(ledger=Second())
    for tools in (first, second):
        tools.tool(approval=True)(pay)
    room = room_with(sandbox, first)
    chat("sync", sandbox, room, "/tool pay", tools=first)

    def reject() -> None:
        assert running.wait(60)
        with sandbox.client(namespace=NAMESPACE) as user, pytest.raises(ApprovalError) as caught:
            second.reject(user, waiting, by="bob")
        refused.append(caught.value)

    with sandbox.client(namespace=NAMESPACE) as user, caplog.at_level(logging.INFO, "interactor.tools"):
        (waiting,) = first.pending(user, room)
        other = threading.Thread(target=reject)
        other.start()
        first.approve(user, waiting, by="alice")
        other.join(60)
    assert [error.code for error in refused] == ["call_finished"]
    assert [vars(record)["decided_by"] for record in caplog.records if "decided_by" in vars(record)] == ["alice"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"show": ["ordre"]}, "show= names 'ordre', which isn't a parameter"),
        ({"show": "ordre"}, "show= names 'ordre', which isn't a parameter"),
        ({"description": " "}, "no description"),
        ({"description": 5}, "name= and description= of a tool must be strings"),
        ({"name": ["pay"]}, "name= and description= of a tool must be strings"),
        ({"idempotent": "no"}, "idempotent= must be True or False, not 'no'"),
        ({"approval": "no"}, "approval= must be True or False, not 'no'"),
    ],
)
def test_tool_that_cannot_be_shown_or_described_is_refused(options: Any, message: str) -> None:
    tools = ToolSet()
    with pytest.raises((TypeError, ConfigurationError), match=message):
        tools.tool(**{"name": "pay", **options})(lambda: None)
    assert len(tools) == 0
    with pytest.raises(ConfigurationError, match="expose_errors= must be True or False, not 'no'"):
        ToolSet(expose_errors="no")  # type: ignore[arg-type]
