"""Runs JavaScript under Node, for tests of the browser's modules."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import Any

import pytest

STATIC = Path(__file__).parents[2] / "interactor_ext" / "relay" / "static"


def node() -> str:
    """The command; skips the test if there is none."""
    path = shutil.which("node")
    if path is None:
        pytest.skip("needs node 20 or newer (Debian package nodejs)")
    return path


def command_of(script: str, *arguments: str) -> list[str]:
    """The command for an ES module that prints values as lines of JSON with `say(value)`."""
    say = "const say = (value) => console.log(JSON.stringify(value));"
    return [node(), "--input-type=module", "--eval", f"{say}\n{script}", *arguments]


def run_script(script: str, *arguments: str) -> list[Any]:
    """Return what it prints until it has nothing left to do: no timer, no connection."""
    run = subprocess.run(command_of(script, *arguments), capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stderr
    return [json.loads(line) for line in run.stdout.splitlines()]


@contextmanager
def lines_of(command: list[str], folder: Path | None = None) -> Iterator[Callable[[], Any]]:
    """Yields the lines of JSON that the command prints while it runs."""
    said: Queue[str] = Queue()
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as process:

        def listen() -> None:
            assert process.stdout is not None
            for line in process.stdout:
                said.put(line)

        thread = Thread(target=listen)
        thread.start()
        try:
            yield lambda: json.loads(said.get(timeout=60))
        finally:
            process.kill()
            thread.join(60)


def run_tests(file: Path) -> None:
    """Run the tests of an ES module that uses `node:test`."""
    run = subprocess.run([node(), "--test", str(file)], capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stdout
