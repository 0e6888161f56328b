"""Every block of README and docs/ runs as it stands, in the order written, against the sandbox.

With `-m full` where only what the page says to install is installed; what a shell starts takes seconds, so that a page
with such blocks runs there alone.
"""

from __future__ import annotations

import logging
import os
import subprocess
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from interactor_ext import reset_clients
from interactor_ext.sandbox import Sandbox
from tests.support import pages as support
from tests.support.pages import blocks, name, pages, run_page, to_install, to_set
from tests.support.part_of_environment import python_with_only

RUNNING = {page: {block.language for block in blocks(page) if block.runs} for page in pages()}


@pytest.fixture
def environment(page: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """What the page says to set, and the folder that it runs in."""
    logger = logging.getLogger("interactor")
    handlers, level = logger.handlers[:], logger.level
    with Sandbox().run() as sandbox, warnings.catch_warnings():
        warnings.filterwarnings("error", category=UserWarning, message=".*webhook router")
        for variable, value in variables(page, sandbox).items():
            monkeypatch.setenv(variable, value)
        monkeypatch.chdir(tmp_path)
        yield
        reset_clients()
    logger.handlers[:] = handlers
    logger.setLevel(level)


def variables(page: Path, sandbox: Sandbox) -> dict[str, str]:
    """The variables that the page says to set; with the credentials come the sandbox's URLs."""
    values = {"INTERACTOR_WEBHOOK_SECRET": "whsec_example", "SESSION_SECRET": "for-the-cookies-of-the-page"}
    if "INTERACTOR_CLIENT_ID" in to_set(page):
        values |= sandbox.env
    return {name: value for name, value in values.items() if name in to_set(page) or name in sandbox.env}


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize("page", [page for page, languages in RUNNING.items() if languages == {"python"}], ids=name)
def test_blocks_of_the_page_run_and_print(page: Path, tmp_path: Path) -> None:
    run_page(page, tmp_path)


@pytest.mark.full
@pytest.mark.parametrize("page", [page for page, languages in RUNNING.items() if languages], ids=name)
def test_page_says_all_that_its_blocks_need(page: Path, tmp_path: Path) -> None:
    python = python_with_only(tmp_path / "environment", to_install(page))
    folder = tmp_path / "project"
    folder.mkdir()
    settings = {name: value for name, value in os.environ.items() if not name.startswith("INTERACTOR_")}
    with Sandbox().run() as sandbox:
        command, env = [python, "-P", support.__file__, page], settings | variables(page, sandbox)
        done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr


def test_readme_shows_code_within_thirty_lines() -> None:
    assert next(block.line for block in blocks(pages()[0]) if block.language == "python") <= 30
