"""Cancelled async calls hold up no other. `test_every_turn.py` cancels calls in each turn of the event loop."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from interactor_ext import AsyncInteractorClient, CircuitBreaker, CircuitOpenError, ServerError
from tests.support.scripted_server import (
    Connection,
    FaultServer,
    Request,
    error,
    fine,
    send_and,
    settings_of,
)
from tests.support.waiting import eventually_async


def client_of(server: FaultServer, **settings: Any) -> AsyncInteractorClient:
    return AsyncInteractorClient(**settings_of(server.url, **{"timeout": 60, **settings}))


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
