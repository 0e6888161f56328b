"""The types of chats, tools and waiting: checked by mypy and pyright in `make check`, never run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import assert_type

from interactor_client.models import Message, OAuthFlow, RoomToolCallPendingEvent, StreamEvent, Tool, WorkflowInstance
from interactor_ext import AsyncInteractorClient, AsyncReply, InteractorClient, Reply, ToolSet
from interactor_ext.tools import WaitingCall

tools = ToolSet()


@dataclass
class Visit:
    day: str


@tools.tool
def add(a: int, b: int = 0) -> int:
    """Add."""
    return a + b


@tools.tool(name="subtract", description="Subtracts.")
async def minus(a: int, b: int) -> int:
    return a - b


async def decorated_functions_keep_their_types() -> None:
    assert_type(add(1), int)
    assert_type(await minus(2, 1), int)


def sync_surface(user: InteractorClient, event: RoomToolCallPendingEvent, message: Message) -> None:
    assert_type(tools.register(user), list[Tool])
    assert_type(tools.run(user, event), Message | WaitingCall)
    for call in message.tool_calls or ():
        assert_type(tools.run(user, call, room_id=message.room_id), Message | WaitingCall)
    with user.chat("room_1", "Hello!", tools=tools) as reply:
        assert_type(reply, Reply)
        assert_type(reply.text(), Iterator[str])
        assert_type(reply.message(), Message)
        assert_type(iter(reply), Iterator[StreamEvent | WaitingCall])
    for waiting in assert_type(tools.pending(user, "room_1"), list[WaitingCall]):
        assert_type(tools.approve(user, waiting, by="alice"), Message)
        assert_type(tools.reject(user, waiting.id, reason="No."), Message)
    with user.chat("room_1", "Hello!", answer=Visit) as typed:
        assert_type(typed.answer(), Visit)
    assert_type(user.wait_for_workflow("wfi_1", until={"halted", "completed"}, timeout=5), WorkflowInstance)
    assert_type(user.wait_for_oauth("flow_1", timeout=None), OAuthFlow)


async def async_surface(user: AsyncInteractorClient, event: RoomToolCallPendingEvent) -> None:
    assert_type(await tools.register(user), list[Tool])
    assert_type(await tools.run(user, event), Message | WaitingCall)
    async with user.chat("room_1", "Hello!") as reply:
        assert_type(reply, AsyncReply)
        assert_type(reply.text(), AsyncIterator[str])
        assert_type(await reply.message(), Message)
        assert_type(aiter(reply), AsyncIterator[StreamEvent | WaitingCall])
    for waiting in assert_type(await tools.pending(user, "room_1"), list[WaitingCall]):
        assert_type(await tools.approve(user, waiting, by="alice"), Message)
        assert_type(await tools.reject(user, waiting.id, reason="No."), Message)
    async with user.chat("room_1", "Hello!", answer=Visit) as typed:
        assert_type(await typed.answer(), Visit)
    assert_type(await user.wait_for_workflow("wfi_1"), WorkflowInstance)
    assert_type(await user.wait_for_oauth("flow_1"), OAuthFlow)
