"""What hooks into httpx and httpcore works over the default transports: cassettes, mocks and tracing, whenever the SDK
was imported. Each test is a process of its own: tests/support/hooks.py.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import trustme

from tests.support.pip import python_with
from tests.support.scripted_server import ASSISTANT, Connection, FaultServer, Request, fine, js, reply
from tests.transports.test_proxies_and_tls import Proxy, tls_server

ROOT = Path(__file__).parents[2]
ORDERS = {
    "imported before, one client": "one off on off on",
    "imported within": "on off on",
    "imported after an earlier one": "unused off on off on",
}
# By hook: the package that it needs, and the header of a traced request.
TRACING = {
    "otel": ("opentelemetry.instrumentation.httpx", "traceparent"),
    "otel_client": ("opentelemetry.instrumentation.httpx", "traceparent"),
    "sentry": ("sentry_sdk", "sentry-trace"),
}
# By hook: the package, and what a call raises that the mock doesn't know.
MOCKS = {
    "respx_httpcore": ("respx", "APIConnectionError"),
    "respx_httpx": ("respx", "APIConnectionError"),
    "pytest_httpx": ("pytest_httpx", "APITimeoutError"),
}
SSE = b"".join(b'id: %d\ndata: {"type":"message.delta","content":"real %d"}\n\n' % (n, n) for n in (1, 2))
REAL = ["real 1", "real 2", "real", "real", "real"]


def respond(connection: Connection, request: Request) -> bool:
    if request.target.endswith("/stream"):
        return reply(200, SSE, content_type="text/event-stream")(connection, request)
    if request.is_for_token:
        return fine(connection, request)
    connection.send(js(200, {"data": {**ASSISTANT, "name": "real"}}))
    return True


class Used(NamedTuple):
    """One use in one mode."""

    is_on: bool
    got: list[str]
    requests: list[Request]
    """Those that reached the server."""


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer([respond]) as server:
        yield server


def uses_of(
    hook: str, order: str, server: FaultServer, python: Path | str = sys.executable, **environment: str
) -> Iterator[Used]:
    steps = ORDERS[order].split()
    before = len(server.calls())
    with tempfile.TemporaryDirectory() as folder:
        command = [python, "-m", "tests.support.hooks", hook, server.url, server.url, folder, *steps]
        env = {**os.environ, **environment}
        done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stdout + done.stderr
    states = [step == "on" for step in steps if step in ("on", "off")]
    for number, modes in enumerate(json.loads(done.stdout.splitlines()[-1])):
        for mode, got in modes.items():
            own = f"{number}_{mode}".encode()
            sent = [request for request in server.calls()[before:] if request.headers.get("x-namespace") == own]
            yield Used(states[number], got, sent)


def require_package(name: str) -> None:
    if importlib.util.find_spec(name.partition(".")[0]) is None or importlib.util.find_spec(name) is None:
        pytest.skip(f"needs the Python package of {name}")


@pytest.mark.parametrize("order", ORDERS)
def test_cassette_of_vcrpy_records_replays_and_refuses(server: FaultServer, order: str) -> None:
    require_package("vcr")
    is_recorded = False
    by_use = iter(uses_of("vcrpy", order, server))
    for sync, asynchronous in zip(by_use, by_use, strict=True):
        for is_on, got, requests in (sync, asynchronous):
            if is_on and is_recorded:
                assert (got, requests) == ([*REAL[:4], "APIConnectionError"], [])
            else:
                assert (got, len(requests)) == (REAL, 4)
        is_recorded = is_recorded or sync.is_on
    assert is_recorded


@pytest.mark.full
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("hook", MOCKS)
def test_mock_answers_refuses_and_lets_pass(server: FaultServer, hook: str, order: str) -> None:
    package, refusal = MOCKS[hook]
    require_package(package)
    for is_on, got, requests in uses_of(hook, order, server):
        if is_on:
            assert got == ["mocked 1", "mocked 2", "mocked", "real", refusal]
            assert [request.target for request in requests] == ["/assistants/asst_past"]
        else:
            assert (got, len(requests)) == (REAL, 4)


@pytest.mark.full
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("hook", TRACING)
def test_tracing_sees_each_request(server: FaultServer, hook: str, order: str) -> None:
    package, header = TRACING[hook]
    require_package(package)
    for is_on, got, requests in uses_of(hook, order, server):
        assert (got, len(requests)) == (REAL, 4)
        assert [header in each.headers for each in requests] == [is_on] * 4


@pytest.mark.full
def test_datadog_sees_each_request(server: FaultServer, request: pytest.FixtureRequest) -> None:
    """In an environment of its own: the pytest plugins of ddtrace would load in every run."""
    python = python_with(request, "ddtrace==4.16.0", "httpx", "attrs", "python-dateutil")
    for order in ORDERS:
        for is_on, got, requests in uses_of("datadog", order, server, python):
            assert (got, len(requests)) == (REAL, 4)
            assert ["x-datadog-trace-id" in each.headers for each in requests] == [is_on] * 4


@pytest.mark.full
@pytest.mark.parametrize("hook", ["vcrpy", "respx_httpcore", "pytest_httpx", "otel"])
def test_calls_within_a_hook_keep_proxy_and_authority(hook: str, tmp_path: Path) -> None:
    require_package({"vcrpy": "vcr", **{name: package for name, (package, _) in {**MOCKS, **TRACING}.items()}}[hook])
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    environment = {"SSL_CERT_FILE": str(tmp_path / "ca.pem"), "NO_PROXY": ""}
    with Proxy() as proxy, tls_server(authority) as server:
        if hook != "respx_httpcore":  # it takes a CONNECT for a request like any other, and can let none pass
            environment["HTTPS_PROXY"] = proxy.url
        server.script = [respond]
        for _, got, requests in uses_of(hook, "imported within", server, **environment):
            assert got[3] == "real"
            assert ("/assistants/asst_past" in [request.target for request in requests]) or hook == "vcrpy"
        assert server.accepted > 0
        assert len(proxy.asked) == (server.accepted if "HTTPS_PROXY" in environment else 0)
