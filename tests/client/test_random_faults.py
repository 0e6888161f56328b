"""Random network faults between client and sandbox: nothing is done twice, and every success is real."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import random
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from interactor_ext import AsyncInteractorClient, InteractorClient, InteractorError
from interactor_ext.retry import RetryPolicy
from interactor_ext.sandbox import Sandbox
from tests.support.cases import NIGHTLY
from tests.support.scripted_server import Action, Connection, FaultServer, Request, error

POLICY = RetryPolicy(max_retries=8, base_delay=0.002, max_delay=0.02)
REFUSED = error(429, "RATE_LIMITED")
CALLS = 2_000 if NIGHTLY else 500


class BadNetwork(FaultServer):
    """A transport to the sandbox that loses many requests and responses, in several ways."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._local = threading.local()
        self._rng = random.Random(7)
        self.refused: Counter[str] = Counter()
        super().__init__()

    def _serve(self, connection: Connection) -> None:
        try:
            super()._serve(connection)
        finally:
            if hasattr(self._local, "connection"):
                self._local.connection.close()

    def next_action(self, request: Request) -> Action:
        with self._lock:
            self.seen.append(request)
            if request.method != "POST" or request.is_for_token or self._rng.random() < 0.55:
                return self._pass_on
            return self._rng.choice(
                [self._lose, self._refuse, self._fail, self._cut, self._reset, self._garble, self._fail_when_done]
                + [self._stall] * (self._rng.random() < 0.1)
            )

    def _exchange(self, request: Request) -> bytes:
        """The response of the sandbox, as bytes of HTTP."""
        address = self._sandbox.core_api_url.split("/")[2]
        connection = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = http.client.HTTPConnection(address, timeout=60)
        connection.request(request.method, request.target, request.body or None, request.headers)
        response = connection.getresponse()
        body = response.read()
        head = (
            f"HTTP/1.1 {response.status} Said\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body

    def _pass_on(self, connection: Connection, request: Request) -> bool:
        connection.send(self._exchange(request))
        return True

    def _lose(self, connection: Connection, request: Request) -> bool:
        return False

    def _refuse(self, connection: Connection, request: Request) -> bool:
        with self._lock:
            self.refused[name_in(request)] += 1
        return REFUSED(connection, request)

    def _fail(self, connection: Connection, request: Request) -> bool:
        return error(503)(connection, request)

    def _fail_when_done(self, connection: Connection, request: Request) -> bool:
        self._exchange(request)
        return error(504)(connection, request)

    def _cut(self, connection: Connection, request: Request) -> bool:
        answer = self._exchange(request)
        connection.send(answer[: len(answer) // 2])
        return False

    def _reset(self, connection: Connection, request: Request) -> bool:
        self._exchange(request)
        connection.reset()
        return False

    def _garble(self, connection: Connection, request: Request) -> bool:
        self._exchange(request)
        connection.send(b"\x00\xff\xfe\r\n\r\n")
        return False

    def _stall(self, connection: Connection, request: Request) -> bool:
        self._exchange(request)
        connection.stall()
        return False


def name_in(request: Request) -> str:
    return str(json.loads(request.body)["name"])


@pytest.fixture
def network() -> Iterator[BadNetwork]:
    with Sandbox(history=10).run() as sandbox, BadNetwork(sandbox) as network:
        yield network


def settings(network: BadNetwork) -> dict[str, Any]:
    core_path = network._sandbox.core_api_url.split("/", 3)[3]
    account_path = network._sandbox.account_server_url.split("/", 3)[3]
    return {
        "client_id": network._sandbox.client_id,
        "client_secret": network._sandbox.client_secret,
        "core_api_url": f"{network.url}/{core_path}",
        "account_server_url": f"{network.url}/{account_path}",
        "namespace": "user_1",
        "timeout": 2.0,
        "retry_policy": POLICY,
        "circuit_breaker": False,
    }


def create(user: Any, kind: str, name: str) -> Any:
    if kind == "assistant":
        return user.assistants.create(name=name, model="gpt-4", system_prompt="p")
    return user.tools.create(name=name, description="d", parameters={"type": "object"})


def run_sync(network: BadNetwork, kind: str, names: list[str]) -> dict[str, str]:
    """The ids of the calls that succeeded, by name."""
    done: dict[str, str] = {}

    def call(name: str) -> None:
        with contextlib.suppress(InteractorError):
            done[name] = create(client, kind, name).id

    with InteractorClient(**settings(network)) as client, ThreadPoolExecutor(16) as threads:
        list(threads.map(call, names))
    return done


async def run_async(network: BadNetwork, kind: str, names: list[str]) -> dict[str, str]:
    done: dict[str, str] = {}
    some = asyncio.Semaphore(16)

    async def call(name: str) -> None:
        async with some:
            with contextlib.suppress(InteractorError):
                done[name] = (await create(client, kind, name)).id

    async with AsyncInteractorClient(**settings(network)) as client:
        await asyncio.gather(*(call(name) for name in names))
    return done


def what_there_is(network: BadNetwork, kind: str) -> list[tuple[str, str]]:
    with network._sandbox.client(namespace="user_1") as client:
        resource = client.assistants if kind == "assistant" else client.tools
        return [(item.name, item.id) for item in resource.iterate(per_page=100)]


async def run_half_and_half(network: BadNetwork, kind: str) -> dict[str, str]:
    names = [f"{kind}_{number}" for number in range(CALLS)]
    half = CALLS // 2
    there = await asyncio.to_thread(run_sync, network, kind, names[:half])
    return {**there, **await run_async(network, kind, names[half:])}


@pytest.mark.full
async def test_create_with_idempotency_key_creates_once_despite_faults(network: BadNetwork) -> None:
    done = await run_half_and_half(network, "assistant")
    there = await asyncio.to_thread(what_there_is, network, "assistant")
    assert max(Counter(name for name, _ in there).values()) == 1
    assert done.items() <= dict(there).items()
    # With so many retries, hardly a call is lost; and hardly half of the requests had gone well.
    assert len(done) > 0.97 * CALLS
    assert len(network.calls()) > 1.4 * CALLS


@pytest.mark.full
async def test_request_without_key_that_may_have_arrived_is_not_retried(network: BadNetwork) -> None:
    done = await run_half_and_half(network, "tool")
    there = await asyncio.to_thread(what_there_is, network, "tool")
    assert max(Counter(name for name, _ in there).values()) == 1
    assert done.items() <= dict(there).items()
    sent = Counter(name_in(request) for request in network.calls())
    # One that runs out of time on a busy machine may not arrive.
    assert done.keys() <= sent.keys() <= {f"tool_{number}" for number in range(CALLS)}
    assert all(times <= 1 + network.refused[name] for name, times in sent.items())
    assert 0.45 * CALLS < len(done) < 0.85 * CALLS
