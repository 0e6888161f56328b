"""Many readers of many rooms, one that reads nothing among them, and what is left when all have gone."""

from __future__ import annotations

import asyncio
import gc
import socket
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

from interactor_ext.relay._hub import Hub
from interactor_ext.relay._reader import Reader
from interactor_ext.sandbox import Sandbox
from tests.support.relay_server import MOUNT, RelayServer, cookie_for
from tests.support.waiting import eventually_async

pytest_plugins = ["tests.support.sandbox_fixtures", "tests.support.relay_fixtures"]

ROOMS, READERS = 20, 200
MOST_QUEUED = 256 * 1024
END = b"message.complete"


def request(relay: RelayServer, room: str) -> bytes:
    lines = [f"GET {MOUNT}/rooms/{room}/stream HTTP/1.1", f"Host: 127.0.0.1:{relay.port}"]
    return "\r\n".join([*lines, f"Cookie: {cookie_for('user_1')}", "", ""]).encode()


async def read_answer(relay: RelayServer, room: str, connected: asyncio.Semaphore) -> int:
    """How many pieces a reader received, up to the end of the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", relay.port)
    writer.write(request(relay, room))
    pieces = 0
    try:
        async for line in reader:
            if line == b": connected\n":
                connected.release()
            elif line.startswith(b'data: {"type":"message.delta"'):
                pieces += 1
            elif END in line:
                return pieces
        raise AssertionError("the stream ended early")
    finally:
        writer.close()
        await writer.wait_closed()


def hubs_of(relay: RelayServer) -> list[Any]:
    return list(relay.call(lambda: [hub for hubs in relay.relay._routes._hubs.values() for hub in hubs._hubs.values()]))


def queued(relay: RelayServer) -> int:
    """The most bytes that the relay holds for one reader: in its queue, and in the buffer of its connection."""

    def most() -> int:
        readers = [reader for hub in hubs for reader in hub._readers]
        connections = relay._server.server_state.connections
        in_queues = max((sum(map(len, reader._blocks)) for reader in readers), default=0)
        in_buffers = max((each.transport.get_write_buffer_size() for each in connections), default=0)
        return in_queues + in_buffers

    hubs = hubs_of(relay)
    return int(relay.call(most))


async def everybody_reads_an_answer(
    relay: RelayServer, sandbox: Sandbox, rooms: list[str], emit: Callable[..., None]
) -> int:
    """The memory in use while all are connected, in bytes."""
    connected = asyncio.Semaphore(0)
    opened = sum(each.operation == "stream_room" for each in sandbox.requests)
    async with asyncio.TaskGroup() as tasks:
        readers = [tasks.create_task(read_answer(relay, rooms[number % ROOMS], connected)) for number in range(READERS)]
        for _ in readers:
            await connected.acquire()
        assert await asyncio.to_thread(lambda: sandbox.open_streams) == ROOMS
        held = memory()
        for room in rooms:
            for number in range(50):
                await asyncio.to_thread(emit, room, "message.delta", content=f"word {number} ")
            message = {"id": "msg_1", "room_id": room, "role": "assistant", "created_at": "2026-01-01T00:00:00Z"}
            await asyncio.to_thread(emit, room, END.decode(), message=message)
    assert [reader.result() for reader in readers] == [50] * READERS
    assert sum(each.operation == "stream_room" for each in sandbox.requests) == opened + ROOMS
    await eventually_async(lambda: sandbox.open_streams == 0 and not hubs_of(relay))
    return held


async def one_reads_nothing(relay: RelayServer, room: str, emit: Callable[..., None]) -> int:
    """The most bytes that were held for it, until it was disconnected. Another reads all the while."""
    loop = asyncio.get_running_loop()
    reader, writer = await asyncio.open_connection("127.0.0.1", relay.port)
    writer.write(request(relay, room))
    await reader.readuntil(b": connected")
    with socket.socket() as lazy:
        lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        lazy.setblocking(False)
        await loop.sock_connect(lazy, ("127.0.0.1", relay.port))
        await loop.sock_sendall(lazy, request(relay, room))
        await eventually_async(lambda: sum(len(hub._readers) for hub in hubs_of(relay)) == 2)
        most = 0
        sent = 0
        while sum(len(hub._readers) for hub in hubs_of(relay)) == 2:
            mark = f"number {sent} "
            await asyncio.to_thread(emit, room, "message.delta", content=mark + "x" * 20_000)
            await reader.readuntil(mark.encode())
            most = max(most, await asyncio.to_thread(queued, relay))
            sent += 1
            assert sent < 5000
        writer.close()
        await writer.wait_closed()
    await eventually_async(lambda: not hubs_of(relay))
    return most


def hubs_in_memory() -> list[Any]:
    return [each for each in gc.get_objects() if isinstance(each, Hub | Reader)]


async def kept_memory(sandbox: Sandbox) -> int:
    """Bytes that are in use when no stream is left."""
    sandbox.requests.clear()
    await eventually_async(lambda: gc.collect() >= 0 and not hubs_in_memory())
    return memory()


def memory() -> int:
    """Bytes that are in use, without what the sandbox remembers."""
    here = [tracemalloc.Filter(False, "*/interactor_ext/sandbox/*"), tracemalloc.Filter(False, tracemalloc.__file__)]
    snapshot = tracemalloc.take_snapshot().filter_traces(here)
    return sum(statistic.size for statistic in snapshot.statistics("filename"))


@pytest.mark.full
async def test_200_readers_of_20_rooms_take_20_streams_and_leave_nothing_behind(
    start_relay: Callable[..., RelayServer], sandbox: Sandbox, new_room: Callable[..., str], emit: Callable[..., None]
) -> None:
    tracemalloc.start()
    try:
        relay = await asyncio.to_thread(
            lambda: start_relay(streams_per_namespace=2 * READERS, grace=0.05, max_queued=MOST_QUEUED)
        )
        rooms = [await asyncio.to_thread(new_room) for _ in range(ROOMS)]
        # Twice before it is measured: by then everything is loaded and every pool has its size.
        for _ in range(2):
            await everybody_reads_an_answer(relay, sandbox, rooms, emit)
        before = await kept_memory(sandbox)
        during = await everybody_reads_an_answer(relay, sandbox, rooms, emit)
        held = await one_reads_nothing(relay, rooms[0], emit)
        assert MOST_QUEUED / 2 < held < 1024 * 1024
        await everybody_reads_an_answer(relay, sandbox, rooms, emit)
        # Of what the readers took, all but a twentieth is given back.
        assert await kept_memory(sandbox) - before < (during - before) / 20
    finally:
        tracemalloc.stop()
