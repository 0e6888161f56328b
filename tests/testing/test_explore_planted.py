"""Applications with one planted error each, and their mended twins, under `pytest --interactor-explore`.

They are in planted/, each with the whole text of its twin as a diff, and were written before the explorer.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.cases import NIGHTLY

PLANTED = Path(__file__).with_name("planted")
# The operations and events at which each goes wrong, and the faults that show it.
ERRORS = {
    "assumed_order": ("credential.connected", {"late", "reordered"}),
    "charge_before_claim": ("credential.connected", {"twice", "failed"}),
    "cut_stream": ("stream_room", {"cut-before", "cut-within", "cut-after", "repeated"}),
    "early_answer": ("credential.expired", {"died"}),
    "kept_token": ("(list|create)_(assistants?|rooms?)", {"revoked"}),
    "retry_loop": ("create_room", {"lost", "slow", "cut"}),
    "swallowed_conflict": ("get_credential_token", {"expired"}),
    "tool_twice": ("submit_tool_result", {"refused", "lost", "unavailable", "slow", "cut"}),
}
SCHEDULE = re.compile(r"pytest (\S+) --interactor-schedule=(\S+)")
# A heading of a table, and a row that it is about.
TABLE = re.compile(r"^(?:request|stream|delivery|tool call|process|[rsdtp]\d+) .*$", re.MULTILINE)


def project(folder: Path, name: str, *, mended: bool = False) -> Path:
    made = folder / name
    made.mkdir()
    for file in (PLANTED / "pytest.ini", PLANTED / name / "test_app.py", PLANTED / name / "app.py"):
        shutil.copy(file, made)
    if mended:
        lines = (PLANTED / name / "mended.diff").read_text().splitlines(keepends=True)
        app = (made / "app.py").read_text()
        assert "".join(line[1:] for line in lines if line[0] != "+") == app, "mended.diff is of another app.py"
        (made / "app.py").write_text("".join(line[1:] for line in lines if line[0] != "-"))
    return made


def run(folder: Path, *options: str) -> tuple[str, int]:
    command = [sys.executable, "-m", "pytest", "-p", "interactor", "-p", "no:cacheprovider", *options]
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    return done.stdout + done.stderr, done.returncode


def explore(folder: Path, *options: str) -> tuple[str, int]:
    return run(folder, "--interactor-explore", "--interactor-budget=20m", *options)


def failing(report: str) -> set[tuple[str, str]]:
    """The operations and faults of the cells that say FAIL."""
    found, heading = set(), ""
    for line in TABLE.findall(report):
        if not re.match(r"[rsdtp]\d", line):
            heading = line
            continue
        for cell in re.finditer("FAIL", line):
            found.add((line.split()[1], heading[cell.start() :].split()[0]))
    return found


@pytest.mark.full
@pytest.mark.parametrize("name", ERRORS)
def test_planted_error_is_found_and_nothing_else(name: str, tmp_path: Path) -> None:
    operations, faults = ERRORS[name]
    folder = project(tmp_path, name)
    output, status = explore(folder)
    assert status == 1, output
    assert failing(output), output
    for operation, fault in failing(output):
        assert re.fullmatch(operations, operation), output
        assert fault in faults, output
    test, schedule = SCHEDULE.findall(output)[0]
    for _ in range(20 if NIGHTLY else 1):
        again, status = run(folder, test, f"--interactor-schedule={schedule}")
        assert status == 1, again
        assert failing(again) <= failing(output), again
        assert set(SCHEDULE.findall(again)) == {(test, schedule)}, again


@pytest.mark.full
# Those with places other than requests, of which all have some.
@pytest.mark.parametrize("name", ERRORS if NIGHTLY else ["cut_stream", "early_answer", "tool_twice"])
def test_mended_twin_survives_everything(name: str, tmp_path: Path) -> None:
    output, status = explore(project(tmp_path, name, mended=True))
    assert status == 0, output
    assert "not tried" not in output
    assert re.search(r": \d+ schedules at \d+ places$", output, re.MULTILINE), output


@pytest.mark.full
def test_pairs_are_tried_in_two_processes(tmp_path: Path) -> None:
    """The mended application survives pairs of faults, too; the budget is for some of them."""
    options = ("--interactor-explore=2", "--interactor-budget=8s", "-p", "xdist", "-n", "2")
    output, status = run(project(tmp_path, "retry_loop", mended=True), *options)
    assert status == 0, output
    assert len(re.findall(r": \d+ schedules at \d+ places, \d+ not tried$", output, re.MULTILINE)) == 2, output
