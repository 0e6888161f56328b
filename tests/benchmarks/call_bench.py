"""What a call costs beside one of other HTTP clients, over one server in another process: alone, and with others in
flight.

All send a bearer token, keep connections alive and parse the JSON of the response. A call of ours has besides the token
obtained, the namespace, the deadline, the error check and the model. All clients have the limits that they come with.
"""

from __future__ import annotations

import asyncio
import http.client
import json
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, ExitStack, closing
from itertools import cycle
from typing import Any

import aiohttp
import httpx
import httpx2
import urllib3
from pyreqwest.client import ClientBuilder, SyncClientBuilder

from interactor_ext import AsyncInteractorClient, InteractorClient
from interactor_ext.transports import AsyncTransport, Transport
from tests.benchmarks.call_server import ACCESS_TOKEN, serving
from tests.benchmarks.measure import ROWS, Row, cpu_medians, report

RAW, OURS = "httpx", "interactor_ext"
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


def open_sync_clients(url: str, stack: ExitStack) -> dict[str, Callable[[], object]]:
    ids = cycle(IDS)
    raw = stack.enter_context(httpx.Client(headers=HEADERS, timeout=30, trust_env=False))
    raw2 = stack.enter_context(httpx2.Client(headers=HEADERS, timeout=30, trust_env=False))
    ours = stack.enter_context(InteractorClient(transport=Transport(trust_env=False), **settings(url)))
    pool = stack.enter_context(urllib3.PoolManager(headers=HEADERS))
    connection = stack.enter_context(closing(http.client.HTTPConnection(httpx.URL(url).netloc.decode())))
    reqwest = stack.enter_context(SyncClientBuilder().default_headers(HEADERS).no_proxy().build())

    def call_http_client() -> Any:
        connection.request("GET", f"/api/v1/assistants/{next(ids)}", headers=HEADERS)
        return json.loads(connection.getresponse().read())

    return {
        RAW: lambda: raw.get(f"{url}/assistants/{next(ids)}").json(),
        OURS: lambda: ours.assistants.get(next(ids)),
        "httpx2": lambda: raw2.get(f"{url}/assistants/{next(ids)}").json(),
        "urllib3": lambda: pool.request("GET", f"{url}/assistants/{next(ids)}").json(),
        "http.client": call_http_client,
        "pyreqwest": lambda: reqwest.get(f"{url}/assistants/{next(ids)}").build().send().json(),
    }


def sync_ratios(url: str) -> dict[str, float]:
    """One call at a time, in one thread."""

    def repeated(call: Callable[[], object]) -> Callable[[], None]:
        def run() -> None:
            for _ in range(CALLS):
                call()

        return run

    with ExitStack() as stack:
        calls = open_sync_clients(url, stack)
        medians = cpu_medians({name: repeated(call) for name, call in calls.items()})
    return report("a synchronous call", medians, calls=CALLS, against=RAW)


async def open_clients(url: str, stack: AsyncExitStack) -> dict[str, Call]:
    ids = cycle(IDS)
    raw = await stack.enter_async_context(httpx.AsyncClient(headers=HEADERS, timeout=30, trust_env=False))
    raw2 = await stack.enter_async_context(httpx2.AsyncClient(headers=HEADERS, timeout=30, trust_env=False))
    session = await stack.enter_async_context(aiohttp.ClientSession(headers=HEADERS))
    reqwest = await stack.enter_async_context(ClientBuilder().default_headers(HEADERS).no_proxy().build())

    async def call_httpx() -> Any:
        return (await raw.get(f"{url}/assistants/{next(ids)}")).json()

    async def call_httpx2() -> Any:
        return (await raw2.get(f"{url}/assistants/{next(ids)}")).json()

    async def call_aiohttp() -> Any:
        async with session.get(f"{url}/assistants/{next(ids)}") as response:
            return await response.json()

    async def call_reqwest() -> Any:
        return await (await reqwest.get(f"{url}/assistants/{next(ids)}").build().send()).json()

    def ours(transport: httpx.AsyncBaseTransport) -> AsyncInteractorClient:
        return AsyncInteractorClient(transport=transport, **settings(url))

    pooled = await stack.enter_async_context(ours(AsyncTransport(trust_env=False)))
    return {
        RAW: call_httpx,
        OURS: lambda: pooled.assistants.get(next(ids)),
        "httpx2": call_httpx2,
        "aiohttp": call_aiohttp,
        "pyreqwest": call_reqwest,
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
    for name in medians[1]:
        growth = medians[200][name] / medians[1][name]
        ROWS.append(Row("200 in flight, over 1 of the same client", name, medians[200][name] / CALLS * 1e6, growth))
        print(f"from 1 to 200 in flight, {name:<36}{growth:>8.2f} x")
