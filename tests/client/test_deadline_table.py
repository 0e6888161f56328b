"""Every public method that sends something ends when its deadline comes, whoever is silent: the platform, the account
server or the token store.

The bound is generous: what misses its deadline waits for the timeout of an attempt, which is far away.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import pytest

from interactor_client.api import Resources
from interactor_ext import APITimeoutError, AsyncInteractorClient, InteractorClient
from interactor_ext.tokens import MemoryTokenStore, Token
from tests.support.every_request import (
    DEADLINE,
    NEED_A_TOKEN,
    ON_THE_ACCOUNT_SERVER,
    RESOURCES,
    ROWS,
    SEND,
    SEND_NOTHING,
    Row,
    public,
)
from tests.support.modes import client_of, done, sync_and_async
from tests.support.scripted_server import settings_of

PATIENCE = 60.0
"""Less than the timeout of one attempt, which ends a method that does not keep its deadline."""
TIMEOUT = 300.0


def test_table_has_every_public_method_of_the_clients() -> None:
    assert public(InteractorClient) == public(AsyncInteractorClient) - {"aclose"} | {"close"}
    assert public(InteractorClient) == SEND | SEND_NOTHING | RESOURCES, "put the new method into the table"
    assert {tag for tag in vars(Resources) if not tag.startswith("_")} == RESOURCES
    names = {row.name.partition(" ")[0] for row in ROWS}
    assert names >= SEND
    assert len(names) == len(ROWS) - sum(" " in row.name.strip() for row in ROWS)


@contextmanager
def silence() -> Iterator[str]:
    """A server that accepts connections and never responds."""
    guests: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listener:

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    guests.append(listener.accept()[0])

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(PATIENCE)
            for guest in guests:
                guest.close()


class SilentStore(MemoryTokenStore):
    """A token store that blocks until the test is over."""

    def __init__(self) -> None:
        super().__init__()
        self.end = threading.Event()

    def load(self, key: str) -> Token | None:
        self.end.wait(TIMEOUT)
        return None

    @contextmanager
    def lock(self, key: str, timeout: float) -> Iterator[bool]:
        self.end.wait(TIMEOUT)
        yield True

    def save(self, key: str, token: Token) -> None:
        self.end.wait(TIMEOUT)


class FullStore(MemoryTokenStore):
    """A token store that has a token for every key."""

    def load(self, key: str) -> Token | None:
        return Token("token_1", time.time() + 3600, 3600)


@contextmanager
def silent(who: str) -> Iterator[tuple[dict[str, Any], list[Row]]]:
    """Settings of a client for which `who` never responds, and the rows of the table for it."""
    with silence() as url:
        settings = settings_of(url, timeout=TIMEOUT, circuit_breaker=False)
        if who == "platform":
            yield settings | {"token_store": FullStore()}, [row for row in ROWS if row.name not in NEED_A_TOKEN]
        elif who == "account server":
            yield settings, ROWS
        else:
            store = SilentStore()
            try:
                yield settings | {"token_store": store}, [row for row in ROWS if row.name not in ON_THE_ACCOUNT_SERVER]
            finally:
                store.end.set()


class Outcome(NamedTuple):
    name: str
    seconds: float
    problem: str | None


def judged(row: Row, began: float, outcome: Any) -> Outcome:
    seconds = time.monotonic() - began
    if row.returns:
        problem = None if outcome.status == "unhealthy" else f"returns {outcome!r}"
    else:
        problem = None if isinstance(outcome, APITimeoutError) else f"ends with {outcome!r}"
    return Outcome(row.name, seconds, problem)


async def measure(mode: str, settings: dict[str, Any], row: Row) -> Outcome:
    async with client_of(mode, settings) as client:
        began = time.monotonic()
        try:
            outcome = await done(row.use(client.with_options(deadline=DEADLINE)))
        except Exception as error:
            outcome = error
        return judged(row, began, outcome)


def measure_at_once(settings: dict[str, Any], rows: list[Row]) -> list[Outcome]:
    """Run the rows in threads, and wait for each at most `PATIENCE`."""
    found: dict[str, Outcome] = {}

    def run(row: Row) -> None:
        found[row.name] = asyncio.run(measure("sync", settings, row))

    threads = [threading.Thread(target=run, args=(row,), daemon=True) for row in rows]
    ends_at = time.monotonic() + PATIENCE
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, ends_at - time.monotonic()))
    return [found.get(row.name) or Outcome(row.name, PATIENCE, "hangs") for row in rows]


async def measure_at_once_async(settings: dict[str, Any], rows: list[Row]) -> list[Outcome]:
    tasks = [asyncio.create_task(measure("async", settings, row)) for row in rows]
    await asyncio.wait(tasks, timeout=PATIENCE)
    found = [
        task.result() if task.done() else Outcome(row.name, PATIENCE, "hangs")
        for row, task in zip(rows, tasks, strict=True)
    ]
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks, timeout=PATIENCE)
    return found


@sync_and_async
@pytest.mark.parametrize(
    "who", ["platform", *(pytest.param(each, marks=pytest.mark.full) for each in ("account server", "token store"))]
)
def test_every_method_ends_at_its_deadline_against_silent_servers(mode: str, who: str) -> None:
    with silent(who) as (settings, rows):
        if mode == "sync":
            found = measure_at_once(settings, rows)
        else:
            found = asyncio.run(measure_at_once_async(settings, rows))
    late = [f"{each.name}: {each.problem} after {each.seconds:.1f} s" for each in found if each.problem]
    assert late == []
