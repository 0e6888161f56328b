"""Runs a test once in a process of its own, a fork, and says how it ended.

So each run begins with what the import of the test's modules has left: their globals as new, all fixtures made anew, no
thread, timer or open file of another run. A run that hangs is killed with every process that it has started.
"""

from __future__ import annotations

import asyncio
import faulthandler
import inspect
import json
import multiprocessing
import os
import re
import signal
import tempfile
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest
from _pytest.runner import runtestprotocol

from interactor_ext.testing.explore import Run, Schedule
from interactor_ext.testing.explore_faults import DRAWN, Placement
from interactor_ext.testing.explore_waits import short_waits

MARK = "interactor_invariant"
RUN: pytest.StashKey[Running] = pytest.StashKey()
# Real seconds in which the platform has delivered everything at the end of a test.
SETTLED = 5.0
# What tells records of the same content apart, and which of them the API does not show.
VOLATILE = ("id", "_ids", "_at", "tools", "data_sources")
HIDDEN = {"client", "delivery", "response", "revocation", "reply"}
# What differs from run to run in a message: ports, ids of the sandbox, addresses in memory.
CHANGING = re.compile(r"(?<=127\.0\.0\.1):\d+|(?<=localhost):\d+|(?<=[a-z]_)[0-9a-f]{20}\b|\b0x[0-9a-f]+")


def run_forked(item: pytest.Item, patience: float, schedule: Schedule = (), undisturbed: Run | None = None) -> Run:
    """Run a test in a fork. `undisturbed` is the run to compare it with; after `patience` seconds, it hangs."""
    forking = multiprocessing.get_context("fork")
    with tempfile.TemporaryFile() as stacks:
        ours, theirs = forking.Pipe(duplex=False)
        child = forking.Process(target=_be_child, args=(theirs, item, schedule, undisturbed, stacks.fileno(), patience))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # no fixture is alive, and so hardly a thread
            child.start()
        theirs.close()
        try:
            run: Run = ours.recv()
        except EOFError:
            child.join()
            stacks.seek(0)
            where = _frames_of_test(stacks.read().decode(errors="replace"))
            why = (
                f"It hangs: it was not over after {patience:g} s." if where else "Its process has ended in the middle."
            )
            return Run(schedule, failure=why, details=where or f"The status is {child.exitcode}.")
        finally:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(child.pid or 0, signal.SIGKILL)
            child.kill()
            child.join()
            ours.close()
        return run


def _be_child(
    sender: Connection, item: pytest.Item, schedule: Schedule, undisturbed: Run | None, stacks: int, patience: float
) -> None:
    os.setpgid(0, 0)
    faulthandler.dump_traceback_later(patience, file=stacks, exit=True)
    running = item.config.stash[RUN] = Running(schedule)
    try:
        running.go(item, undisturbed)
    except BaseException:
        running.run.failure, running.run.details = "The explorer itself failed.", traceback.format_exc()
    sender.send(running.run)
    sender.close()
    os._exit(0)


class Running:
    """The run of this process, a fork."""

    def __init__(self, schedule: Schedule) -> None:
        self.placement: Placement = Placement(schedule)
        self.run: Run = Run(schedule, self.placement.met)
        self._broken: tuple[str, str] | None = None

    def go(self, item: pytest.Item, undisturbed: Run | None) -> None:
        run = self.run
        self.placement.processes.watch()
        with warnings.catch_warnings(record=True) as warned:
            short_waits(self.placement)
            reports = runtestprotocol(item, log=False, nextitem=None)
        run.noises += [f"{each.message}" for each in warned if "UnhandledThreadException" in each.category.__name__]
        run.noises += [each.caplog for each in reports if "exception was never retrieved" in each.caplog]
        compared = None if undisturbed is None else _compared(run, undisturbed)
        run.failure, run.details = _failure(reports) or self._broken or compared or ("", "")
        to_json = item.config.hook.pytest_report_to_serializable
        run.reports = [to_json(config=item.config, report=each) for each in reports] if undisturbed is None else []

    def end_of_test(self, item: pytest.Item, *, has_passed: bool) -> None:
        """Check what has to hold, once the test is over and before its fixtures are."""
        sandbox = self.placement.sandbox
        if sandbox is None:
            return
        sandbox._on_loop(self.placement.release)
        with suppress(TimeoutError):
            sandbox.wait_for_deliveries(SETTLED)
        if has_passed:
            self._broken = next(filter(None, (_broken(item, *each) for each in _invariants(item))), None)
        self.placement.end()
        for kind, _, namespace, _, public, _ in sandbox.snapshot()["records"]:
            kept = {name: value for name, value in json.loads(public).items() if not name.endswith(VOLATILE)}
            if kind not in HIDDEN:
                self.run.created[
                    f"{kind} {json.dumps(kept, sort_keys=True)} of namespace {DRAWN.sub('X', namespace)!r}"
                ] += 1


