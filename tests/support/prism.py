"""Stoplight Prism, another implementation of OpenAPI, as a validating proxy and as a mock."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.support.ports import free_port

# The last release that runs on Node 18 and 20.
PACKAGE = "@stoplight/prism-cli@5.14.2"
START_TIMEOUT = 90.0


class Prism:
    """Starts Prisms, each in a process of its own, which answer a violation of the contract with an error."""

    def __init__(self, package: Path, logs: Path) -> None:
        self._command = package / "node_modules" / ".bin" / "prism"
        self._logs = logs

    @contextmanager
    def run(self, mode: str, *arguments: str | Path) -> Iterator[str]:
        """The URL of one; `mode` is `proxy` or `mock`."""
        port = free_port()
        log = self._logs / f"{mode}-{port}.log"
        command = [self._command, mode, *arguments, "--port", str(port), "--errors"]
        with log.open("w") as output:
            process = subprocess.Popen(command, stdout=output, stderr=output)
            try:
                wait_until_it_listens(process, port, log)
                yield f"http://127.0.0.1:{port}"
            finally:
                process.terminate()
                process.wait(60)


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
