"""Interrupts code in each of its lines, one line per run, the way Ctrl-C or a signal handler that raises can."""

from __future__ import annotations

import gc
import linecache
import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any


class Interrupt(BaseException):
    pass


def runs_interrupted_in_each_line(
    run: Callable[[], object], within: tuple[str, ...] = ("interactor_ext", "threading", "concurrent/futures", "queue")
) -> Iterator[int]:
    """Call `run` repeatedly, interrupted in its first line, its second and so on, until it completes.

    Only counts lines of modules whose path contains one of `within`. Yields after each interrupted run.
    """
    number = 1
    while _interrupted(run, number, within):
        yield number
        number += 1


def _interrupted(run: Callable[[], object], number: int, within: tuple[str, ...]) -> bool:
    seen = 0

    def count() -> None:
        nonlocal seen
        seen += 1
        if seen == number:
            sys.settrace(None)
            raise Interrupt

    def trace_call(frame: FrameType, event: str, argument: Any) -> Any:
        if not any(part in frame.f_code.co_filename for part in within):
            return trace_call
        if frame.f_code.co_qualname == "_LockOf314.__enter__":
            return None  # it calls nothing, so the interpreter handles no signal once the lock is taken
        entered: set[int] = set()

        def trace(frame: FrameType, event: str, argument: Any) -> Any:
            if event == "line":
                # The interpreter handles signals after calls and jumps, but neither at a `try` nor at a `with` before
                # its exit, where tracing stops a second time.
                line = linecache.getline(frame.f_code.co_filename, frame.f_lineno).strip()
                if line == "try:" or (line.startswith("with ") and frame.f_lineno in entered):
                    return trace
                entered.add(frame.f_lineno)
            if event in {"line", "return"}:
                count()
            return trace

        return trace

    before = sys.gettrace()
    gc.disable()  # what an earlier test has left could be collected, and interrupted, in the run
    sys.settrace(trace_call)
    try:
        run()
    except Interrupt:
        return True
    finally:
        sys.settrace(before)
        gc.enable()
    return seen >= number
