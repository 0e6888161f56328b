"""A plugin with fixtures for webhook tests: sync and async handling, and a queue."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from interactor_ext.webhooks import SQLiteEventQueue
from tests.support.webhook_routers import Handle, async_handle, sync_handle


@pytest.fixture(params=[sync_handle, async_handle], ids=["handle", "ahandle"])
def handle(request: pytest.FixtureRequest) -> Handle:
    mode: Handle = request.param
    return mode


@pytest.fixture(params=["sync", "async"])
def mode(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[SQLiteEventQueue]:
    with SQLiteEventQueue(tmp_path / "queue.db") as queue:
        yield queue
