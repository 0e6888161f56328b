"""Runs a test once in a process of its own, a fork, and says how it ended.

So each run begins with what the import of the test's modules has left: their globals as new, all fixtures made anew, no
thread, timer or file of another run; a run that hangs is killed with every process that it has started.
"""

from __future__ import annotations

import asyncio
import faulthandler
import inspect
import json
import logging
import os
import pickle
import random
import re
import select
import signal
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from _pytest.runner import runtestprotocol

from interactor_ext.sandbox.storage import records
from interactor_ext.testing.explore import Place, Schedule
from interactor_ext.testing.explore_faults import Placement
from interactor_ext.testing.explore_waits import short_waits

MARK = "interactor_invariant"
PLACEMENT: pytest.StashKey[Placement] = pytest.StashKey()
END: pytest.StashKey[EndOfTest] = pytest.StashKey()
# Real seconds in which the platform has delivered everything at the end of a test.
SETTLED = 5.0
# What differs between two records of the same content.
VOLATILE = ("id", "_id", "_ids", "_at", "tools", "data_sources")


@dataclass
class Run:
    """What a run has left, and its failure in one line: "" if there is none."""

    reports: list[Any] = field(default_factory=list)
    met: list[Place] = field(default_factory=list)
    failure: str = ""
    details: str = ""
    created: Counter[str] = field(default_factory=Counter)
    noises: list[str] = field(default_factory=list)
    """Exceptions that nobody caught, in threads and tasks."""


def run_forked(
    item: pytest.Item,
    patience: float,
    schedule: Schedule = (),
    undisturbed: Run | None = None,
    *,
    by_namespace: bool = True,
) -> Run:
    """Run a test in a fork. `undisturbed` is the run to compare it with; after `patience` seconds, it hangs."""
    placement = Placement(schedule, by_namespace=by_namespace)
    with tempfile.TemporaryFile() as stacks:
        read, write = os.pipe()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # about threads: see `forkable`
            child = os.fork()
        if child == 0:
            _be_child(write, lambda: _run(item, placement, undisturbed), stacks.fileno(), patience)
        os.close(write)
        try:
            content = _received(read, time.monotonic() + patience + 1)
        finally:
            os.close(read)
            for kill, target in ((os.killpg, child), (os.kill, child)):
                with suppress(ProcessLookupError, PermissionError):
                    kill(target, signal.SIGKILL)
            status = os.waitpid(child, 0)[1]
        if content is not None:
            run: Run = pickle.loads(content)  # noqa: S301  # of our own child
            return run
        stacks.seek(0)
        where = _frames_of_test(stacks.read().decode(errors="replace"))
    if where:
        return Run(failure=f"It hangs: it was not over after {patience:g} s.", details=where)
    return Run(failure=f"The process of the run ended early, with status {os.waitstatus_to_exitcode(status)}.")


def _be_child(write: int, work: Callable[[], Run], stacks: int, patience: float) -> None:
    """Never returns."""
    try:
        os.setpgid(0, 0)
        faulthandler.dump_traceback_later(patience, file=stacks, exit=True)
        try:
            run = work()
        except BaseException:
            run = Run(failure="The explorer itself failed.", details=traceback.format_exc())
        content = pickle.dumps(run)
        sent = memoryview(len(content).to_bytes(8, "big") + content)
        while sent:
            sent = sent[os.write(write, sent) :]
    finally:
        os._exit(0)


def _received(read: int, ends_at: float) -> bytes | None:
    """What the child has sent. A process that it has left may keep the pipe open, so its length comes first."""
    content = b""
    while len(content) < 8 or len(content) < 8 + int.from_bytes(content[:8], "big"):
        if not select.select([read], [], [], max(0.0, ends_at - time.monotonic()))[0]:
            return None
        if not (chunk := os.read(read, 1 << 16)):
            return None
        content += chunk
    return content[8:]


def _run(item: pytest.Item, placement: Placement, undisturbed: Run | None) -> Run:
    config = item.config
    config.stash[PLACEMENT] = placement
    # Ids of the platform stand in messages, which have to be the same in each run.
    ids = random.Random(0)  # noqa: S311
    records.secrets = SimpleNamespace(token_hex=lambda size: ids.randbytes(size).hex())  # type: ignore[assignment]
    end = config.stash[END] = EndOfTest(placement)
    with (
        short_waits(placement),
        placement.knowing_processes(),
        warnings.catch_warnings(record=True) as warned,
        _lost_errors_of_tasks() as noises,
    ):
        reports = runtestprotocol(item, log=False, nextitem=None)
    noises += [f"{each.message}" for each in warned if _is_of_thread(each.category)]
    run = Run([], placement.met, "", "", end.created, noises)
    run.failure, run.details = _failure(reports) or end.failure or _compared(run, undisturbed) or ("", "")
    to_json = config.hook.pytest_report_to_serializable
    if undisturbed is None:
        run.reports = [to_json(config=config, report=each) for each in reports]
    return run


