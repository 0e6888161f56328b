"""Signal handlers that raise and the garbage collector at random instants of many calls: no deadlock, no leak."""

from __future__ import annotations

import json
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.support.cases import NIGHTLY
from tests.support.processes import environment_without_coverage
from tests.support.scripted_server import Connection, FaultServer, Request, fine, send_and

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="this system has no alarm")

CALLS = 3000 if NIGHTLY else 200

EVENT = b'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: {"type": "message.delta", "content": "x"}\n\n'


def answer(connection: Connection, request: Request) -> bool:
    if request.target.endswith("/stream"):
        return send_and(EVENT, lambda connection: connection.stall())(connection, request)
    return fine(connection, request)


@pytest.fixture(params=["http", "TLS"])
def server(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultServer]:
    context = None
    if request.param == "TLS":
        authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost").configure_cert(context)
        authority.cert_pem.write_to_path(tmp_path / "authority.pem")
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    with FaultServer([answer], tls=context) as running:
        yield running


def storm(server: FaultServer, name: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.support.storms", *name.split(), server.url, str(CALLS), "2"]
    environment = environment_without_coverage()
    run = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=540, check=False)
    assert run.returncode == 0, run.stderr[-6000:]
    until = time.monotonic() + 60
    while server.open_connections and time.monotonic() < until:
        time.sleep(0.01)
    assert server.open_connections == 0
    outcome: dict[str, Any] = json.loads(run.stdout)
    assert outcome["errors"] == []
    assert {name: outcome[name] for name in ("used", "sockets", "watches")} == {"used": 0, "sockets": 0, "watches": 0}
    return outcome


NAMES = ["interrupts sync", "interrupts async", "collector sync", "collector async"]


@pytest.mark.full
@pytest.mark.parametrize("name", NAMES)
def test_storm_leaves_nothing_stuck_or_open(server: FaultServer, name: str) -> None:
    outcome = storm(server, name)
    if name.startswith("interrupts"):
        assert outcome["rung"] > 0
