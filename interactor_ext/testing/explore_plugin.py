"""pytest's side of `--interactor-explore`: runs the schedules of each test, and reports the findings."""

from __future__ import annotations

import gc
import importlib
import os
import pkgutil
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from typing import Any

import pytest

import interactor_ext
from interactor_ext.sandbox import Sandbox
from interactor_ext.testing.explore import Places, Run, Schedule, in_order, pairs, report
from interactor_ext.testing.explore_run import run_forked
from interactor_ext.testing.explore_waits import clocks

# After this many seconds at least, a run hangs; and by how much it may be slower than the undisturbed one.
PATIENCE, SLOWER, FIRST_PATIENCE = 10.0, 10, 120.0
PROPERTY = "interactor_explore"
# Packages whose modules must see the same time: imported before forking.
_UNDER_TEST = ("_engine", "_interactor", "_clients", "chat", "tools")


class Explorer:
    """The plugin of a run with `--interactor-explore` or `--interactor-schedule`."""

    def __init__(self, config: pytest.Config) -> None:
        if not hasattr(os, "fork"):
            raise pytest.UsageError("--interactor-explore needs os.fork, which Windows lacks: use WSL or a container.")
        self._option: Any = config.option
        if self._option.interactor_inspect and not self._option.interactor_schedule:
            raise pytest.UsageError("--interactor-inspect shows a single run: add --interactor-schedule.")
        self._patience = PATIENCE

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> object:
        if "interactor_sandbox" not in getattr(item, "fixturenames", ()) or item.get_closest_marker("live"):
            return None
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        self._prepare(item)
        for each in self._explored(item):
            item.ihook.pytest_runtest_logreport(report=each)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True

    def _explored(self, item: pytest.Item) -> list[pytest.TestReport]:
        """Return the reports of the undisturbed run, which contain the outcome of all others."""
        began = time.monotonic()
        undisturbed = run_forked(item, FIRST_PATIENCE)
        self._patience = max(PATIENCE, SLOWER * (time.monotonic() - began))
        read = item.config.hook.pytest_report_from_serializable
        reports: list[pytest.TestReport] = [read(config=item.config, data=each) for each in undisturbed.reports]
        if not reports:
            why = f"It fails undisturbed: {undisturbed.failure}\n\n{undisturbed.details}"
            return [pytest.TestReport(item.nodeid, item.location, {}, "failed", why, "call")]
        if not all(each.passed for each in reports):
            return reports
        call, text = reports[1], self._option.interactor_schedule
        places = Places(undisturbed, run_forked(item, self._patience))
        try:
            planned = [places.parse(text)] if text else in_order(places.singles(), self._option.interactor_seed)
        except ValueError as error:
            call.outcome, call.longrepr = "failed", f"--interactor-schedule={text}: {error}"
            return reports
        outcomes = self._tried(item, planned, places, began)
        if self._option.interactor_explore > 1 and not text:
            further = in_order(pairs(outcomes), self._option.interactor_seed)
            planned += further
            outcomes += self._tried(item, further, places, began)
        untried = len(planned) - len(outcomes)
        _show_progress(item, "")
        call.duration = time.monotonic() - began
        if any(each.failure for each in outcomes):
            call.outcome = "failed"
            call.longrepr = report(item.nodeid, places, outcomes, untried, self._option.interactor_budget)
        told = f"{len(outcomes)} schedules at {len(places.met)} places"
        call.user_properties.append((PROPERTY, told + (f", {untried} not tried" if untried else "")))
        return reports

    def _tried(self, item: pytest.Item, schedules: Sequence[Schedule], places: Places, began: float) -> list[Run]:
        """Return the outcomes of the schedules that the budget allows."""
        outcomes: list[Run] = []
        for schedule in schedules:
            if time.monotonic() - began > self._option.interactor_budget and not self._option.interactor_schedule:
                break
            outcomes.append(run_forked(item, self._patience, schedule, places))
            failed = sum(bool(each.failure) for each in outcomes)
            _show_progress(item, f"{len(outcomes)}/{len(schedules)}, {failed} failed", len(outcomes) / len(schedules))
        return outcomes

    def _prepare(self, item: pytest.Item) -> None:
        """End the fixtures of this process, because the forks must not share its connections and threads."""
        item.session._setupstate.teardown_exact(None)
        _import_what_runs_need(item.config)
        if (hook := getattr(item.ihook, "pytest_timeout_cancel_timer", None)) is not None:
            hook(item=item)  # it concerns a single run
        gc.freeze()  # otherwise a fork's garbage collector would copy everything it visits

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        terminalreporter.section("interactor explore")
        for each in terminalreporter.stats.get("passed", []) + terminalreporter.stats.get("failed", []):
            for _, told in (pair for pair in each.user_properties if pair[0] == PROPERTY):
                terminalreporter.line(f"{each.nodeid}: {told}")


@cache
def _import_what_runs_need(config: pytest.Config) -> None:
    """Import it once instead of in each fork. Also creates the folder of `tmp_path`, which each fork would clean up."""
    for module in pkgutil.walk_packages(interactor_ext.__path__, "interactor_ext."):
        if module.name.split(".")[1] in _UNDER_TEST:
            with suppress(Exception):  # its extra isn't installed
                importlib.import_module(module.name)
    with Sandbox() as sandbox, sandbox.client() as client:
        client.health()
    clocks()
    if factory := getattr(config, "_tmp_path_factory", None):
        factory.getbasetemp()


def _show_progress(item: pytest.Item, text: str, share: float = 0.0) -> None:
    """Show a line on the terminal, if there is one."""
    reporter: Any = item.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None and sys.__stdout__ is not None and sys.__stdout__.isatty():
        reporter.rewrite(f"{item.nodeid} [{'#' * int(20 * share):<20}] {text}" if text else "", erase=True)
