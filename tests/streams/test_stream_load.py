"""Two hundred concurrent streams, or chats, in one process, each with reconnects, and no object left afterwards."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from interactor_client.models import MessageComplete, MessageDelta
from interactor_ext import AsyncInteractorClient, InteractorClient
from interactor_ext.chat._reply import AsyncReply, Reply
from interactor_ext.sandbox import Sandbox
from interactor_ext.streams._state import StreamState
from tests.support.chaos_proxy import ChaosProxy
from tests.support.conversations import NAMESPACE
from tests.support.waiting import collect_garbage, eventually

AT_ONCE = 200
CUTS = 3
WORDS = " ".join(f"word{number}" for number in range(20))
ANSWER = f"Bot here. You said: {WORDS}"


def cut_three_times(request: str, number: int) -> int | None:
    """Each time after at least one event, so that there is an id to resume from."""
    return 150 + 150 * number if request.endswith("/stream") and number < CUTS else None


def follow(user: InteractorClient, room: str) -> tuple[str, bool]:
    text = ""
    with user.rooms.stream(room) as stream:
        user.messages.send(room, content=WORDS, stream=True)
        for event in stream:
            text += event.content if isinstance(event, MessageDelta) else ""
            if isinstance(event, MessageComplete):
                # More, if a machine under load takes too long to connect.
                return text, stream.reconnects >= CUTS
    return text, False


async def follow_async(user: AsyncInteractorClient, room: str) -> tuple[str, bool]:
    text = ""
    async with user.rooms.stream(room) as stream:
        await user.messages.send(room, content=WORDS, stream=True)
        async for event in stream:
            text += event.content if isinstance(event, MessageDelta) else ""
            if isinstance(event, MessageComplete):
                return text, stream.reconnects >= CUTS
    return text, False


def chat(user: InteractorClient, room: str) -> tuple[str, str]:
    with user.chat(room, WORDS) as reply:
        return "".join(reply.text()), reply.message().content


async def chat_async(user: AsyncInteractorClient, room: str) -> tuple[str, str]:
    async with user.chat(room, WORDS) as reply:
        return "".join([word async for word in reply.text()]), (await reply.message()).content


def in_threads(sandbox: Sandbox, url: str, rooms: list[str], one: Callable[[InteractorClient, str], Any]) -> list[Any]:
    with sandbox.client(namespace=NAMESPACE, core_api_url=url) as user, ThreadPoolExecutor(len(rooms)) as pool:
        return list(pool.map(lambda room: one(user, room), rooms))


def in_tasks(
    sandbox: Sandbox, url: str, rooms: list[str], one: Callable[[AsyncInteractorClient, str], Awaitable[Any]]
) -> list[Any]:
    async def main() -> list[Any]:
        async with sandbox.async_client(namespace=NAMESPACE, core_api_url=url) as user:
            return await asyncio.gather(*(one(user, room) for room in rooms))

    return asyncio.run(main())


def open_sockets() -> int:
    count = 0
    for name in os.listdir("/proc/self/fd"):
        try:
            count += os.readlink(f"/proc/self/fd/{name}").startswith("socket:")
        except FileNotFoundError:
            continue
    return count


def left_behind() -> int:
    collect_garbage()
    return sum(issubclass(type(thing), Reply | AsyncReply | StreamState) for thing in gc.get_objects())


@pytest.mark.full  # test_stream_many does the like against a plain server in a fifth of the time
@pytest.mark.skipif(sys.platform != "linux", reason="counts sockets in /proc")
@pytest.mark.parametrize(
    ("many", "one", "expected"),
    [
        pytest.param(in_threads, follow, (ANSWER, True), id="streams in threads"),
        pytest.param(in_tasks, follow_async, (ANSWER, True), id="streams in tasks"),
        pytest.param(in_threads, chat, (ANSWER, ANSWER), id="chats in threads"),
        pytest.param(in_tasks, chat_async, (ANSWER, ANSWER), id="chats in tasks"),
    ],
)
def test_many_concurrent_streams_survive_reconnects(many: Any, one: Any, expected: tuple[Any, ...]) -> None:
    with Sandbox(word_delay=0.002).run() as sandbox:
        with sandbox.client(namespace=NAMESPACE) as user:
            bot = user.assistants.create(name="Bot", model="gpt-4", system_prompt="Be brief.")
            rooms = [user.rooms.create(assistant_id=bot.id).id for _ in range(AT_ONCE + 3)]
        with ChaosProxy(sandbox.core_api_url, cut_three_times) as proxy:
            many(sandbox, proxy.url, rooms[AT_ONCE:], one)  # loads modules first
        assert eventually(lambda: sandbox.open_streams == 0)
        sockets, threads = open_sockets(), threading.active_count()
        with ChaosProxy(sandbox.core_api_url, cut_three_times) as proxy:
            assert many(sandbox, proxy.url, rooms[:AT_ONCE], one) == [expected] * AT_ONCE
            # A chat is over sooner if the answer is complete by the time it has reconnected.
            assert AT_ONCE <= len(proxy.cuts) <= AT_ONCE * CUTS
        assert eventually(lambda: sandbox.open_streams == 0)
        assert eventually(lambda: open_sockets() <= sockets)
        assert threading.active_count() == threads
    # Objects that a finalizer touches are freed by the collection after the next.
    assert eventually(lambda: left_behind() == 0)
