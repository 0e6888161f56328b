"""Pages of the documentation: their code blocks, and what runs them. Only needs the standard library.

`python tests/support/pages.py docs/how-to/chat.md` runs a page in the caller's environment and working directory.
"""

from __future__ import annotations

import contextlib
import contextvars
import importlib
import io
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
BLOCK = re.compile(
    r"(?:^<!-- not run: (?P<not_run>[^\n]+) -->\n\n?)?"
    r'^```(?P<language>\w+)(?: title="(?P<title>[^"\n]+)")?[^\n]*\n(?P<code>.*?)^```$'
    r"(?:\n\n(?P<prints>(?:    [^\n]+\n)+))?",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    """A fenced block. `line` is the number of the line before its code; `title` is the name of its file.

    `prints` is its output, which the page shows below it, indented.
    """

    page: Path
    line: int
    language: str
    title: str | None
    code: str
    not_run: str | None
    prints: str

    @property
    def runs(self) -> bool:
        return self.not_run is None and self.title is None and self.language in {"python", "sh"}


def pages() -> list[Path]:
    """All pages, in a fixed order, the README first."""
    return [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def blocks(page: Path) -> Iterator[Block]:
    text = page.read_text()
    for match in BLOCK.finditer(text):
        line = text.count("\n", 0, match.start("code"))
        yield Block(
            page,
            line,
            match["language"],
            match["title"],
            match["code"],
            match["not_run"],
            dedent(match["prints"] or ""),
        )


def to_install(page: Path) -> frozenset[str]:
    """The requirements of each `pip install` in the page's text."""
    commands = re.findall(r"`pip install ([^`]+)`", BLOCK.sub("", page.read_text()))
    return frozenset(requirement for command in commands for requirement in shlex.split(command))


def to_set(page: Path) -> frozenset[str]:
    """The variables that the page tells readers to set."""
    needs = re.findall(r"^> (?:Needs|Also needs) (?:[^\n]*\n)(?:>[^\n]*\n)*", page.read_text(), re.MULTILINE)
    return frozenset(re.findall(r"`(INTERACTOR_\w+|SESSION_SECRET)`", "".join(needs)))


def run_page(page: Path, folder: Path) -> None:
    """Run the blocks in their order, in one environment: each sees what earlier ones define.

    A block with a title is written to that file in `folder`, where the others run and import it. A module that they
    don't name is imported at the end.
    """
    names: dict[str, Any] = {"__name__": "__main__"}
    printed = io.StringIO()  # one for the page, because a block may set up what a later one prints to
    known = set(sys.modules)
    sys.path.insert(0, str(folder))
    try:
        for block in blocks(page):
            if block.title is not None:
                (folder / block.title).parent.mkdir(parents=True, exist_ok=True)
                (folder / block.title).write_text(block.code)
            elif block.runs:
                before = printed.tell()
                if block.language == "python":
                    run_python(block, names, printed)
                else:
                    printed.write(run_shell(block, folder))
                assert printed.getvalue()[before:].strip(), f"{name(page)}, line {block.line}: the block prints nothing"
                assert block.prints in printed.getvalue()[before:], f"{name(page)}, line {block.line}: other output"
        for module in unnamed_modules(page):
            importlib.import_module(module)
    finally:
        sys.path.remove(str(folder))
        for module in set(sys.modules) - known:
            if Path(getattr(sys.modules[module], "__file__", None) or "/").is_relative_to(folder):
                del sys.modules[module]


def unnamed_modules(page: Path) -> Iterator[str]:
    """The modules among the page's files that no other block names, nor any command that serves `module:app`.

    pytest imports its own.
    """
    text = BLOCK.sub("", page.read_text())
    found = [block for block in blocks(page) if block.not_run is None]
    for title in dict.fromkeys(block.title for block in found if block.title):
        module = title.removesuffix(".py")
        named = f"{module}:" in text or any(module in block.code for block in found if block.title != title)
        if module.isidentifier() and not module.startswith(("test_", "conftest")) and not named:
            yield module


def run_python(block: Block, names: dict[str, Any], printed: io.StringIO) -> None:
    # With the page's name and line numbers, because tracebacks should point into it; without this file's `__future__`.
    code = compile("\n" * block.line + block.code, str(block.page), "exec", dont_inherit=True)
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        # What a block sets for itself (a context variable) must not reach what runs after the page.
        contextvars.copy_context().run(exec, code, names)


def run_shell(block: Block, folder: Path) -> str:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block.code],
        cwd=folder,
        env={**os.environ, "PATH": path},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, f"{name(block.page)}, line {block.line}:\n{done.stdout}"
    return done.stdout


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        run_page(Path(argument).resolve(), Path.cwd())