def _compared(run: Run, undisturbed: Run) -> tuple[str, str] | None:
    """What the test does not look at, and no run may do."""
    for what, count in run.created.items():
        if count > (usual := max(undisturbed.created[what], 1)):
            return _steady(f"Created {count} times on the platform, not {usual}: {what}"), ""
    handled = {place.key for place in undisturbed.met if place.is_handled}
    for place in run.met:
        if place.key in handled and place.is_acknowledged and not place.is_handled:
            return f"Acknowledged and never handled: the event {place.key}", ""
    usual_noises = {_last_line(each) for each in undisturbed.noises}
    for noise in run.noises:
        if (line := _last_line(noise)) not in usual_noises:
            return f"Raised in the background: {line}", noise
    return None


def _failure(reports: list[pytest.TestReport]) -> tuple[str, str] | None:
    for report in reports:
        if report.failed:
            crash = getattr(report.longrepr, "reprcrash", None)
            line = _first_line(crash.message if crash else report.longreprtext)
            details = [report.longreprtext, *(f"{name}\n{text}" for name, text in report.sections)]
            return line if report.when == "call" else f"in the {report.when}: {line}", "\n".join(details)
    return None


def _invariants(item: pytest.Item) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Those of the test, of its module, and of the conftest.py files of its folder and those above."""
    expected = getattr(item, "funcargs", {}).get("interactor_explore", [])
    expectations, expected[:] = list(expected), []  # checked here, while all fixtures are there
    yield from (("What the test expects", each) for each in expectations)
    modules = [getattr(item, "module", None), *item.config.pluginmanager.get_plugins()]
    for module in modules:
        path = Path(getattr(module, "__file__", None) or "")
        is_conftest = path.name == "conftest.py" and path.parent in item.path.parents
        for name, value in list(vars(module).items()) if is_conftest or module is modules[0] else []:
            if any(getattr(mark, "name", "") == MARK for mark in getattr(value, "pytestmark", [])):
                yield f"The invariant {name}", value


def _broken(item: pytest.Item, name: str, check: Callable[..., Any]) -> tuple[str, str] | None:
    """Why an invariant does not hold."""
    request: pytest.FixtureRequest = item._request  # type: ignore[attr-defined]
    try:
        names = list(inspect.signature(check).parameters)
        is_expected = name.startswith("What")  # a lambda, whose parameter has any name
        result = check(
            *(
                request.getfixturevalue("interactor_sandbox" if is_expected or each == "world" else each)
                for each in names
            )
        )
        if inspect.isawaitable(result):
            result = asyncio.run(_awaited(result))
        if result is None or result:
            return None
        return f"{name} does not hold", f"It returned {result!r}: {inspect.getsource(check).strip()}"
    except Exception as error:
        return f"{name} does not hold: {_first_line(f'{type(error).__name__}: {error}')}", traceback.format_exc()


async def _awaited(result: Any) -> Any:
    return await result


def _steady(line: str) -> str:
    return CHANGING.sub("...", line)[:300]


def _first_line(text: str) -> str:
    return _steady((text.strip().splitlines() or [""])[0])


def _last_line(text: str) -> str:
    return _steady((text.partition("\nEnable tracemalloc")[0].strip().splitlines() or [""])[-1])


def _frames_of_test(stacks: str) -> str:
    """The stacks of a hanging run without the frames of pytest, and without the threads of the sandbox."""
    threads = [
        stack.partition("\n  File")[::2] for stack in stacks.split("\n\n") if "sandbox/http/server.py" not in stack
    ]
    return "\n\n".join(head + re.split(r'\n  File "\S*_pytest\b', "\n  File" + rest)[0] for head, rest in threads)
