"""pytest's side of `--interactor-explore`: runs the schedules of each test, and reports what they have found."""

from __future__ import annotations

import gc
import importlib
import os
import pkgutil
import sys
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import pytest

import interactor_ext
from interactor_ext.testing.explore import Outcome, Places, Schedule, counted, in_order, pairs, report, smallest_first
from interactor_ext.testing.explore_run import END, MARK, PLACEMENT, Run, run_forked
from interactor_ext.testing.explore_waits import clocks

# Real seconds after which a run hangs, at least, and by how much it may be slower than the undisturbed one.
PATIENCE, SLOWER, FIRST_PATIENCE = 10.0, 10, 600.0
_UNDER_TEST = ("_client", "transports", "streams", "chat", "tokens", "retry", "limits", "tools", "_waiting")
PROPERTY = "interactor_explore"


class Explorer:
    """The plugin of a run with `--interactor-explore` or `--interactor-schedule`."""

    def __init__(self, config: pytest.Config) -> None:
        if not hasattr(os, "fork"):
            raise pytest.UsageError(
                "--interactor-explore needs os.fork, which Windows does not have: use WSL or a container"
            )
        self._depth: int = config.getoption("interactor_explore")
        self._budget: float = config.getoption("interactor_budget")
        self._seed: int = config.getoption("interactor_seed")
        self._text: str = config.getoption("interactor_schedule")
        self._is_warm = False

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """An invariant whose name begins with `test` is checked at the end of each test, and is none."""
        invariants = [item for item in items if item.get_closest_marker(MARK)]
        if invariants:
            items[:] = [item for item in items if item not in invariants]
            config.hook.pytest_deselected(items=invariants)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> object:
        if "interactor_sandbox" not in getattr(item, "fixturenames", ()) or item.get_closest_marker("live"):
            return None
        hook = item.ihook
        hook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        with self._forkable(item):
            for each in self._explored(item):
                hook.pytest_runtest_logreport(report=each)
        hook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, Any, None]:
        outcome = yield
        if END in item.config.stash:  # in a fork
            item.config.stash[END].check(item, has_passed=outcome.excinfo is None)

    def _explored(self, item: pytest.Item) -> list[pytest.TestReport]:
        """The reports of the undisturbed run, with the outcome of all others in them."""
        began = time.monotonic()
        undisturbed = run_forked(item, FIRST_PATIENCE)
        seconds = time.monotonic() - began
        reports = [_read(item, each) for each in undisturbed.reports]
        call = next((each for each in reports if each.when == "call"), None)
        if undisturbed.failure and not any(each.failed for each in reports):
            call = call or pytest.TestReport(item.nodeid, item.location, {}, "passed", None, "call")
            _fail(call, f"It fails undisturbed: {undisturbed.failure}\n\n{undisturbed.details}")
            return [*reports[:1], call, *reports[2:]]
        if call is None or any(not each.passed for each in reports):
            return reports
        began = time.monotonic()
        self._patience = max(PATIENCE, SLOWER * seconds)
        places = Places(undisturbed.met, run_forked(item, self._patience).met)
        try:
            planned = [places.parse(self._text)] if self._text else in_order(places.singles(), self._seed)
        except ValueError as error:
            _fail(call, f"--interactor-schedule={self._text}: {error}")
            return reports
        progress = _Progress(item)
        outcomes = self._tried(item, places, planned, undisturbed, progress)
        untried = len(planned) - len(outcomes)
        if self._depth > 1 and not self._text and not untried:
            further = in_order(pairs(places, outcomes), self._seed)
            more = self._tried(item, places, further, undisturbed, progress)
            untried = len(further) - len(more)
            outcomes += more
        progress.end()
        call.duration += time.monotonic() - began
        if smallest_first(places, outcomes):
            _fail(call, report(item.nodeid, places, outcomes, untried, self._budget))
        told = f"{counted(len(outcomes), 'schedule')} at {counted(len(places.met), 'place')}"
        told += f", {untried} not tried" if untried else ""
        call.user_properties.append((PROPERTY, told))
        return reports

    def _tried(
        self,
        item: pytest.Item,
        places: Places,
        schedules: Sequence[Schedule],
        undisturbed: Run,
        progress: _Progress,
    ) -> list[Outcome]:
        """The outcomes of the schedules for which the budget suffices."""
        outcomes: list[Outcome] = []
        progress.begin(len(schedules))
        for schedule in schedules:
            if progress.seconds > self._budget and not self._text:
                break
            run = run_forked(item, self._patience, schedule, undisturbed, by_namespace=places.by_namespace)
            outcomes.append(Outcome(schedule, run.failure, run.details, run.met))
            progress.step(failed=bool(run.failure))
        return outcomes

    @contextmanager
    def _forkable(self, item: pytest.Item) -> Iterator[None]:
        """No fixture of this process is alive in the forks, so that no connection or thread is shared."""
        setup: Any = item.session._setupstate
        setup.teardown_exact(None)
        if not self._is_warm:
            self._is_warm = True
            _import_what_runs_need(item.config)
        hook = getattr(item.ihook, "pytest_timeout_cancel_timer", None)
        if hook is not None:  # it is about a single run
            hook(item=item)
        gc.collect()
        gc.freeze()
        try:
            yield
        finally:
            gc.unfreeze()

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        reports = [each for name in ("passed", "failed") for each in terminalreporter.stats.get(name, ())]
        told = [(each.nodeid, value) for each in reports for name, value in each.user_properties if name == PROPERTY]
        if told:
            terminalreporter.section("interactor explore")
        for nodeid, value in told:
            terminalreporter.line(f"{nodeid}: {value}")
        if not told and not self._text:
            terminalreporter.line("--interactor-explore: no test that passes uses interactor_sandbox.")


