"""Installs npm packages, for tests against other implementations."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
from pathlib import Path

import pytest


def npm_package(request: pytest.FixtureRequest, *packages: str) -> Path:
    """A folder with the packages (`name@version`) installed, kept between runs; skips if they can't be installed."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("needs node 20 or newer, with npm (Debian packages nodejs and npm)")
    # Not in pytest's cache, which `-p no:cacheprovider` removes.
    folder = request.config.rootpath / ".pytest_cache" / "d" / "+".join(packages).replace("/", "-")
    folder.mkdir(parents=True, exist_ok=True)
    # Another worker may be installing it.
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = folder / "installed"
        if not done.exists():
            (folder / "package.json").write_text('{"private": true, "type": "module"}')
            command = ["npm", "install", "--no-audit", "--no-fund", "--loglevel=error", *packages]
            installed = subprocess.run(
                command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
            )
            if installed.returncode:
                pytest.skip(f"npm cannot install {' '.join(packages)}: {installed.stderr[-300:]}")
            done.touch()
    return folder
