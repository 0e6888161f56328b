"""The blocks of each page run where only what the page says to install is installed."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from interactor_ext.sandbox import Sandbox
from tests.docs.test_pages import PAGES, variables
from tests.support import pages
from tests.support.part_of_environment import python_with_only


@pytest.mark.full
@pytest.mark.parametrize("page", PAGES)
def test_page_says_all_that_its_blocks_need(page: Path, tmp_path: Path) -> None:
    python = python_with_only(tmp_path / "environment", pages.to_install(page))
    folder = tmp_path / "project"
    folder.mkdir()
    settings = {name: value for name, value in os.environ.items() if not name.startswith("INTERACTOR_")}
    with Sandbox().run() as sandbox:
        done = subprocess.run(
            [python, "-P", pages.__file__, page],
            cwd=folder,
            env=settings | variables(page, sandbox),
            capture_output=True,
            text=True,
            timeout=300,
        )
    assert done.returncode == 0, done.stderr
