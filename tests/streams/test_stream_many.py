"""Many concurrent streams, each with several reconnects: the right text, and no object left afterwards."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import threading
from typing import Any

import pytest

from interactor_ext.retry import RetryPolicy
from tests.support.cases import NIGHTLY
from tests.support.modes import at_once, sync_and_async
from tests.support.scripted_server import Connection, RawServer
from tests.support.stream_reader import connected, stream_of
from tests.support.waiting import collect_garbage, eventually

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="counts sockets in /proc")

POLICY = RetryPolicy(base_delay=0.01)
TEXT = "".join(f"{number} " for number in range(1, 21))
CUTS = 3
COUNT = 200 if NIGHTLY else 50


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


def open_sockets() -> int:
    targets = []
    for name in os.listdir("/proc/self/fd"):
        try:
            targets.append(os.readlink(f"/proc/self/fd/{name}"))
        except FileNotFoundError:
            continue
    return sum(target.startswith("socket:") for target in targets)


@sync_and_async
def test_many_concurrent_streams_survive_three_reconnects_each(mode: str) -> None:
    asyncio.run(streams(mode, 5))  # loads modules first
    sockets, threads = open_sockets(), threading.active_count()
    collect_garbage()
    objects = len(gc.get_objects())
    asyncio.run(streams(mode, COUNT))

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
