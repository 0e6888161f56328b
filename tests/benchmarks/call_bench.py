"""What a call costs beside raw httpx, over one server in another process: alone, and with others in flight.

A call of ours is a whole one: the token, the namespace, the bounds, the error check and the model. That of httpx and of
aiohttp is the bytes alone. All clients have the limits that they come with.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from itertools import cycle
from typing import Any

import aiohttp
import httpx

from interactor_ext import AsyncInteractorClient, InteractorClient
from interactor_ext.transports import AiohttpTransport, AsyncTransport, Transport
from tests.benchmarks.call_server import ACCESS_TOKEN, serving
from tests.benchmarks.measure import cpu_medians, report

RAW, OURS, OVER_AIOHTTP, AIOHTTP = "httpx", "interactor_ext", "interactor_ext over aiohttp", "aiohttp"
IN_FLIGHT = [1, 50, 100, 200]
CALLS = 600
IDS = [f"asst_{number}" for number in range(50)]
HEADERS = {"Authorization": f"Bearer {ACCESS_TOKEN}", "X-Namespace": "user_1"}

Call = Callable[[], Awaitable[object]]


def settings(url: str) -> dict[str, Any]:
    return {
        "client_id": "a",
        "client_secret": "b",
        "core_api_url": url,
        "account_server_url": url,
        "namespace": "user_1",
    }


def sync_ratios(url: str) -> dict[str, float]:
    """One call at a time, in one thread."""
    raw = httpx.Client(headers=HEADERS, timeout=30, trust_env=False)
    next_id = cycle(IDS).__next__
    with raw, InteractorClient(transport=Transport(trust_env=False), **settings(url)) as ours:

        def run_raw() -> None:
            for _ in range(CALLS):
                raw.get(f"{url}/assistants/{next_id()}")

        def run_ours() -> None:
            for _ in range(CALLS):
                ours.assistants.get(next_id())

        return report("a synchronous call", cpu_medians({RAW: run_raw, OURS: run_ours}), calls=CALLS, against=RAW)


async def open_clients(url: str, stack: AsyncExitStack) -> dict[str, Call]:
    next_id = cycle(IDS).__next__
    raw = await stack.enter_async_context(httpx.AsyncClient(headers=HEADERS, timeout=30, trust_env=False))
    session = await stack.enter_async_context(aiohttp.ClientSession(headers=HEADERS))

    async def call_aiohttp() -> None:
        async with session.get(f"{url}/assistants/{next_id()}") as response:
            await response.read()

    def ours(transport: httpx.AsyncBaseTransport) -> AsyncInteractorClient:
        return AsyncInteractorClient(transport=transport, **settings(url))

    pooled = await stack.enter_async_context(ours(AsyncTransport(trust_env=False)))
    over_aiohttp = await stack.enter_async_context(ours(AiohttpTransport(trust_env=False)))
    return {
        RAW: lambda: raw.get(f"{url}/assistants/{next_id()}"),
        OURS: lambda: pooled.assistants.get(next_id()),
        OVER_AIOHTTP: lambda: over_aiohttp.assistants.get(next_id()),
        AIOHTTP: call_aiohttp,
    }


async def in_flight(call: Call, number: int) -> None:
    """So many calls at any time, until all are made."""
    left = iter(range(CALLS))

    async def worker() -> None:
        for _ in left:
            await call()

    await asyncio.gather(*(worker() for _ in range(number)))


def async_medians(url: str, *, rounds: int = 9) -> dict[int, dict[str, float]]:
    """The CPU seconds of `CALLS` calls, by how many are in flight."""
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        calls = runner.run(open_clients(url, stack))
        try:
            return {number: cpu_medians(_rivals(runner, calls, number), rounds=rounds) for number in IN_FLIGHT}
        finally:
            runner.run(stack.aclose())


def _rivals(runner: asyncio.Runner, calls: Mapping[str, Call], number: int) -> dict[str, Callable[[], object]]:
    return {name: lambda call=call: runner.run(in_flight(call, number)) for name, call in calls.items()}


def run() -> None:
    with serving() as url:
        sync_ratios(url)
        medians = async_medians(url)
    for number, row in medians.items():
        report(f"asynchronous calls, {number} in flight", row, calls=CALLS, against=RAW)
    print("from 1 to 200 in flight, CPU a call grows")
    for name in (RAW, OURS, OVER_AIOHTTP, AIOHTTP):
        print(f"  {name:<36}{medians[200][name] / medians[1][name]:>33.2f} x")
