"""Makes environments with other versions of Python packages than the tests'."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


def python_with(request: pytest.FixtureRequest, *requirements: str) -> Path:
    """The Python of an environment with these packages, kept between runs; skips if pip can't make it."""
    folder = request.config.rootpath / ".pytest_cache" / "d" / "-".join(requirements)
    python, done = folder / "bin" / "python", folder / "installed"
    if not done.exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        command = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *requirements]
        installed = subprocess.run(command, stderr=subprocess.PIPE, text=True)
        if installed.returncode:
            pytest.skip(f"pip cannot install {' '.join(requirements)}: {installed.stderr[-300:]}")
        done.touch()
    return python
