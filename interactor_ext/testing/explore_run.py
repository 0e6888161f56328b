"""Runs a test once in a forked process, and says how it ended.

So each run starts as if the test's modules were just imported: fresh globals, new fixtures, and no thread, timer or
open file of another run. A run that hangs is killed with all processes that it has started.
"""

from __future__ import annotations

import asyncio
import faulthandler
import inspect
import multiprocessing
import os
import pickle
import re
import signal
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import pytest
from _pytest.runner import runtestprotocol

from interactor_ext.testing.explore import Places, Run, Schedule
from interactor_ext.testing.explore_faults import Placement
from interactor_ext.testing.explore_waits import POLL, short_waits

MARK = "interactor_invariant"
# Within this many seconds, the platform must have delivered everything at the end of a test, and then handlers must
# have returned.
SETTLED = 5.0
# Left out of the stacks of a run that hangs: pytest's frames and their callers, and the sandbox's threads.
OTHERS = re.compile(
    r'\n  File "[^"]*_pytest\b.*(\n  File .*)*|\n\nThread .*(\n  File .*)*sandbox/http/server\.py.*(\n  File .*)*'
)
# What differs from run to run in a message: ports, the sandbox's ids, memory addresses.
CHANGING = re.compile(r"(?<=127\.0\.0\.1):\d+|(?<=localhost):\d+|(?<=[a-z]_)[0-9a-f]{20}\b|\b0x[0-9a-f]+")


def run_forked(item: pytest.Item, patience: float, schedule: Schedule = (), places: Places | None = None) -> Run:
    """Run a test in a fork. `places` contains the run to compare it with; after `patience` seconds, it counts as
    hanging."""
    with tempfile.TemporaryFile() as result, tempfile.TemporaryFile() as stacks:

        def be_child() -> None:
            os.setpgid(0, 0)
            faulthandler.dump_traceback_later(patience, file=stacks, exit=True)
            result.write(pickle.dumps(_run(item, schedule, places)))
            result.flush()
            os._exit(0)

        child = multiprocessing.get_context("fork").Process(target=be_child)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # no fixture is alive, so hardly any thread is
            child.start()
        try:
            child.join()
        except KeyboardInterrupt:
            if not item.config.option.interactor_inspect:
                raise
            os.kill(child.pid or 0, signal.SIGINT)
            child.join()
        finally:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(child.pid or 0, signal.SIGKILL)
            child.kill()
        for file in (result, stacks):
            file.seek(0)
        if pickled := result.read():
            return cast("Run", pickle.loads(pickled))  # noqa: S301  # from our own fork
        hanging = OTHERS.sub("", stacks.read().decode(errors="replace"))
        why = f"It hangs: it was not over after {patience:g} s." if hanging else "Its process has ended in the middle."
        return Run(schedule, failure=why, details=hanging or f"The status is {child.exitcode}.")


def _run(item: pytest.Item, schedule: Schedule, places: Places | None) -> Run:
    explored, run = Explored(schedule, places or Places(Run(), Run())), Run(schedule)
    item.config.pluginmanager.register(explored, "interactor_explored")
    explored.processes.watch()
    with warnings.catch_warnings(record=True) as warned:
        short_waits(explored)
        reports = runtestprotocol(item, log=False, nextitem=None)
    run.met, run.created = explored.met, explored.created
    run.noises += [f"{each.message}" for each in warned if "UnhandledThreadException" in each.category.__name__]
    run.noises += [each.caplog for each in reports if "exception was never retrieved" in each.caplog]
    compared = None if places is None else _compared(run, places.undisturbed)
    run.failure, run.details = _failure(reports) or compared or ("", "")
    to_json = item.config.hook.pytest_report_to_serializable
    run.reports = [to_json(config=item.config, report=each) for each in reports] if places is None else []
    return run


class Explored(Placement):
    """The plugin in a fork. The fixture `interactor_sandbox` calls `attach`."""

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_call(self, item: pytest.Item) -> None:
        """Check what must hold, after the test has passed and before its fixtures end."""
        if (sandbox := self.sandbox) is None:
            return
        sandbox._on_loop(self.release)
        with suppress(TimeoutError):
            sandbox.wait_for_deliveries(SETTLED)
        until = time.monotonic() + SETTLED
        while (event := self.unhandled()) and time.monotonic() < until:
            time.sleep(POLL)
        if event:
            pytest.fail(f"Acknowledged and never handled: the event {event}", pytrace=False)
        request: pytest.FixtureRequest = item._request  # type: ignore[attr-defined]
        for check in _invariants(item):
            names = ("interactor_sandbox" if name == "world" else name for name in inspect.signature(check).parameters)
            try:
                result = check(*map(request.getfixturevalue, names))
                if inspect.iscoroutine(result):
                    result = asyncio.run(result)
                assert result is None or result, f"It returned {result!r}."
            except Exception as error:
                why = f"{check.__name__} does not hold: {_line(f'{type(error).__name__}: {error}')}"
                pytest.fail(f"The invariant {why}\n\n{traceback.format_exc()}", pytrace=False)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> None:
        if item.config.option.interactor_inspect and self.sandbox is not None and any(each.fault for each in self.met):
            faulthandler.cancel_dump_traceback_later()
            capture: Any = item.config.pluginmanager.get_plugin("capturemanager")
            terminal: Any = item.config.pluginmanager.get_plugin("terminalreporter")
            page = f"{self.sandbox._url()}/_sandbox#requests"
            with capture.global_and_fixture_disabled(), suppress(KeyboardInterrupt):
                terminal.write(f"\nInspect it, then press Ctrl-C: {page}\n", flush=True)
                signal.pause()
        self.end()


def _invariants(item: pytest.Item) -> Iterator[Callable[..., Any]]:
    """Return the invariants of the test's module, and of the conftest.py files in its folder and the folders above."""
    module = getattr(item, "module", item)
    for each in (module, *item.config.pluginmanager.get_plugins()):
        path = Path(getattr(each, "__file__", None) or "")
        if each is module or (path.name == "conftest.py" and path.parent in item.path.parents):
            for value in list(vars(each).values()):
                if any(getattr(mark, "name", "") == MARK for mark in getattr(value, "pytestmark", [])):
                    yield value


def _compared(run: Run, undisturbed: Run) -> tuple[str, str] | None:
    """Check what tests don't look at and no run may do."""
    for what, count in run.created.items():
        if count > (usual := max(undisturbed.created[what], 1)):
            return _line(f"Created {count} times on the platform, not {usual}: {what}"), ""
    usual_noises = {_line(each, -1) for each in undisturbed.noises}
    for noise in run.noises:
        if (line := _line(noise, -1)) not in usual_noises:
            return f"Raised in the background: {line}", noise
    return None


def _failure(reports: list[pytest.TestReport]) -> tuple[str, str] | None:
    for report in reports:
        if report.failed:
            crash = getattr(report.longrepr, "reprcrash", None)
            line = _line((crash.message if crash else report.longreprtext).removeprefix("Failed: "))
            details = [report.longreprtext, *(f"{name}\n{text}" for name, text in report.sections)]
            return line if report.when == "call" else f"in the {report.when}: {line}", "\n".join(details)
    return None


def _line(text: str, index: int = 0) -> str:
    """Return a line of a message, the same in each run."""
    lines = text.partition("\nEnable tracemalloc")[0].strip().splitlines() or [""]
    return CHANGING.sub("...", lines[index])[:300]
