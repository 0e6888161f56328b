"""Every Python block of the README runs as it stands, in order, against the sandbox."""

from __future__ import annotations

import contextvars
import logging
import re
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from interactor_ext import reset_clients
from interactor_ext.sandbox import Sandbox

README = Path(__file__).parents[2] / "README.md"
HEADING_OR_BLOCK = re.compile(r"^#+ (?P<heading>.+?)$|^```python\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks() -> Iterator[tuple[str, int, str]]:
    text, heading = README.read_text(), ""
    for match in HEADING_OR_BLOCK.finditer(text):
        if match["heading"]:
            heading = match["heading"]
        else:
            yield heading, text.count("\n", 0, match.start("code")), match["code"]


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    logger = logging.getLogger("interactor")
    handlers, level = logger.handlers[:], logger.level
    with Sandbox().run() as sandbox, warnings.catch_warnings():
        for name, value in sandbox.env.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("INTERACTOR_WEBHOOK_SECRET", "whsec_example")
        monkeypatch.chdir(tmp_path)
        yield
        reset_clients()
    logger.handlers[:] = handlers
    logger.setLevel(level)


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize(("line", "code"), [pytest.param(line, code, id=heading) for heading, line, code in blocks()])
def test_readme_block_runs(line: int, code: str) -> None:
    # Under the README's name and lines, so that a traceback points into it; without the `__future__` of this file.
    compiled = compile("\n" * line + code, str(README), "exec", dont_inherit=True)
    # What a block sets for itself (a context variable, a logger's level) must not reach the tests after it.
    contextvars.copy_context().run(exec, compiled, {"__name__": "__main__"})


def test_readme_shows_code_within_thirty_lines() -> None:
    _, line, _ = next(blocks())
    assert line <= 30