def placement_of(config: pytest.Config, sandbox: Any) -> None:
    """Called by the fixture: this sandbox is the world of the run."""
    if PLACEMENT in config.stash:
        config.stash[PLACEMENT].attach(sandbox)


def _read(item: pytest.Item, data: Any) -> pytest.TestReport:
    report: pytest.TestReport = item.config.hook.pytest_report_from_serializable(config=item.config, data=data)
    return report


def _fail(report: pytest.TestReport, text: str) -> None:
    report.outcome = "failed"
    report.longrepr = text


def _import_what_runs_need(config: pytest.Config) -> None:
    """Once, and not in each fork. Also the folder of `tmp_path`, which each would clean up."""
    from interactor_ext.sandbox import Sandbox
    from interactor_ext.sandbox.platform.signing import process_key

    process_key()
    # Those of the SDK's modules that are imported late, too: all of them have to see the same time.
    for module in pkgutil.walk_packages(interactor_ext.__path__, "interactor_ext."):
        if module.name.startswith(tuple(f"interactor_ext.{room}" for room in _UNDER_TEST)):
            with suppress(Exception):  # without its extra
                importlib.import_module(module.name)
    with Sandbox() as sandbox, sandbox.client() as client:
        client.health()
    clocks()
    if factory := getattr(config, "_tmp_path_factory", None):
        factory.getbasetemp()


class _Progress:
    """A line on the terminal that counts the runs of a test."""

    def __init__(self, item: pytest.Item) -> None:
        reporter = item.config.pluginmanager.get_plugin("terminalreporter")
        self._writer = reporter if reporter is not None and sys.__stdout__ and sys.__stdout__.isatty() else None
        self._name = item.nodeid
        self._began = time.monotonic()
        self._done = self._all = self._failed = 0

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._began

    def begin(self, schedules: int) -> None:
        self._all += schedules

    def step(self, *, failed: bool) -> None:
        self._done += 1
        self._failed += failed
        if self._writer is not None:
            bar = "#" * (20 * self._done // max(self._all, 1))
            text = f"{self._name} [{bar:<20}] {self._done}/{self._all}, {self._failed} failed"
            self._writer.rewrite(text, erase=True)

    def end(self) -> None:
        if self._writer is not None:
            self._writer.rewrite("", erase=True)
