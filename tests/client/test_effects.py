"""The event loop that coroutines of synchronous callers share."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from interactor_ext import ToolSet
from interactor_ext._engine.effects import Effects, Invoke, Pause, run_async, run_sync
from tests.support.tool_runs import run as run_tool
from tests.support.virtual_time import run_in_virtual_time

WATCHDOG = 30.0

AsyncFunction = Callable[[], Awaitable[Any]]


def effects_of(function: Callable[..., Any]) -> Effects[Any]:
    return (yield Invoke(function))


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
    tools.tool(name="quit", description="Quits.")(exits if is_async else lambda: exec("raise SystemExit(3)"))
    result = run(lambda: run_tool(tools["quit"], {}))
    assert result["error"]["message"] == "The tool failed."
    assert run(answer) == "answer"


def test_pause_of_a_task_takes_its_time() -> None:
    def pausing() -> Effects[None]:
        yield Pause(5.0)

    async def main() -> float:
        await run_async(pausing())
        return asyncio.get_running_loop().time()

    assert run_in_virtual_time(main()) == 5.0
