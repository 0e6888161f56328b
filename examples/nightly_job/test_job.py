"""The job is killed at each of its lines and run again: nothing happens twice, and nothing is missing."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from interactor_ext.sandbox import Sandbox
from job import ORDERS

# Runs the job in a process of its own for each line of its input, which names the folder, and the number of the line of
# the job before which SIGKILL comes; 0 for none. Prints the exit statuses.
RUNNER = """
import os, signal, sys
import job

def run(folder, lines):
    left = int(lines)

    def count(frame, event, _):
        nonlocal left
        if frame.f_code.co_filename != job.__file__:
            return None
        left -= event == "line"
        if event == "line" and left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return count

    os.chdir(folder)
    sys.argv = ["job.py", "2026-01-31"]
    sys.stdout = open("out", "w")  # the runner's is for statuses
    sys.settrace(count if left else None)
    job.main()

for line in sys.stdin:
    child = os.fork()
    if child == 0:
        run(*line.split())
        sys.exit()
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Runner:
    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        environment = {**os.environ, **sandbox.env, "JOB_DB": "reports.db", "PYTHONPATH": os.pathsep.join(sys.path)}
        self.process = subprocess.Popen(  # noqa: S603  # this very job
            [sys.executable, "-c", RUNNER], env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def run(self, folder: Path, *, lines: int = 0) -> int:
        """The exit status of the job, which is killed before it runs so many lines, unless that is 0."""
        folder.mkdir(exist_ok=True)
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(f"{folder} {lines}\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def done(self, folder: Path) -> dict[str, tuple[int, ...]]:
        """How many assistants, rooms, questions and reports each customer has."""
        found: dict[str, tuple[int, ...]] = {}
        with self._sandbox.client() as client, sqlite3.connect(folder / "reports.db") as db:
            for customer in ORDERS:
                user = client.namespace(f"org_{customer}")
                rooms = list(user.rooms.iterate())
                said = [each for room in rooms for each in user.messages.iterate(room.id) if each.role == "user"]
                (reports,) = db.execute("SELECT count(*) FROM reports WHERE customer = ?", (customer,)).fetchone()
                found[customer] = (len(list(user.assistants.iterate())), len(rooms), len(said), reports)
        db.close()
        return found


@pytest.fixture
def runner(interactor_sandbox: Sandbox) -> Iterator[Runner]:
    made = Runner(interactor_sandbox)
    with made.process:
        yield made


def test_killed_at_each_line_and_run_again(runner: Runner, interactor_sandbox: Sandbox, tmp_path: Path) -> None:
    lines, status = 0, -9
    while status == -9:
        lines += 1
        interactor_sandbox.reset()
        folder = tmp_path / str(lines)
        status = runner.run(folder, lines=lines)
        assert runner.run(folder) == 0
        assert runner.done(folder) == dict.fromkeys(ORDERS, (1, 1, 1, 1)), f"killed at line {lines}"
    assert status == 0
    assert lines > 30  # the lines of two reports


def test_customer_whose_report_failed_gets_it_by_the_next_run(
    runner: Runner, interactor_sandbox: Sandbox, tmp_path: Path
) -> None:
    interactor_sandbox.faults.add("send_message", status=403, namespace="org_globex")
    assert runner.run(tmp_path) == 1
    assert {customer: counts[-1] for customer, counts in runner.done(tmp_path).items()} == {"acme": 1, "globex": 0}
    assert runner.run(tmp_path) == 0
    assert runner.done(tmp_path) == dict.fromkeys(ORDERS, (1, 1, 1, 1))


def test_outage_that_outlasts_the_client_is_waited_for(
    runner: Runner, interactor_sandbox: Sandbox, tmp_path: Path
) -> None:
    interactor_sandbox.faults.add("create_room", status=503, times=5)
    assert runner.run(tmp_path) == 0
    assert runner.done(tmp_path) == dict.fromkeys(ORDERS, (1, 1, 1, 1))
