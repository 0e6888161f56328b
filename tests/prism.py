"""Stoplight Prism, an implementation of OpenAPI that shares no line with ours: as a validating proxy and as a mock."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

# The last release that runs on Node 18 and 20 too.
VERSION = "5.14.2"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "interactor-sdk" / f"prism-{VERSION}"
START_TIMEOUT = 90.0


def command() -> str:
    """Prism's command, installed if it is not; skips where there is no npm."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("needs Node 18 or later and npm, to install @stoplight/prism-cli")
    found = CACHE / "node_modules" / ".bin" / "prism"
    if not found.exists():
        install = [npm, "install", "--no-audit", "--no-fund", "--prefix", str(CACHE), f"@stoplight/prism-cli@{VERSION}"]
        CACHE.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(install, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
    return str(found)


@contextmanager
def prism(log: Path, mode: str, document: Path, *arguments: str) -> Iterator[str]:
    """The URL of a Prism of its own process; what it prints goes to `log`."""
    port = free_port()
    with log.open("w") as output:
        process = subprocess.Popen(
            [command(), mode, str(document), *arguments, "--port", str(port), "--errors"], stdout=output, stderr=output
        )
        try:
            wait_until_it_listens(process, port, log)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(30)


def wait_until_it_listens(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        try:
            httpx.get(f"http://127.0.0.1:{port}/")
        except httpx.ConnectError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError(f"Prism did not start in {START_TIMEOUT:.0f} s: {log.read_text()}")


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port
