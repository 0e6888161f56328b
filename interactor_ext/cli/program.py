"""Runs a program with other environment variables, passes signals on to it, and returns its exit status."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from types import FrameType

from interactor_ext.cli.output import complain

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2")
_PASSED_ON = tuple(getattr(signal, name) for name in _NAMES if hasattr(signal, name))
# A terminal sends these to all processes in its foreground, the program included.
_OF_TERMINALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGQUIT") if hasattr(signal, name))
# As shells have it.
NOT_FOUND, _NOT_EXECUTABLE, _ENDED_BY_SIGNAL = 127, 126, 128


def run_program(
    command: Sequence[str], variables: Mapping[str, str | None], announce: Callable[[], object] = lambda: None
) -> int:
    """The exit status of `command`, as a shell would give it. A variable that is None is removed.

    `announce` is called when signals are passed on already.
    """
    environment = {name: value for name, value in os.environ.items() if name not in variables}
    environment |= {name: value for name, value in variables.items() if value is not None}
    early: list[int] = []
    program: subprocess.Popen[bytes] | None = None

    def pass_on(number: int, frame: FrameType | None) -> None:
        if program is None:
            early.append(number)
        elif number not in _OF_TERMINALS or not _is_in_foreground():
            program.send_signal(number)

    with signals_handled(_PASSED_ON, pass_on):
        announce()
        try:
            program = subprocess.Popen(command, env=environment)  # noqa: S603  # what the user asks for
        except OSError as error:
            complain(OSError(f"can't run {command[0]}: {error.strerror}"), verbose=False)
            return NOT_FOUND if isinstance(error, FileNotFoundError) else _NOT_EXECUTABLE
        for number in early:
            program.send_signal(number)
        status = _wait(program)
    return status if status >= 0 else _ENDED_BY_SIGNAL - status


def _wait(program: subprocess.Popen[bytes]) -> int:
    while True:
        # In pieces: a signal that comes right before the wait would else be handled after it.
        with suppress(subprocess.TimeoutExpired):
            return program.wait(timeout=1)


@contextmanager
def signals_handled(numbers: Iterable[int], handler: Callable[[int, FrameType | None], object]) -> Iterator[None]:
    """Signals go to `handler` while the block runs."""
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)


def _is_in_foreground() -> bool:
    """Whether this process belongs to those that the terminal sends Ctrl-C to."""
    with suppress(OSError, AttributeError):
        terminal = os.open("/dev/tty", os.O_RDONLY)
        try:
            return os.tcgetpgrp(terminal) == os.getpgrp()
        finally:
            os.close(terminal)
    return False