def _compared(run: Run, undisturbed: Run | None) -> tuple[str, str] | None:
    """What the test does not look at, and no run may do."""
    if undisturbed is None:
        return None
    for what, count in run.created.items():
        if count > max(usual := undisturbed.created[what], 1):
            return f"Created {count} times on the platform, not {max(usual, 1)}: {what}", ""
    handled = {place.key for place in undisturbed.met if place.is_handled}
    for place in run.met:
        if place.key in handled and place.is_acknowledged and not place.is_handled:
            return f"Acknowledged and never handled: the event {place.key}", ""
    usual_noises = {_last_line(each) for each in undisturbed.noises}
    for noise in run.noises:
        if _last_line(noise) not in usual_noises:
            return f"Raised in the background: {_last_line(noise)}", noise
    return None


def _failure(reports: list[pytest.TestReport]) -> tuple[str, str] | None:
    for report in reports:
        if report.failed:
            crash = getattr(report.longrepr, "reprcrash", None)
            text = report.longreprtext
            line = f"{crash.message}" if crash else text.strip()
            where = "" if report.when == "call" else f"in the {report.when}: "
            return where + _first_line(line), "\n".join([text, *(f"{name}\n{text}" for name, text in report.sections)])
    return None


class EndOfTest:
    """Checks the invariants once the test is over and before its fixtures are."""

    def __init__(self, placement: Placement) -> None:
        self._placement = placement
        self.failure: tuple[str, str] | None = None
        self.created: Counter[str] = Counter()

    def check(self, item: pytest.Item, *, has_passed: bool) -> None:
        sandbox = self._placement.sandbox
        if sandbox is None:
            return
        if has_passed:
            with suppress(TimeoutError):
                sandbox.wait_for_deliveries(SETTLED)
            self.failure = self._check(item)
        self._placement.end()
        for kind, _, namespace, _, public, _ in sandbox.snapshot()["records"]:
            if kind not in ("client", "delivery", "response", "revocation", "reply"):
                kept = {name: value for name, value in json.loads(public).items() if not name.endswith(VOLATILE)}
                self.created[f"{kind} {json.dumps(kept, sort_keys=True)} of namespace {namespace!r}"] += 1

    def _check(self, item: pytest.Item) -> tuple[str, str] | None:
        expectations = getattr(item, "funcargs", {}).get("interactor_explore", [])
        expected = [("What the test expects", each) for each in expectations]
        expectations[:] = []  # checked here, while all fixtures are there
        for name, check in [*_invariants(item), *expected]:
            try:
                names = inspect.signature(check).parameters
                result = check(**{each: _argument(item, each) for each in names})
                if inspect.isawaitable(result):
                    result = asyncio.run(_awaited(result))
                if result is not None and not result:
                    return f"{name} does not hold", f"{name} returned {result!r}: {inspect.getsource(check).strip()}"
            except Exception as error:
                text = _first_line(f"{type(error).__name__}: {error}")
                return f"{name} does not hold: {text}", traceback.format_exc()
        return None


def _invariants(item: pytest.Item) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Those of the test's module, and of the conftest.py files of its folder and those above."""
    conftests = [each for each in item.config.pluginmanager.get_plugins() if _is_conftest_of(each, item)]
    for module in [getattr(item, "module", None), *conftests]:
        for name, value in list(vars(module).items()) if module is not None else []:
            marks = getattr(value, "pytestmark", [])
            if callable(value) and any(getattr(mark, "name", "") == MARK for mark in marks):
                yield f"The invariant {name}", value


def _is_conftest_of(plugin: object, item: pytest.Item) -> bool:
    path = getattr(plugin, "__file__", None) or ""
    return os.path.basename(path) == "conftest.py" and os.path.dirname(path) in map(str, item.path.parents)


def _argument(item: pytest.Item, name: str) -> Any:
    request: pytest.FixtureRequest = item._request  # type: ignore[attr-defined]
    return request.getfixturevalue("interactor_sandbox" if name == "world" else name)


async def _awaited(result: Any) -> Any:
    return await result


@contextmanager
def _lost_errors_of_tasks() -> Iterator[list[str]]:
    """What asyncio logs of tasks whose exception nobody has asked for."""
    found: list[str] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.exc_info and record.exc_info[1] is not None:
                found.append(f"{self.format(record)}")

    handler = Handler(logging.ERROR)
    logging.getLogger("asyncio").addHandler(handler)
    try:
        yield found
    finally:
        logging.getLogger("asyncio").removeHandler(handler)


def _is_of_thread(category: type[Warning]) -> bool:
    return category.__name__ == "PytestUnhandledThreadExceptionWarning"


def _first_line(text: str) -> str:
    return _steady((text.strip().splitlines() or [""])[0])


def _steady(line: str) -> str:
    """A line as it is in each run: without ports and addresses in memory."""
    return re.sub(r"(?<=127\.0\.0\.1):\d+|(?<=localhost):\d+|(?<= at )0x[0-9a-f]+", "", line)[:300]


def _last_line(text: str) -> str:
    text = text.partition("\nEnable tracemalloc")[0]
    return _steady((text.strip().splitlines() or [""])[-1])


def _frames_of_test(stacks: str) -> str:
    """The stacks of a hanging run without the frames of pytest, and without the threads of the sandbox."""
    kept = []
    for stack in stacks.split("\n\n"):
        lines = stack.splitlines()
        end = next((number for number, line in enumerate(lines) if f"{os.sep}_pytest{os.sep}" in line), len(lines))
        if not any("sandbox/http/server.py" in line for line in lines):
            kept.append("\n".join(lines[:end]))
    return "\n\n".join(kept)
