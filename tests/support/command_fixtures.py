"""Pytest fixtures that run commands of `interactor`, in a pseudo-terminal and in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

# Its consoles look for a terminal when they are created, and some tests pretend that there is one, so create them
# first.
import interactor_ext.cli.output  # noqa: F401
from interactor_ext.cli import main
from interactor_ext.sandbox import Sandbox
from tests.support.terminal import Shell, Terminal
from tests.support.webhook_deliveries import SECRET


@pytest.fixture
def terminal(sandbox: Sandbox) -> Iterator[Callable[..., Terminal]]:
    terminals: list[Terminal] = []

    def start(*arguments: str, **env: str) -> Terminal:
        terminals.append(Terminal({**sandbox.env, **env}, *arguments))
        return terminals[-1]

    yield start
    for each in terminals:
        each.close()


@pytest.fixture(scope="session")
def shell_of_all_tests(sandbox_server: Sandbox) -> Iterator[Shell]:
    shell = Shell(sandbox_server.env)
    yield shell
    shell.close()


@pytest.fixture
def shell(shell_of_all_tests: Shell, sandbox: Sandbox) -> Shell:
    """A pseudo-terminal for many commands on the sandbox, in its initial state. Its process serves all tests."""
    return shell_of_all_tests


@pytest.fixture
def in_sandbox(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands in this process use the sandbox."""
    for name, value in {**sandbox.env, "INTERACTOR_WEBHOOK_SECRET": SECRET, "COLUMNS": "300"}.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def shown_by(
    in_sandbox: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """Run a command in this process, much faster than in a new one; returns its output."""

    def run(*arguments: str, status: int = 0, **env: str) -> str:
        with monkeypatch.context() as patch:
            for name, value in env.items():
                patch.setenv(name, value)
            ended = main([*arguments])
        shown = "".join(capsys.readouterr())
        assert ended == status, shown
        return shown

    return run


@pytest.fixture
def as_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make commands in this process treat their output as a terminal."""
    monkeypatch.setattr("rich.console.Console.is_terminal", True)


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> list[str | type[BaseException]]:
    """The input lines for a command in this process; an exception class stands for Ctrl-C or Ctrl-D."""
    lines: list[str | type[BaseException]] = []

    def read(prompt: str = "") -> str:
        line = lines.pop(0)
        if isinstance(line, str):
            return line
        raise line

    monkeypatch.setattr("builtins.input", read)
    return lines
