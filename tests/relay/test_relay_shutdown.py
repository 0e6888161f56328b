"""The relay when its server is told to end while pages are open."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from interactor_ext.sandbox import Sandbox
from tests.support.relay_server import Page
from tests.support.served import UVICORN, Served

pytest_plugins = ["tests.support.sandbox_fixtures", "tests.support.relay_fixtures"]

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
    server = Served([*UVICORN, "backend:app"], sandbox.env, tmp_path)
    try:
        with Page(server.origin, server.origin, "user_1", {}) as page, page.room_events(new_room()) as stream:
            assert stream.status == 200
            server.process.send_signal(told)
            server.process.wait(60)
            assert list(stream) == []
    finally:
        server.process.kill()
        server.process.wait()
    assert "Traceback" not in server.printed()
    assert "ERROR" not in server.printed()
