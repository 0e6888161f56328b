"""Tests don't depend on the shell that they are started from. `.ci/hostile` runs many of them in an unfriendly one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.pages import ROOT

PROGRAM = """
import json, os, resource, tempfile
from tests import conftest
print(json.dumps([dict(os.environ), tempfile.gettempdir(), resource.getrlimit(resource.RLIMIT_NOFILE)[0]]))
"""
OF_A_SHELL = {
    **dict.fromkeys(("HTTP_PROXY", "all_proxy", "no_proxy", "INTERACTOR_CORE_API_URL"), "http://127.0.0.1:9"),
    **dict.fromkeys(("FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE"), "1"),
    "COLUMNS": "40",
    "LINES": "9",
    "PYTHON_COLORS": "1",
}


@pytest.mark.skipif(sys.platform == "win32", reason="it has no limit of open files")
def test_surroundings_of_tests_are_the_same_in_any_shell(tmp_path: Path) -> None:
    (long := tmp_path / ("long-" * 20)).mkdir()
    environment = {
        **os.environ,
        **OF_A_SHELL,
        "TMPDIR": str(long),
        "HOME": str(tmp_path / "none"),
        "PYTHONPATH": str(ROOT),
    }
    command = ["sh", "-c", 'ulimit -Sn 256; exec "$0" -c "$1"', sys.executable, PROGRAM]
    done = subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    seen, folder, files = json.loads(done.stdout)
    assert OF_A_SHELL.keys().isdisjoint(seen)
    assert folder == seen["TMPDIR"] == "/tmp"
    assert seen["HOME"].startswith("/tmp/home-")
    assert not Path(seen["HOME"]).exists()  # it ends with the process
    assert files > 1000
