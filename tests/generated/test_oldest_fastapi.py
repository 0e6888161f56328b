"""Models in the oldest FastAPI for pydantic 2, and in the oldest pydantic that it allows."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.support.pip import python_with

HERE = Path(__file__).parent
OLDEST = ("fastapi==0.100.0", "pydantic==2.0.2", "attrs", "httpx", "python-dateutil", "pytest")


@pytest.mark.full
def test_models_work_in_the_oldest_fastapi_and_pydantic(request: pytest.FixtureRequest) -> None:
    python = python_with(request, *OLDEST)
    options = ["-q", "--noconftest", "-c", os.devnull, "-p", "no:cacheprovider"]
    command = [python, "-m", "pytest", *options, HERE / "test_fastapi.py"]
    run = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": str(HERE.parents[1])}, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout[-5000:] + run.stderr[-1000:]
    assert "skipped" not in run.stdout
