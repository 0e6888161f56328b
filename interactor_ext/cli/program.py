"""Runs a program with changed environment variables, passes signals on to it, and returns its exit status."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from types import FrameType

from interactor_ext.cli.output import complain

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2")
_FORWARDED_SIGNALS = tuple(getattr(signal, name) for name in _NAMES if hasattr(signal, name))
# A terminal sends these to all foreground processes, including the program.
_TERMINAL_SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGQUIT") if hasattr(signal, name))
# The shells' convention.
NOT_FOUND, _NOT_EXECUTABLE, _ENDED_BY_SIGNAL = 127, 126, 128


def run_program(
    command: Sequence[str], variables: Mapping[str, str | None], announce: Callable[[], object] = lambda: None
) -> int:
    """Run `command` and return its exit status as a shell would. A variable that is None is removed.

    `announce` is called once signals are passed on.
    """
    environment = {name: value for name, value in os.environ.items() if name not in variables}
    environment |= {name: value for name, value in variables.items() if value is not None}
    early: list[int] = []
    program: subprocess.Popen[bytes] | None = None

    def pass_on(number: int, frame: FrameType | None) -> None:
        if program is None:
            early.append(number)
        elif number not in _TERMINAL_SIGNALS or not _is_in_foreground():
            program.send_signal(number)

    with signals_handled(_FORWARDED_SIGNALS, pass_on):
        announce()
        try:
            program = subprocess.Popen(command, env=environment)  # noqa: S603  # the user's command
        except OSError as error:
            complain(OSError(f"can't run {command[0]}: {error.strerror}"), verbose=False)
            return NOT_FOUND if isinstance(error, FileNotFoundError) else _NOT_EXECUTABLE
        for number in early:
            program.send_signal(number)
        status = _wait(program)
    return status if status >= 0 else _ENDED_BY_SIGNAL - status


def _wait(program: subprocess.Popen[bytes]) -> int:
    while True:
        # In short waits: a signal right before a longer wait would only be handled after it.
        with suppress(subprocess.TimeoutExpired):
            return program.wait(timeout=1)


@contextmanager
def signals_handled(numbers: Iterable[int], handler: Callable[[int, FrameType | None], object]) -> Iterator[None]:
    """Handle signals with `handler` while the block runs."""
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)


def _is_in_foreground() -> bool:
    """Whether the terminal sends Ctrl-C to this process."""
    with suppress(OSError, AttributeError):
        terminal = os.open("/dev/tty", os.O_RDONLY)
        try:
            return os.tcgetpgrp(terminal) == os.getpgrp()
        finally:
            os.close(terminal)
    return False
