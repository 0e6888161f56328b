"""Every block of README and docs/ runs as it stands, in the order written, against the sandbox."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from interactor_ext import reset_clients
from interactor_ext.sandbox import Sandbox
from tests.support.pages import blocks, name, pages, run_page


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    logger = logging.getLogger("interactor")
    handlers, level = logger.handlers[:], logger.level
    with Sandbox().run() as sandbox, warnings.catch_warnings():
        for variable, value in sandbox.env.items():
            monkeypatch.setenv(variable, value)
        monkeypatch.setenv("INTERACTOR_WEBHOOK_SECRET", "whsec_example")
        monkeypatch.chdir(tmp_path)
        yield
        reset_clients()
    logger.handlers[:] = handlers
    logger.setLevel(level)


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize(
    "page", [pytest.param(page, id=name(page)) for page in pages() if any(block.runs for block in blocks(page))]
)
def test_blocks_of_the_page_run_and_print(page: Path, tmp_path: Path) -> None:
    run_page(page, tmp_path)


def test_readme_shows_code_within_thirty_lines() -> None:
    assert next(block.line for block in blocks(pages()[0]) if block.language == "python") <= 30
