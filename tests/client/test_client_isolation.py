"""Isolation of namespaces: mixed calls of many threads, and of many tasks, on one client."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from interactor_ext.sandbox import Sandbox
from tests.support.cases import NIGHTLY
from tests.support.modes import Awaited

NAMESPACES = [f"user_{number}" for number in range(49)] + ["Zoë 日本"]
CALLS = 20_000 if NIGHTLY else 500


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(history=30_000).run() as running:
        yield running


def check(sandbox: Sandbox) -> None:
    """Checks that the content of each call names the namespace that it arrived in."""
    records = [record for record in sandbox.requests if record.operation != "create_token"]
    assert len(records) >= CALLS
    assert {record.status for record in records} <= {200, 201, 204}
    for record in records:
        if record.operation == "create_assistant":
            assert record.body["name"] == record.namespace
        if record.operation == "create_room":
            assert record.body["metadata"] == {"tenant": record.namespace}
    assert {record.namespace for record in records} == set(NAMESPACES)


def rounds() -> Iterator[str]:
    """The tenants of as many visits as make `CALLS` calls."""
    rng = random.Random(CALLS)
    for number in range(CALLS // 5):
        yield NAMESPACES[number] if number < len(NAMESPACES) else rng.choice(NAMESPACES)


async def visit(client: Any, namespace: str) -> None:
    """Five calls of one tenant. All that it sends, and must get, holds its name."""
    user = client.namespace(namespace)
    quick = user.with_options(timeout=60, max_retries=1)
    bot = await user.assistants.create(name=namespace, model="gpt-4", system_prompt="x")
    assert (await quick.assistants.get(bot.id)).name == namespace
    room = await quick.rooms.create(assistant_id=bot.id, metadata={"tenant": namespace})
    assert (room.namespace, room.metadata) == (namespace, {"tenant": namespace})
    assert {other.namespace for other in await user.rooms.list(per_page=100)} == {namespace}
    assert await user.assistants.delete(bot.id) is None


def test_20_threads_with_mixed_namespaces_get_only_their_own_objects(sandbox: Sandbox) -> None:
    with sandbox.client() as client, ThreadPoolExecutor(20) as threads:
        list(threads.map(lambda namespace: asyncio.run(visit(Awaited(client), namespace)), rounds()))
    check(sandbox)


async def test_500_tasks_with_mixed_namespaces_get_only_their_own_objects(sandbox: Sandbox) -> None:
    async with sandbox.async_client(timeout=120) as client:
        work = rounds()

        async def worker() -> None:
            for namespace in work:
                await visit(client, namespace)

        await asyncio.gather(*(worker() for _ in range(500)))
    check(sandbox)
