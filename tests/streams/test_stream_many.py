"""Many concurrent streams and chats, each with several reconnects: the right text, and no object left afterwards."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from interactor_ext.retry import RetryPolicy
from interactor_ext.sandbox import Sandbox
from tests.support.cases import NIGHTLY
from tests.support.chaos_proxy import ChaosProxy
from tests.support.conversations import NAMESPACE
from tests.support.modes import at_once, opened, sync_and_async
from tests.support.scripted_server import Connection, RawServer
from tests.support.stream_reader import connected, stream_of
from tests.support.waiting import collect_garbage, eventually

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="counts sockets in /proc")

POLICY = RetryPolicy(base_delay=0.01)
TEXT = "".join(f"{number} " for number in range(1, 21))
CUTS = 3
COUNT = 200 if NIGHTLY else 50
ANSWER = f"Bot here. You said: {TEXT.strip()}"


def handler(connection: Connection) -> None:
    """Twenty events, five a connection, cut within the sixth."""
    start = int(connection.last_event_id or b"0") + 1
    connection.head()
    for number in range(start, start + 5):
        connection.send(b'id: %d\ndata: {"type":"message.delta","content":"%d "}\n\n' % (number, number))
    connection.send(b'id: 99\ndata: {"type":"message' if start + 5 <= 20 else b'data: {"type":"done"}\n\n')


async def follow(stream: Any) -> tuple[str, int]:
    text = ""
    async with stream:
        async for event in stream:
            text += event.content
    return text, stream.reconnects


async def streams(mode: str, count: int) -> None:
    with RawServer(handler) as server:
        async with connected(mode, server.url) as client:
            found = await at_once(mode, *(follow(stream_of(client, policy=POLICY)) for _ in range(count)))
    assert found == [(TEXT, CUTS)] * count


async def chat(user: Any, room: str) -> tuple[str, str]:
    async with user.chat(room, TEXT.strip()) as reply:
        return "".join([word async for word in reply.text()]), (await reply.message()).content


def cut_three_times(request: str, number: int) -> int | None:
    """Each time after at least one event, so that there is an id to resume from."""
    return 150 + 150 * number if request.endswith("/stream") and number < CUTS else None


async def chats(mode: str, count: int) -> None:
    with Sandbox(word_delay=0.002).run() as sandbox, ChaosProxy(sandbox.core_api_url, cut_three_times) as proxy:
        settings = sandbox._with_connection({"namespace": NAMESPACE, "core_api_url": proxy.url})
        async with opened(mode, settings) as user:
            bot = await user.assistants.create(name="Bot", model="gpt-4", system_prompt="Be brief.")
            rooms = [(await user.rooms.create(assistant_id=bot.id)).id for _ in range(count)]
            assert await at_once(mode, *(chat(user, room) for room in rooms)) == [(ANSWER, ANSWER)] * count
        # A chat is over sooner if the answer is complete by the time it has reconnected.
        assert count <= len(proxy.cuts) <= count * CUTS
        await asyncio.to_thread(eventually, lambda: sandbox.open_streams == 0)


def open_sockets() -> int:
    targets = []
    for name in os.listdir("/proc/self/fd"):
        try:
            targets.append(os.readlink(f"/proc/self/fd/{name}"))
        except FileNotFoundError:
            continue
    return sum(target.startswith("socket:") for target in targets)


@sync_and_async
@pytest.mark.parametrize("many", [streams, pytest.param(chats, marks=pytest.mark.full)])
def test_many_concurrent_streams_survive_three_reconnects_each(
    mode: str, many: Callable[[str, int], Awaitable[None]]
) -> None:
    asyncio.run(many(mode, 5))  # loads modules first
    sockets, threads = open_sockets(), threading.active_count()
    collect_garbage()
    objects = len(gc.get_objects())
    asyncio.run(many(mode, COUNT))

    def nothing_is_left() -> bool:
        collect_garbage()
        # Each stream that was not freed would be some hundreds; coverage measurement keeps some twenty for its threads.
        # What earlier tests left behind may end meanwhile.
        return (
            len(gc.get_objects()) - objects < 60 * COUNT
            and open_sockets() <= sockets
            and threading.active_count() <= threads
        )

    eventually(nothing_is_left, "the end of all that the streams had")
