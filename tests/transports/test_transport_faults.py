"""Every fault of the table, for each kind of call, sync and async: outcome, number of requests, open connections."""

from __future__ import annotations

import asyncio
import gc
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from itertools import product
from typing import Any

import httpx
import pytest

import interactor_ext
from interactor_ext import AsyncInteractorClient, InteractorError
from interactor_ext._engine.network.http1 import Exchange
from interactor_ext.retry import RetryPolicy
from interactor_ext.tokens import MemoryTokenStore, Token
from interactor_ext.transports import AsyncTransport, Transport
from tests.support.fault_table import CALLS, FAULTS, RETRIES, SHORT, Fault
from tests.support.modes import at_once, client_of, done, sync_and_async
from tests.support.scripted_server import (
    Connection,
    FaultServer,
    Request,
    deaf_url,
    fine,
    mute_url,
    refusing_url,
    settings_of,
)
from tests.support.waiting import collect_garbage, eventually, with_enough_time

POLICY = RetryPolicy(max_retries=RETRIES, base_delay=0.01, max_delay=0.05)
SECRET = "s3cret-of-the-client"


def settings(url: str, fault: Fault, deadline: float | None = None) -> dict[str, Any]:
    more = {"client_secret": SECRET, "timeout": fault.timeout, "deadline": deadline}
    return settings_of(url, **more, retry_policy=POLICY, circuit_breaker=False)


@contextmanager
def serving(fault: Fault) -> Iterator[tuple[str, FaultServer | None]]:
    with ExitStack() as stack:
        if fault.where == "refusing":
            yield stack.enter_context(refusing_url()), None
        elif fault.where == "deaf":
            yield stack.enter_context(deaf_url()), None
        elif fault.where == "mute":
            yield stack.enter_context(mute_url()), None
        else:
            server = stack.enter_context(FaultServer(list(fault.script), list(fault.token_script)))
            yield server.url, server


def make_call(client: Any, call: str) -> Any:
    user = client.namespace("user_1")
    if call == "read":
        return user.assistants.get("asst_1")
    if call == "delete":
        return user.assistants.delete("asst_1")
    if call == "keyed":
        return user.assistants.create(name="n", model="m", system_prompt="p")
    return user.tools.create(name="n", description="d", parameters={})


def outcome_of(error: BaseException | None) -> str:
    if error is None:
        return "ok"
    assert isinstance(error, InteractorError), f"{error!r} escaped"
    assert SECRET not in f"{error!r}{error}"
    assert "t0ken" not in f"{error!r}{error}"
    return type(error).__name__


async def run(
    mode: str, fault: Fault, call: str, deadline: float | None = None, transport: httpx.AsyncBaseTransport | None = None
) -> tuple[str, float, FaultServer | None]:
    with serving(fault) as (url, server):
        async with client_of(mode, {**settings(url, fault, deadline), "transport": transport}) as client:
            error: BaseException | None = None
            started = time.monotonic()
            try:
                await done(make_call(client, call))
            except Exception as caught:
                error = caught
            took = time.monotonic() - started
            outcome = outcome_of(error)
            assert deadline is not None or busy_connections(client) == 0
        await asyncio.to_thread(assert_nothing_is_left, server)
        return outcome, took, server


def busy_connections(client: Any) -> int:
    """How many are not free for the next call. A token request may outlive the call's deadline."""
    transport = client._shared.transport._inner
    if isinstance(transport, Transport | AsyncTransport):
        connections = transport.connections()
        return connections.open - connections.idle
    return 0


def assert_nothing_is_left(server: FaultServer | None) -> None:
    eventually(lambda: server is None or not server.open_connections, "the end of all connections")


def check(fault: Fault, call: str, outcome: str, server: FaultServer | None) -> None:
    assert outcome == fault.outcome(call), call
    if server is not None:
        assert len(server.calls()) == fault.times_sent(call), call


@pytest.fixture(scope="module", autouse=True)
def _the_collector_looks_at_this_module_alone() -> None:
    """It is called after each test."""
    collect_garbage()
    gc.freeze()


