"""Async calls cancelled at each step of the event loop: no connection stays in use and no later call is stuck."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from interactor_ext import AsyncInteractorClient, CircuitBreaker, CircuitOpenError, ServerError
from interactor_ext.limits import RateLimiter, Tier, Tiers
from interactor_ext.retry import RetryPolicy
from tests.support.scripted_server import (
    Action,
    Connection,
    FaultServer,
    Request,
    error,
    fine,
    send_and,
    settings_of,
    slow,
)
from tests.support.waiting import eventually_async
from tests.transports.test_transport_faults import busy_connections

MOST_TURNS = 150


def client_of(server: FaultServer, **settings: Any) -> AsyncInteractorClient:
    return AsyncInteractorClient(**settings_of(server.url, **{"timeout": 60, **settings}))


async def cancel_after(turns: int, call: Callable[[], Any]) -> bool:
    """Whether the call was over before it had so many turns."""
    task = asyncio.ensure_future(call())
    for _ in range(turns):
        await asyncio.sleep(0)
        if task.done():
            return True
    # What waits for the server needs time rather than turns.
    await asyncio.sleep(0.0005)
    if task.done():
        return True
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    return False


SITUATIONS: dict[str, tuple[list[Action], dict[str, Any]]] = {
    "a plain call": ([slow(0.001, fine)], {}),
    "retries": ([error(503), error(503), fine], {"retry_policy": RetryPolicy(base_delay=0.001)}),
    "lost connections": ([send_and(b"", lambda c: c.reset()), fine], {"retry_policy": RetryPolicy(base_delay=0.001)}),
    "the limiter": ([fine], {"rate_limiter": RateLimiter(Tiers(client=Tier(60_000, 1), tokens=Tier(60_000, 1)))}),
}


@pytest.mark.parametrize("situation", SITUATIONS)
@pytest.mark.parametrize("start", ["cold", "warm"])
async def test_cancelled_call_leaves_no_connection_and_no_task(situation: str, start: str) -> None:
    script, settings = SITUATIONS[situation]
    settings = {name: value() if isinstance(value, type) else value for name, value in settings.items()}
    with FaultServer() as server:
        for turns in range(0, MOST_TURNS, 1 if start == "cold" else 3):
            server.script = list(script)
            client = client_of(server, **settings)
            if start == "warm":
                await client.get_access_token()
            over = await cancel_after(turns, lambda client=client: client.assistants.get("asst_1"))
            # A token request goes on for those who come next.
            assert start == "cold" or busy_connections(client) == 0
            # Neither a lock nor a token request that nobody makes any more holds up the next call.
            server.script = [fine]
            assert (await asyncio.wait_for(client.assistants.get("asst_1"), 60)).id == "asst_1"
            assert busy_connections(client) == 0
            if "transport" not in settings:
                await client.aclose()
            if over:
                break
        if "transport" in settings:
            await settings["transport"].aclose()
        await eventually_async(lambda: server.open_connections == 0)


async def test_cancelled_call_that_probes_the_circuit_lets_another_probe() -> None:
    with FaultServer([error(500)]) as server:
        now = 1000.0
        breaker = CircuitBreaker(failures=2, cool_down=15, clock=lambda: now)
        async with client_of(server, circuit_breaker=breaker, max_retries=0) as client:
            for _ in range(2):
                with pytest.raises(ServerError):
                    await client.assistants.get("asst_1")
            with pytest.raises(CircuitOpenError) as caught:
                await client.assistants.get("asst_1")
            assert 0 < (caught.value.retry_after or 0) <= 15
            sent = len(server.calls())
            now += 16
            server.script = [send_and(b"", lambda connection: connection.stall())]
            probe = asyncio.create_task(client.assistants.get("asst_1"))
            await eventually_async(lambda: len(server.calls()) == sent + 1)
            with pytest.raises(CircuitOpenError):
                await client.assistants.get("asst_1")
            probe.cancel()
            await asyncio.gather(probe, return_exceptions=True)
            server.script = [fine]
            assert (await client.assistants.get("asst_1")).id == "asst_1"


async def test_cancelled_caller_does_not_cancel_the_token_request_of_others() -> None:
    cancelled = threading.Event()

    def answer_late(connection: Connection, request: Request) -> bool:
        return cancelled.wait(60) and fine(connection, request)

    with FaultServer(token_script=[answer_late]) as server:
        async with client_of(server) as client:
            tasks = [asyncio.create_task(client.assistants.get("asst_1")) for _ in range(5)]
            await eventually_async(lambda: len(server.token_requests()) == 1)
            tasks[0].cancel()
            cancelled.set()
            await asyncio.gather(*tasks, return_exceptions=True)
            assert [task.cancelled() for task in tasks] == [True, False, False, False, False]
        assert len(server.token_requests()) == 1
