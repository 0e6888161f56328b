"""Runs a program with other environment variables, passes signals on to it, and returns its exit status."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import FrameType

from interactor_ext.cli.output import complain

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2")
_PASSED_ON = tuple(getattr(signal, name) for name in _NAMES if hasattr(signal, name))
# A terminal sends these to all processes in its foreground, the program included.
_OF_TERMINALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGQUIT") if hasattr(signal, name))
# As shells have it.
_NOT_FOUND, _NOT_EXECUTABLE, _ENDED_BY_SIGNAL = 127, 126, 128


def run_program(command: Sequence[str], variables: Mapping[str, str | None]) -> int:
    """The exit status of `command`, as a shell would give it. A variable that is None is removed."""
    environment = {name: value for name, value in {**os.environ, **variables}.items() if value is not None}
    try:
        program = subprocess.Popen(command, env=environment)  # noqa: S603  # what the user asks for
    except OSError as error:
        complain(OSError(f"can't run {command[0]}: {error.strerror}"), verbose=False)
        return _NOT_FOUND if isinstance(error, FileNotFoundError) else _NOT_EXECUTABLE

    def pass_on(number: int, frame: FrameType | None) -> None:
        if number not in _OF_TERMINALS or not sys.stdin.isatty():
            program.send_signal(number)

    with signals_handled(_PASSED_ON, pass_on):
        status = program.wait()
    return status if status >= 0 else _ENDED_BY_SIGNAL - status


@contextmanager
def signals_handled(numbers: Iterable[int], handler: Callable[[int, FrameType | None], object]) -> Iterator[None]:
    """Signals go to `handler` while the block runs."""
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)