@pytest.fixture(autouse=True)
def _nothing_comes_to_light_later(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """No warning when objects are collected, and no secret in any log."""
    caplog.set_level(logging.DEBUG)
    yield
    collect_garbage()
    assert SECRET not in caplog.text
    assert "t0ken" not in caplog.text


# Those that let the client wait for its timeout do so together.
GROUPS = [[fault] for fault in FAULTS if fault.timeout != SHORT] + [[f for f in FAULTS if f.timeout == SHORT]]
each_fault = pytest.mark.parametrize(
    "faults", GROUPS, ids=[group[0].name if len(group) == 1 else "timeouts" for group in GROUPS]
)


def with_longer_timeouts(faults: list[Fault], attempt: Callable[[list[tuple[Fault, str]]], None]) -> None:
    """Try all kinds of calls. On a busy machine, a short timeout may be over before the request is sent."""

    def attempt_with(short: float) -> None:
        timeouts = [replace(fault, timeout=short) if fault.timeout == SHORT else fault for fault in faults]
        attempt(list(product(timeouts, CALLS)))

    with_enough_time(attempt_with, *((SHORT, 4 * SHORT, 12 * SHORT) if faults[0].timeout == SHORT else (SHORT,)))


@sync_and_async
@each_fault
@pytest.mark.parametrize("way", ["short", pytest.param("by h11 alone", marks=pytest.mark.full)])
def test_each_fault_has_the_promised_outcome(
    way: str, mode: str, faults: list[Fault], monkeypatch: pytest.MonkeyPatch
) -> None:
    if way == "by h11 alone":
        monkeypatch.setattr("interactor_ext._engine.network.routes.ShortExchange", Exchange)

    def attempt(cases: list[tuple[Fault, str]]) -> None:
        results = asyncio.run(at_once(mode, *(run(mode, *case) for case in cases)))
        for case, (outcome, _, server) in zip(cases, results, strict=True):
            check(*case, outcome, server)

    with_longer_timeouts(faults, attempt)


INTERIM = b"HTTP/1.1 100 Continue\r\n\r\n" * 1000


@sync_and_async
async def test_flood_of_interim_responses_ends_with_the_timeout(mode: str) -> None:
    def flood(connection: Connection, request: Request) -> bool:
        while True:
            connection.send(INTERIM)

    with FaultServer([flood]) as server:
        async with client_of(mode, settings_of(server.url, timeout=0.3, max_retries=0)) as client:
            started = time.monotonic()
            with pytest.raises(interactor_ext.APITimeoutError):
                await done(client.assistants.get("asst_1"))
            assert time.monotonic() - started < 30


async def test_flood_of_interim_responses_holds_up_no_other_task() -> None:
    def flood(connection: Connection, request: Request) -> bool:
        while len(server.calls()) < 2:
            connection.send(INTERIM)
        return fine(connection, request)

    with FaultServer([flood, fine]) as server:
        async with AsyncInteractorClient(**settings_of(server.url, timeout=60, max_retries=0)) as client:
            await asyncio.gather(*(client.assistants.get("asst_1") for _ in range(2)))


DEADLINE = 0.25
PASSING = {"APIConnectionError", "RateLimitError", "ServerError"}


@pytest.mark.full
@sync_and_async
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
async def test_calls_end_with_their_deadline_whatever_the_fault(mode: str, fault: Fault) -> None:
    patient = replace(fault, timeout=60.0)
    for outcome, took, _ in await at_once(mode, *(run(mode, patient, call, DEADLINE) for call in CALLS)):
        assert took < 30
        # Or how the last attempt ended, where there is no time for another.
        assert outcome in {"APITimeoutError", *map(fault.outcome, CALLS), *PASSING}


def test_table_of_faults_is_complete() -> None:
    assert len({fault.name for fault in FAULTS}) == len(FAULTS) >= 25
    for fault in FAULTS:
        assert all(fault.outcome(call) == "ok" or hasattr(interactor_ext, fault.outcome(call)) for call in CALLS)


async def test_refused_connection_is_retried_for_every_method(caplog: pytest.LogCaptureFixture) -> None:
    """Nothing was sent, so a PATCH without a key can do no harm."""
    fault = next(fault for fault in FAULTS if fault.name == "refused")
    with serving(fault) as (url, _), caplog.at_level(logging.WARNING, "interactor"):
        async with AsyncInteractorClient(**settings(url, fault), token_store=Filled()) as client:
            with pytest.raises(interactor_ext.APIConnectionError) as caught:
                await client.assistants.update("asst_1", name="x")
    assert not caught.value.sent
    assert [record.getMessage() for record in caplog.records if "is retried" in record.getMessage()]


class Filled(MemoryTokenStore):
    def load(self, key: str) -> Token | None:
        return Token("t0ken", time.time() + 3600, 3600)
