"""The drivers of effects, sync and async; the event loop that coroutines of synchronous callers share."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest

from interactor_ext import ToolSet
from interactor_ext._effects import Call, Effects, run_sync
from interactor_ext._waiting.threads import DaemonThreads
from interactor_ext.webhooks import SQLiteEventQueue, WebhookRouter, WebhookVerifier, WebhookWorker, sign
from tests.support.tool_runs import run as run_tool

WATCHDOG = 30.0

THREADS = DaemonThreads("test")


AsyncFunction = Callable[[], Awaitable[Any]]


def effects_of(function: Callable[..., Any]) -> Effects[Any]:
    return (yield Call(function))


def run(function: Callable[..., Any]) -> Any:
    """The result or error of an asynchronous function in a synchronous caller; fails if it hangs."""
    outcome: list[Any] = []

    def call() -> None:
        try:
            outcome.append(run_sync(effects_of(function)))
        except BaseException as error:
            outcome.append(error)

    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    thread.join(WATCHDOG)
    assert outcome, "a synchronous caller hangs"
    return outcome[0]


async def answer() -> str:
    await asyncio.sleep(0)
    return "answer"


async def exits() -> None:
    raise SystemExit(3)


async def is_interrupted() -> None:
    await asyncio.sleep(0)
    raise KeyboardInterrupt


async def awaits_a_task_that_exits() -> None:
    await asyncio.create_task(exits())


async def gathers_tasks_that_exit() -> None:
    await asyncio.gather(exits(), exits())


async def groups_tasks_that_exit() -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(exits())


@pytest.mark.parametrize(
    ("function", "error"),
    [
        (exits, SystemExit),
        (is_interrupted, KeyboardInterrupt),
        (awaits_a_task_that_exits, SystemExit),
        (gathers_tasks_that_exit, SystemExit),
        (groups_tasks_that_exit, SystemExit),
    ],
)
def test_system_exit_in_a_coroutine_is_raised_to_its_caller_and_the_loop_goes_on(
    function: AsyncFunction, error: type[BaseException]
) -> None:
    assert type(run(function)) is error
    assert run(answer) == "answer"


async def schedules_a_callback_that_exits() -> str:
    asyncio.get_running_loop().call_soon(exec, "raise SystemExit(3)")
    await asyncio.sleep(0.01)
    return "answer"


async def starts_a_task_that_exits_and_does_not_wait_for_it() -> str:
    task = asyncio.create_task(exits())
    while not task.done():
        await asyncio.sleep(0)
    with contextlib.suppress(SystemExit):
        task.result()
    return "answer"


async def stops_the_loop() -> str:
    asyncio.get_running_loop().stop()
    await asyncio.sleep(0.01)
    return "answer"


@pytest.mark.parametrize(
    "function", [schedules_a_callback_that_exits, starts_a_task_that_exits_and_does_not_wait_for_it, stops_the_loop]
)
def test_loop_that_is_stopped_serves_the_other_callers(
    function: AsyncFunction, caplog: pytest.LogCaptureFixture
) -> None:
    with ThreadPoolExecutor(4) as pool:
        others = [pool.submit(run, answer) for _ in range(8)]
        assert run(function) == "answer"
        assert [other.result() for other in others] == ["answer"] * 8
    assert run(answer) == "answer"
    if function is not stops_the_loop:
        (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
        assert "SystemExit" in str(record.exc_info)


@pytest.mark.parametrize("is_async", [False, True])
def test_system_exit_of_a_tool_becomes_an_error_result(is_async: bool) -> None:
    tools = ToolSet()
    tools.tool(name="quit", description="")(exits if is_async else lambda: exec("raise SystemExit(3)"))
    result = run(lambda: run_tool(tools["quit"], {}))
    assert result == {"error": {"type": "tool_failed", "message": "SystemExit: 3"}}
    assert run(answer) == "answer"


BODY = {
    "event": "credential.connected",
    "timestamp": datetime.now(UTC).isoformat(),
    "namespace": "user_1",
    "data": {"credential_id": "cred_1", "provider": "google"},
}


def delivery(number: int) -> bytes:
    return json.dumps({**BODY, "id": f"evt_{number}", "idempotency_key": f"key_{number}"}).encode()


@pytest.mark.parametrize("is_async", [False, True])
def test_system_exit_of_a_handler_does_not_block_the_next_delivery(is_async: bool) -> None:
    router = WebhookRouter(WebhookVerifier("whsec_1"))
    handled: list[str] = []

    async def handle(event: Any) -> None:
        if event.id == "evt_0":
            raise SystemExit(3)
        handled.append(event.id)

    router.on("credential.*")(handle if is_async else lambda event: asyncio.run(handle(event)))
    outcomes = [
        run(lambda body=body: router.handle(body, sign(body, "whsec_1")))  # type: ignore[misc]
        for body in map(delivery, range(3))
    ]
    assert isinstance(outcomes[0], SystemExit)
    assert [outcome.status for outcome in outcomes[1:]] == [200, 200]
    assert handled == ["evt_1", "evt_2"]


def test_workers_continue_after_system_exit_of_an_asynchronous_handler(tmp_path: Any) -> None:
    """Four threads, and one event in five whose handler raises SystemExit at first."""
    queue = SQLiteEventQueue(tmp_path / "queue.db")
    router = WebhookRouter(WebhookVerifier("whsec_1"), queue=queue, name="plans")
    handled: set[str] = set()
    exited: set[str] = set()

    @router.on("credential.*")
    async def handle(event: Any) -> None:
        await asyncio.sleep(0)
        number = int(event.id.removeprefix("evt_"))
        if number % 5 == 0 and event.id not in exited:
            exited.add(event.id)
            raise SystemExit(3)
        handled.add(event.id)

    for number in range(20):
        body = delivery(number)
        assert router.handle(body, sign(body, "whsec_1")).status == 200

    def work(_: int) -> None:
        worker = WebhookWorker(router, retry_delays=[0.0])
        while len(handled) < 20:
            with contextlib.suppress(SystemExit):
                worker.run_once()

    threads = [threading.Thread(target=work, args=(number,), daemon=True) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WATCHDOG)
    assert not any(thread.is_alive() for thread in threads)
    assert handled == {f"evt_{number}" for number in range(20)}
    assert exited == {"evt_0", "evt_5", "evt_10", "evt_15"}
