"""The relay when its server is told to end while pages are open."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from interactor_ext.sandbox import Sandbox
from tests.support.relay_server import Page

pytest_plugins = ["tests.support.sandbox_fixtures", "tests.support.relay_fixtures"]

ROOT = Path(__file__).parents[2]
APP = """
from interactor_ext import AsyncInteractorClient
from interactor_ext.relay import Relay
from tests.support.relay_server import authorize

app = Relay(AsyncInteractorClient(), authorize=authorize)
"""


@pytest.mark.full
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals that a process can send")
@pytest.mark.parametrize("told", [signal.SIGINT, signal.SIGTERM])
def test_uvicorn_without_a_time_limit_ends_although_a_page_is_open(
    sandbox: Sandbox, new_room: Callable[..., str], tmp_path: Path, told: signal.Signals
) -> None:
    (tmp_path / "backend.py").write_text(APP)
    log = tmp_path / "log"
    environment = os.environ | sandbox.env | {"PYTHONPATH": str(ROOT)}
    # The server inherits it, so that nobody can take its port.
    with socket.create_server(("127.0.0.1", 0)) as listener, log.open("wb") as file:
        origin = f"http://127.0.0.1:{listener.getsockname()[1]}"
        process = subprocess.Popen(
            [sys.executable, "-m", "uvicorn", f"--fd={listener.fileno()}", f"--app-dir={tmp_path}", "backend:app"],
            env=environment,
            stdout=file,
            stderr=subprocess.STDOUT,
            pass_fds=[listener.fileno()],
        )
    try:
        with Page(origin, origin, "user_1", {}) as page, page.room_events(new_room()) as stream:
            assert stream.status == 200
            process.send_signal(told)
            process.wait(60)
            assert list(stream) == []
    finally:
        process.kill()
        process.wait()
    printed = log.read_text()
    assert "Traceback" not in printed
    assert "ERROR" not in printed
