"""The sandbox under a steady load from another process: no error, no growing delay, no growing memory.

INTERACTOR_SOAK_SECONDS is how long: 12 unless set, 300 in `make nightly`. The figures are printed (`pytest -rP`).
"""

from __future__ import annotations

import asyncio
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from interactor_client.models import MessageComplete
from interactor_ext import AsyncInteractorClient
from tests.support.waiting import eventually_async

pytestmark = [
    pytest.mark.full,
    pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads memory from /proc"),
]

SECONDS = float(os.environ.get("INTERACTOR_SOAK_SECONDS", "12"))
RATE = 200
WORKERS = 32
STREAMS, ROOMS = 500, 50

# Its clock passes the 24 hours of an idempotency key in 5 seconds: what a sandbox forgets, it must forget in this time.
SERVER = """
from interactor_ext.sandbox import Clock, Sandbox
sandbox = Sandbox(history=500, token_lifetime=10**9, clock=Clock(speed=17280))
sandbox.serve(0, announce=lambda: print(sandbox.account_server_url, sandbox.core_api_url, flush=True))
"""


class Server:
    """A sandbox in a process of its own."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._status = Path(f"/proc/{process.pid}/status")
        assert process.stdout is not None
        account_server_url, core_api_url = process.stdout.readline().split()
        self.settings: Any = {
            "client_id": "sandbox_client",
            "client_secret": "sandbox_secret",
            "account_server_url": account_server_url,
            "core_api_url": core_api_url,
        }

    def memory(self) -> float:
        """What it occupies now, in MB."""
        lines = self._status.read_text().splitlines()
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


@pytest.fixture
def server() -> Iterator[Server]:
    with subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Server(process)
        finally:
            process.terminate()


class Load:
    """Calls at a fixed rate, even if earlier ones are not answered yet: a server that falls behind shows."""

    def __init__(self) -> None:
        self.durations: list[float] = []
        self._turns = asyncio.Semaphore(0)

    async def run(self, client: AsyncInteractorClient) -> None:
        workers = [asyncio.create_task(self._work(client.namespace(f"org_{number}"))) for number in range(WORKERS)]
        started = time.monotonic()
        for number in range(int(RATE * SECONDS)):
            await asyncio.sleep(max(0.0, started + number / RATE - time.monotonic()))
            self._turns.release()
            if any(worker.done() for worker in workers):
                break
        # However far behind they are, a server that keeps up with the load lets them come up.
        await eventually_async(
            lambda: len(self.durations) >= int(RATE * SECONDS) or any(worker.done() for worker in workers), "all calls"
        )
        for worker in workers:
            worker.cancel()
        for result in await asyncio.gather(*workers, return_exceptions=True):
            if not isinstance(result, asyncio.CancelledError):
                raise AssertionError("a call failed") from result

    async def _work(self, user: AsyncInteractorClient) -> None:
        while True:
            bot = await self._call(user.assistants.create, name="Bot", model="gpt-4", system_prompt="Be brief.")
            room = await self._call(user.rooms.create, assistant_id=bot.id, metadata={"order": {"total": 599.99}})
            for text in ("Hello!", "And again, in a few more words than before."):
                answer = await self._call(user.messages.send, room.id, content=text)
                assert answer.content == f"Bot here. You said: {text}"
            assert len((await self._call(user.messages.list, room.id)).data) == 4
            assert (await self._call(user.rooms.get, room.id)).metadata == {"order": {"total": 599.99}}
            await self._call(user.assistants.update, bot.id, temperature=0.5)
            await self._call(user.rooms.delete, room.id)
            await self._call(user.assistants.delete, bot.id)
            assert (await self._call(user.assistants.list)).data == []

    async def _call(self, method: Callable[..., Awaitable[Any]], *args: Any, **fields: Any) -> Any:
        await self._turns.acquire()
        began = time.perf_counter()
        result = await method(*args, **fields)
        self.durations.append(time.perf_counter() - began)
        return result


async def sampled(server: Server, into: list[float]) -> None:
    while True:
        into.append(server.memory())
        await asyncio.sleep(0.5)


async def test_steady_load_keeps_memory_bounded(server: Server) -> None:
    memory: list[float] = []
    load = Load()
    async with AsyncInteractorClient(**server.settings, max_retries=0) as client:
        sampler = asyncio.create_task(sampled(server, memory))
        await load.run(client)
        sampler.cancel()
    quarter = len(memory) // 4
    before, after = statistics.median(memory[quarter : 2 * quarter]), statistics.median(memory[-quarter:])
    percentiles = statistics.quantiles(load.durations, n=100)
    print(f"{len(load.durations)} calls in {SECONDS:g} s, p50 {percentiles[49] * 1000:.1f} ms, ", end="")
    print(
        f"p99 {percentiles[98] * 1000:.1f} ms; memory {memory[0]:.1f} MB, then {before:.1f} MB, at last {after:.1f} MB"
    )
    assert after < 1.03 * before


async def test_five_hundred_open_streams_get_all_events(server: Server) -> None:
    """All are open at once; each gets the reply in its room, and ordinary calls succeed meanwhile."""

    async def follow(stream: Any) -> str:
        async for event in stream:
            if isinstance(event, MessageComplete):
                return event.message.content
        raise AssertionError("the stream ended")

    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(AsyncInteractorClient(**server.settings, max_retries=0))
        user = client.namespace("org")
        bot = await user.assistants.create(name="Bot", model="gpt-4", system_prompt="")
        rooms = [(await user.rooms.create(assistant_id=bot.id)).id for _ in range(ROOMS)]
        memory = server.memory()
        streams = [user.rooms.stream(rooms[number % ROOMS], max_reconnects=0) for number in range(STREAMS)]
        await asyncio.gather(*(stack.enter_async_context(stream) for stream in streams))
        print(f"{STREAMS} streams: {server.memory() - memory:.1f} MB")
        followers = [asyncio.create_task(follow(stream)) for stream in streams]
        began = time.perf_counter()
        await asyncio.gather(*(user.messages.send(room, content=room, stream=True) for room in rooms))
        answers = await asyncio.wait_for(asyncio.gather(*followers), 60)
        print(f"answered in all of them after {time.perf_counter() - began:.2f} s")
    assert answers == [f"Bot here. You said: {rooms[number % ROOMS]}" for number in range(STREAMS)]
