"""Every public method that sends something ends when its deadline comes, whoever is silent: the platform, the account
server or the token store.

The bound is generous: what misses its deadline waits for the timeout of an attempt, which is far away. With `-m full`
the methods go one after another, and how long each took is printed.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import pytest

from interactor_client.api import Resources
from interactor_client.models import ToolCall
from interactor_ext import APITimeoutError, AsyncInteractorClient, InteractorClient, ToolSet
from interactor_ext.sandbox import Sandbox
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
from tests.support.modes import sync_and_async

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
        settings: dict[str, Any] = {
            "client_id": "id",
            "client_secret": "s3cret",
            "core_api_url": f"{url}/api/v1",
            "account_server_url": f"{url}/auth/api/v1",
            "timeout": TIMEOUT,
            "circuit_breaker": False,
        }
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


def measure(settings: dict[str, Any], row: Row, make: Callable[..., Any] = InteractorClient) -> Outcome:
    with make(**settings) as client:
        began = time.monotonic()
        try:
            outcome = row.use(client.with_options(deadline=DEADLINE))
        except Exception as error:
            outcome = error
        return judged(row, began, outcome)


async def measure_async(
    settings: dict[str, Any], row: Row, make: Callable[..., Any] = AsyncInteractorClient
) -> Outcome:
    async with make(**settings) as client:
        began = time.monotonic()
        try:
            outcome = row.use(client.with_options(deadline=DEADLINE))
            outcome = await outcome if inspect.isawaitable(outcome) else outcome
        except Exception as error:
            outcome = error
        return judged(row, began, outcome)


def measure_at_once(
    settings: dict[str, Any], rows: list[Row], make: Callable[..., Any] = InteractorClient
) -> list[Outcome]:
    """Run the rows in threads, and wait for each at most `PATIENCE`."""
    found: dict[str, Outcome] = {}

    def run(row: Row) -> None:
        found[row.name] = measure(settings, row, make)

    threads = [threading.Thread(target=run, args=(row,), daemon=True) for row in rows]
    ends_at = time.monotonic() + PATIENCE
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, ends_at - time.monotonic()))
    return [found.get(row.name) or Outcome(row.name, PATIENCE, "hangs") for row in rows]


async def measure_at_once_async(
    settings: dict[str, Any], rows: list[Row], make: Callable[..., Any] = AsyncInteractorClient
) -> list[Outcome]:
    tasks = [asyncio.create_task(measure_async(settings, row, make)) for row in rows]
    await asyncio.wait(tasks, timeout=PATIENCE)
    found = [
        task.result() if task.done() else Outcome(row.name, PATIENCE, "hangs")
        for row, task in zip(rows, tasks, strict=True)
    ]
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks, timeout=PATIENCE)
    return found


everybody = pytest.mark.parametrize(
    "who", ["platform", *(pytest.param(each, marks=pytest.mark.full) for each in ("account server", "token store"))]
)


@sync_and_async
@everybody
def test_every_method_ends_at_its_deadline_against_silent_servers(mode: str, who: str) -> None:
    with silent(who) as (settings, rows):
        if mode == "sync":
            found = measure_at_once(settings, rows)
        else:
            found = asyncio.run(measure_at_once_async(settings, rows))
    late = [f"{each.name}: {each.problem} after {each.seconds:.1f} s" for each in found if each.problem]
    assert late == []


@pytest.mark.full
@sync_and_async
@everybody
def test_every_method_ends_in_time_and_reports_its_duration(
    mode: str, who: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """One after another: on an idle machine, each ends within 0.2 s of its deadline."""
    with silent(who) as (settings, rows):
        if mode == "sync":
            found = [measure(settings, row) for row in rows]
        else:

            async def main() -> list[Outcome]:
                return [await measure_async(settings, row) for row in rows]

            found = asyncio.run(main())
    with capsys.disabled():
        over = sorted((each.seconds - DEADLINE, each.name) for each in found)
        print(f"\n{mode}, the {who} is silent: {len(found)} methods, over their deadline by {over[0][0]:.3f} to")
        print("  " + ", ".join(f"{seconds:.3f} s ({name})" for seconds, name in reversed(over[-3:])))
    assert [each for each in found if each.problem] == []


def message_of(reply: Any) -> Any:
    if hasattr(reply, "__enter__"):
        with reply:
            return reply.message()

    async def enter_async() -> Any:
        async with reply:
            return await reply.message()

    return enter_async()


@pytest.mark.full
@sync_and_async
@pytest.mark.parametrize("what", ["chat", "run"])
def test_sleeping_tool_does_not_hold_a_chat_beyond_its_deadline(mode: str, what: str) -> None:
    tools, end = ToolSet(), threading.Event()

    @tools.tool
    def sleep() -> str:
        """Sleep."""
        end.wait(TIMEOUT)
        return "rested"

    def use(user: Any) -> Any:
        if what == "chat":
            return message_of(user.with_options(deadline=2 * DEADLINE).chat(room_id, "/tool sleep {}", tools=tools))
        return tools.run(
            user.with_options(deadline=2 * DEADLINE),
            ToolCall(id=call_id, tool_id=tool_id, arguments={}, status="pending"),
            room_id=room_id,
        )

    with Sandbox().run() as sandbox:
        with sandbox.client(namespace="user_1") as user:
            tool_id = tools.register(user)[0].id
            bot = user.assistants.create(name="Bot", model="gpt-4", system_prompt="Help.", tools=[tool_id])
            room_id = user.rooms.create(assistant_id=bot.id).id
            call_id = ""
            if what == "run":
                call_id = (user.messages.send(room_id, content="/tool sleep {}").tool_calls or [])[0].id
        settings = {"namespace": "user_1"}
        row = Row(what, use)
        try:
            if mode == "sync":
                found = measure_at_once(settings, [row], sandbox.client)
            else:
                found = asyncio.run(measure_at_once_async(settings, [row], sandbox.async_client))
        finally:
            end.set()
    assert found[0].problem is None, found
