"""Commands of `interactor` in a pseudo-terminal."""

from __future__ import annotations

import os
import re
import sys
from typing import Any

import pytest

from tests.support.webhook_deliveries import SECRET

pytest.importorskip("typer", reason="pip install typer rich")
try:
    import pexpect
except ImportError:  # it isn't installed, or this Python has no termios
    pexpect = None

COMMAND = [sys.executable, "-m", "interactor_ext.cli"]
NAMESPACE = "user_1"
ANSI = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


def spawn(*arguments: Any, **options: Any) -> Any:
    if not hasattr(pexpect, "spawn"):
        pytest.skip("no pseudo-terminals: they need pexpect (pip install pexpect) and a Python with termios")
    return pexpect.spawn(*arguments, encoding="utf-8", timeout=60, **options)


class Terminal:
    """A command in a pseudo-terminal. Every wait has a timeout."""

    program: tuple[str, ...] = ("-m", "interactor_ext.cli")
    echo = True

    def __init__(self, env: dict[str, str], *arguments: str, columns: int = 300) -> None:
        # The size is the terminal's own.
        inherited = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
        environment = {**inherited, "TERM": "xterm-256color", "INTERACTOR_WEBHOOK_SECRET": SECRET, **env}
        command = [*self.program, *arguments]
        self.child = spawn(sys.executable, command, env=environment, dimensions=(50, columns), echo=self.echo)
        self.seen = ""

    def until(self, *texts: str) -> None:
        """Wait for each of these, in this order."""
        for text in texts:
            self.child.expect_exact(text)
            self.seen += self.child.before + self.child.after

    def type(self, line: str) -> None:
        self.child.sendline(line)

    def end(self, status: int = 0) -> str:
        """The whole output, once the command has ended with `status`."""
        self.child.expect(pexpect.EOF)
        self.child.close()
        shown = ANSI.sub("", self.seen + self.child.before)
        assert self.child.exitstatus == status, shown
        return shown

    def finish(self) -> str:
        """The whole output with its control sequences, once the command has ended."""
        self.child.expect(pexpect.EOF)
        self.child.close()
        assert self.child.exitstatus == 0
        return str(self.seen + self.child.before)

    def interrupt(self) -> None:
        self.child.sendintr()

    def close(self) -> None:
        self.child.close(force=True)


# Runs command lines one after the other in one process, each with the initial environment variables.
LOOP = """
import os, shlex, sys
from interactor_ext.cli import main
before = dict(os.environ)
for line in iter(sys.stdin.readline, ""):
    status = main(shlex.split(line))
    os.environ.clear()
    os.environ.update(before)
    print(f"[exit {status}]", flush=True)
"""


class Shell(Terminal):
    """A pseudo-terminal for many commands: they run in one process, because a short command mostly consists of its
    start."""

    program = ("-c", LOOP)
    echo = False

    def begin(self, line: str) -> None:
        """Start a command, without the name `interactor`."""
        self.seen = ""
        self.type(line)

    def until(self, *texts: str) -> None:
        for text in texts:
            assert self.child.expect_exact([text, "[exit "]) == 0, self.child.before
            self.seen += self.child.before + self.child.after

    def ended(self, status: int = 0) -> str:
        """The output since `begin`, once the command has ended with `status`."""
        self.child.expect(r"\[exit (\d+)\]\r\n")
        self.raw = self.seen + self.child.before
        shown = ANSI.sub("", self.raw).replace("\r\n", "\n")
        assert int(self.child.match[1]) == status, shown
        return shown

    def run(self, line: str, status: int = 0) -> str:
        self.begin(line)
        return self.ended(status)
