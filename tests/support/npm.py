"""Installs npm packages, for tests against other implementations."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest


def npm_package(request: pytest.FixtureRequest, package: str) -> Path:
    """A folder with the package (`name@version`) installed, kept from one run to the next; skips where none is."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("needs node 20 or newer, with npm (Debian packages nodejs and npm)")
    assert request.config.cache is not None
    folder = Path(request.config.cache.mkdir(package.replace("/", "-")))
    done = folder / "installed"
    if not done.exists():
        (folder / "package.json").write_text('{"private": true, "type": "module"}')
        command = ["npm", "install", "--no-audit", "--no-fund", "--loglevel=error", package]
        installed = subprocess.run(command, cwd=folder, stderr=subprocess.PIPE, text=True)
        if installed.returncode:
            pytest.skip(f"npm cannot install {package}: {installed.stderr[-300:]}")
        done.touch()
    return folder
