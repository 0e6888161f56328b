"""Server processes on a socket of the test's own, so nobody can take their port."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import httpx
import pytest

from tests.support import patient

ROOT = Path(__file__).parents[2]
UVICORN = [sys.executable, "-m", "uvicorn", "--fd", "{fd}", "--log-level", "warning"]
HYPERCORN = [sys.executable, "-m", "hypercorn", "--bind", "fd://{fd}"]
GUNICORN = [sys.executable, "-m", "gunicorn", "--bind", "fd://{fd}", "--no-control-socket"]


class Served:
    """A process started in a folder, and its output. `{fd}` in its command is the listening socket."""

    def __init__(self, command: list[str], env: Mapping[str, str], folder: Path) -> None:
        self._log = folder / "log"
        environment = {**os.environ, **env, "PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)])}
        with socket.create_server(("127.0.0.1", 0)) as listener, self._log.open("wb") as log:
            self.origin = f"http://127.0.0.1:{listener.getsockname()[1]}"
            self.process = subprocess.Popen(
                [part.format(fd=listener.fileno()) for part in command],
                cwd=folder,
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=[listener.fileno()],
            )

    def printed(self) -> str:
        return self._log.read_text()

    def wait_until_it_answers(self, path: str) -> None:
        """Connections wait in the listening socket while the server starts, and fail if it exits."""
        try:
            patient.get(self.origin + path)
        except httpx.TransportError:
            pytest.fail(self.printed())

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(60)


def needs(packages: list[str]) -> None:
    """Skip the test if one of them is missing, saying what to install."""
    for package in packages:
        pytest.importorskip(package, reason=f"needs the Python package {package} (pip install {package})")
