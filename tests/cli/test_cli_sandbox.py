"""`interactor sandbox`: what it shows and writes, and the program that runs inside it."""

from __future__ import annotations

import os
import re
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from interactor_ext.cli import main
from tests.support import patient
from tests.support.terminal import COMMAND, Terminal

pytest.importorskip("typer", reason="pip install typer rich")

pytest_plugins = ["tests.support.sandbox_fixtures", "tests.support.command_fixtures"]
# Ends with the number of the signals that it got, once it has seen SIGTERM.
PROGRAM = """
import os, signal, sys, time
from interactor_ext import InteractorClient
seen = []
signal.signal(signal.SIGINT, lambda number, frame: (seen.append(number), print("interrupted", flush=True)))
signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(40 + len(seen)))
with InteractorClient(namespace="user_1") as client:
    found = len(client.assistants.list())
print(f"{found} assistants in", os.environ["INTERACTOR_CORE_API_URL"], sys.argv[1:], flush=True)
while True:
    time.sleep(0.05)
"""


def test_sandbox_shows_inspector_logs_requests_and_writes_variables(
    terminal: Callable[..., Terminal], shown_by: Callable[..., str], tmp_path: Path
) -> None:
    file = tmp_path / "sandbox.env"
    running = terminal("sandbox", "--port", "0", "--env-file", str(file))
    running.until("Interactor sandbox at ", "Open ", "/_sandbox", f"The variables are in {file}", "Ctrl-C")
    [inspector] = re.findall(r"Open (http://127\.0\.0\.1:\d+/_sandbox)", running.seen)
    assert "Interactor sandbox" in patient.get(inspector).text
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    # The file goes before the environment, in which another sandbox stands.
    for arguments in (["--env-file", str(file), "doctor"], ["doctor", f"--env-file={file}"]):
        assert inspector.removesuffix("/_sandbox") in shown_by(*arguments, INTERACTOR_ENVIRONMENT="production")
    running.until("GET /api/v1/assistants 200 req_")
    running.interrupt()
    running.until("Stopped.")
    running.end()


def test_env_file_of_others_is_not_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / ".env"
    file.write_text("DATABASE_PASSWORD=the-only-copy\n")
    assert main(["sandbox", "--port", "0", "--env-file", str(file)]) == 1
    shown, complaint = capsys.readouterr()
    assert shown == ""
    assert complaint.startswith(f"Error: {file} exists, and `interactor sandbox` didn't write it")
    assert file.read_text() == "DATABASE_PASSWORD=the-only-copy\n"
    other = tmp_path / "sandbox.env"
    for _ in range(2):
        assert main(["sandbox", "--env-file", str(other), "--", sys.executable, "-c", ""]) == 0
        other.chmod(0o644)
    assert main(["sandbox", "--env-file", str(tmp_path / "nowhere" / ".env"), "--", sys.executable, "-c", ""]) == 1
    assert "No such file" in capsys.readouterr().err


def test_program_runs_inside_a_sandbox_of_its_own(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "sandbox.env"
    code = "import os, sys; print(sys.argv[1:], os.environ['INTERACTOR_CORE_API_URL']); sys.exit(7)"
    options = ["--verbose", "--json", "--env-file", "of-the-program", "--"]
    run = ["sandbox", "--env-file", str(file), "--", sys.executable, "-c", code, *options]
    assert main(run) == 7
    shown, notes = capfd.readouterr()
    [url] = re.findall(r"http://\S+", shown)
    assert shown == f"{options} {url}\n"
    assert f"Interactor sandbox at {url}. Open " in notes
    assert url in file.read_text()
    killing_itself = [*run[1:5], "-c", "import os; os.kill(os.getpid(), 15)"]
    assert subprocess.call([sys.executable, "-m", "interactor_ext.sandbox", *killing_itself]) == 128 + signal.SIGTERM
    assert main(["sandbox", "--", str(tmp_path / "nothing")]) == 127
    assert main(["sandbox", "--", str(file)]) == 126
    complaints = capfd.readouterr().err
    assert "/nothing: No such file" in complaints
    assert f"can't run {file}: Permission denied" in complaints


@pytest.mark.full
def test_ctrl_c_reaches_the_program_once_and_sigterm_is_passed_on(terminal: Callable[..., Terminal]) -> None:
    running = terminal("sandbox", "--", sys.executable, "-c", PROGRAM, "--port")
    running.until("0 assistants in http://127.0.0.1:", "['--port']")
    running.interrupt()
    running.until("interrupted")
    os.kill(running.child.pid, signal.SIGTERM)
    assert running.end(41).count("interrupted") == 1


@pytest.mark.full
def test_signals_are_passed_on_without_a_terminal() -> None:
    command = [*COMMAND, "sandbox", "--", sys.executable, "-c", PROGRAM]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert "0 assistants" in process.stdout.readline()
            process.send_signal(signal.SIGINT)
            assert process.stdout.readline() == "interrupted\n"
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 41
        finally:
            process.kill()


def test_sandbox_speaks_the_dialects_that_are_named(capfd: pytest.CaptureFixture[str]) -> None:
    code = (
        "from interactor_ext import InteractorClient\n"
        "with InteractorClient() as client:\n"
        "    print(sorted(client.request('GET', '/rooms').json()['meta']))"
    )
    run = ["--dialect", "enabled", "--dialect", "current_page", "--", sys.executable, "-c", code]
    assert main(["sandbox", *run]) == 0
    assert "['current_page', 'per_page', 'total_count', 'total_pages']" in capfd.readouterr().out
    assert main(["sandbox", "--dialect", "klingon"]) == 1
    assert "unknown dialect klingon: use current_page" in capfd.readouterr().err
