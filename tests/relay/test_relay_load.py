"""Many readers of many rooms, and what is left when all have gone."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from collections.abc import Callable

import pytest

from interactor_ext.sandbox import Sandbox
from tests.support.relay_server import MOUNT, RelayServer, cookie_for
from tests.support.waiting import eventually_async

pytest_plugins = ["tests.support.sandbox_fixtures", "tests.support.relay_fixtures"]

ROOMS, READERS, PIECES = 20, 200, 10
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
            for number in range(PIECES):
                await asyncio.to_thread(emit, room, "message.delta", content=f"word {number} ")
            message = {"id": "msg_1", "room_id": room, "role": "assistant", "created_at": "2026-01-01T00:00:00Z"}
            await asyncio.to_thread(emit, room, END.decode(), message=message)
    assert [reader.result() for reader in readers] == [PIECES] * READERS
    assert sum(each.operation == "stream_room" for each in sandbox.requests) == opened + ROOMS
    await eventually_async(lambda: sandbox.open_streams == 0)
    return held


def kept_memory(sandbox: Sandbox) -> int:
    """Bytes that are in use when no stream is left."""
    sandbox.requests.clear()
    gc.collect()
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
        relay = await asyncio.to_thread(lambda: start_relay(streams_per_namespace=2 * READERS, grace=0.05))
        rooms = [await asyncio.to_thread(new_room) for _ in range(ROOMS)]
        # Twice before it is measured: by then everything is loaded and every pool has its size.
        for _ in range(2):
            await everybody_reads_an_answer(relay, sandbox, rooms, emit)
        before = kept_memory(sandbox)
        during = await everybody_reads_an_answer(relay, sandbox, rooms, emit)
        # Of what the readers took, all but a twentieth is given back.
        await eventually_async(lambda: kept_memory(sandbox) - before < (during - before) / 20)
    finally:
        tracemalloc.stop()
