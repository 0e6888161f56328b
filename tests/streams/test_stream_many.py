"""Many concurrent streams, each with several reconnects: the right text, and no object left afterwards."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from interactor_ext.retry import RetryPolicy
from interactor_ext.streams._state import StreamState
from interactor_ext.streams._stream import AsyncStream, Stream
from interactor_ext.transports import AsyncTransport, Transport
from interactor_ext.transports._retrying import AsyncCallTransport, CallTransport
from tests.support.scripted_server import Connection, RawServer
from tests.support.stream_reader import CONTEXT, KWARGS, RULES
from tests.support.waiting import collect_garbage, eventually

POLICY = RetryPolicy(base_delay=0.01)
TEXT = "".join(f"{number} " for number in range(1, 21))


def handler(connection: Connection) -> None:
    """Twenty events, five a connection, cut within the sixth."""
    start = int(connection.last_event_id or b"0") + 1
    connection.head()
    for number in range(start, start + 5):
        connection.send(b'id: %d\ndata: {"type":"message.delta","content":"%d "}\n\n' % (number, number))
    connection.send(b'id: 99\ndata: {"type":"message' if start + 5 <= 20 else b'data: {"type":"done"}\n\n')


def open_sockets() -> int:
    targets = []
    for name in os.listdir("/proc/self/fd"):
        try:
            targets.append(os.readlink(f"/proc/self/fd/{name}"))
        except FileNotFoundError:
            continue
    return sum(target.startswith("socket:") for target in targets)


async def read_async(client: httpx.AsyncClient) -> tuple[str, int]:
    text = ""
    async with AsyncStream[Any](client, KWARGS, "StreamEvent", policy=POLICY) as stream:
        async for event in stream:
            text += event.content
    return text, stream.reconnects


def read(client: httpx.Client) -> tuple[str, int]:
    text = ""
    with Stream[Any](client, KWARGS, "StreamEvent", policy=POLICY) as stream:
        for event in stream:
            text += event.content
    return text, stream.reconnects


async def many_async(url: str, count: int) -> list[tuple[str, int]]:
    transport = AsyncCallTransport(AsyncTransport(trust_env=False, verify=CONTEXT), RULES)
    async with httpx.AsyncClient(base_url=url, transport=transport) as client:
        return await asyncio.gather(*[read_async(client) for _ in range(count)])


def many(url: str, count: int) -> list[tuple[str, int]]:
    transport = CallTransport(Transport(trust_env=False, verify=CONTEXT), RULES)
    with httpx.Client(base_url=url, transport=transport) as client, ThreadPoolExecutor(count) as pool:
        return list(pool.map(lambda _: read(client), range(count)))


@pytest.mark.skipif(sys.platform != "linux", reason="counts sockets in /proc")
@pytest.mark.parametrize("mode", ["sync", "async"])
@pytest.mark.parametrize("streams", [50, pytest.param(200, marks=pytest.mark.full)])
def test_many_streams_survive_three_reconnects_each(mode: str, streams: int) -> None:
    def run(url: str, count: int) -> list[tuple[str, int]]:
        return many(url, count) if mode == "sync" else asyncio.run(many_async(url, count))

    with RawServer(handler) as server:
        run(server.url, 5)  # loads modules first
    sockets, threads = open_sockets(), threading.active_count()
    collect_garbage()
    objects = len(gc.get_objects())
    with RawServer(handler) as server:
        assert run(server.url, streams) == [(TEXT, 3)] * streams
    del server

    def nothing_is_left() -> bool:
        collect_garbage()
        things = gc.get_objects()
        # Lazy objects answer isinstance by loading.
        if any(issubclass(type(thing), StreamState) for thing in things):
            return False
        # Each stream that was not freed would be some hundreds. What earlier tests left behind may end meanwhile.
        return (
            len(things) - objects < 20 * streams and open_sockets() <= sockets and threading.active_count() <= threads
        )

    eventually(nothing_is_left, "the end of all that the streams had")
