"""The testing kit in a project that has the wheel and pytest, and the plugin in a project that does not use it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.support.cases import NIGHTLY, nightly
from tests.support.pip import python_with

pytestmark = pytest.mark.full

ROOT = Path(__file__).parents[2]

# What a project that knows nothing of the SDK sees of its own clients, its environment and its modules.
UNRELATED = """
import logging
import os
import socket
import ssl
import sys
import threading
import http.server
import httpx
import pytest
import requests

NAMES = ("getaddrinfo", "gethostbyname", "gethostbyname_ex", "gethostbyaddr")

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")
    def log_message(self, *args):
        pass

@pytest.fixture
def url():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()

@pytest.mark.parametrize("get", [requests.get, httpx.get])
def test_request(url, get):
    assert get(url).text == "ok"

@pytest.mark.parametrize("get", [requests.get, httpx.get])
def test_proxy_of_the_environment(url, get, monkeypatch):
    monkeypatch.setenv("http_proxy", url)
    assert get("http://core.interactor.com/").text == "ok"

def test_environment():
    assert not [name for name in os.environ if name.lower() == "no_proxy" or name.startswith("INTERACTOR")]

def test_nothing_is_patched():
    assert [getattr(socket, name).__module__ for name in NAMES] == ["socket", "_socket", "_socket", "_socket"]
    assert socket.socket.connect.__qualname__ == "socket.connect"
    assert ssl.SSLContext.wrap_socket.__module__ == "ssl"
    assert logging.getLoggerClass() is type(logging.getLogger("shop")) and logging.Logger.__module__ == "logging"
    assert logging.Logger.callHandlers.__module__ == type(logging.lastResort).__module__ == "logging"
    assert logging.root.level == logging.WARNING

def test_modules():
    assert not [name for name in sys.modules if name.startswith(("interactor_client", "interactor_ext.testing"))]

def test_failure():
    assert 1 == 2

@pytest.mark.skip(reason="later")
def test_skipped():
    pass
"""
OUTCOME = re.compile(r"^(?:PASSED|FAILED|SKIPPED|ERROR)\b.*$", re.MULTILINE)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    pip(Path(sys.executable), "wheel", "--no-deps", "--wheel-dir", str(folder), str(ROOT))
    (built,) = folder.glob("*.whl")
    return built


def test_wheel_contains_needed_files(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (entry_points,) = (name for name in names if name.endswith(".dist-info/entry_points.txt"))
        assert "[pytest11]\ninteractor = interactor_ext.pytest_plugin" in archive.read(entry_points).decode()
    needed = ("interactor_client/openapi.json", "interactor_client/py.typed", "interactor_ext/py.typed")
    assert {*needed, "interactor_ext/cli/quickstart.py"} <= {*names}
    # The relay serves them.
    for folder in ("static", "built"):
        served = (ROOT / "interactor_ext" / "relay" / folder).iterdir()
        assert {f"interactor_ext/relay/{folder}/{path.name}" for path in served} <= {*names}
    # `interactor docs` shows them.
    pages = re.findall(r"\((.+?)\.html\)", (ROOT / "docs" / "llms.txt").read_text())
    assert {f"interactor_ext/cli/pages/{page}.md" for page in pages} <= {*names}
    assert {name.split("/")[0].split("-")[0] for name in names} == {
        "interactor_client",
        "interactor_ext",
        "interactor_sdk",
        "interactor_sdk.py",
    }


@pytest.mark.parametrize("version", ["7.0.0", "7.4.4", "8.4.2", "9.*"] if NIGHTLY else ["7.0.0"])
def test_unrelated_project_has_the_same_results_with_and_without_the_plugin(
    request: pytest.FixtureRequest, wheel: Path, tmp_path: Path, version: str
) -> None:
    python = python_with(request, f"pytest=={version}", "requests", "httpx", "attrs", "python-dateutil")
    # Unpacked, so that the environment serves every state of the SDK.
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "sdk")
    project = tmp_path / "project"
    project.mkdir()
    (project / "test_unrelated.py").write_text(UNRELATED)
    shown = ("PYTEST", "COV", "PYTHON", "INTERACTOR")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(shown)}
    environment = {name: value for name, value in kept.items() if not name.lower().endswith("_proxy")}

    def results(*arguments: str) -> tuple[list[str], str]:
        command = [python, "-m", "pytest", "-rA", "-p", "no:cacheprovider", *arguments]
        path = {**environment, "PYTHONPATH": str(tmp_path / "sdk")}
        done = subprocess.run(command, cwd=project, env=path, capture_output=True, text=True, timeout=120)
        assert done.returncode == 1, done.stdout + done.stderr
        return OUTCOME.findall(done.stdout), done.stdout

    with_it, output = results()
    without_it, other_output = results("-p", "no:interactor")
    assert "interactor-sdk" in output
    assert "interactor-sdk" not in other_output
    assert with_it == without_it
    assert [line.split()[0] for line in with_it].count("PASSED") == 7, output


@nightly
def test_pytest_before_7_0_is_told(request: pytest.FixtureRequest, wheel: Path, tmp_path: Path) -> None:
    python = python_with(request, "pytest==6.2.5")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    done = subprocess.run(
        [python, "-m", "pytest"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    told = (
        "ERROR: The pytest plugin of interactor-sdk needs pytest 7.0 or newer, not 6.2.5: upgrade pytest, or leave the"
    )
    assert (done.returncode, told in done.stderr) == (4, True), done.stdout + done.stderr


def pip(python: Path, *arguments: str) -> None:
    done = subprocess.run([python, "-m", "pip", *arguments], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
