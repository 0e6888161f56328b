"""Tells linear work from quadratic work, whatever the machine's speed and load."""

from __future__ import annotations

import time
from collections.abc import Callable

TIMES = 64
ATTEMPTS = 20
LIMIT = 10


def assert_linear_time(task: Callable[[int], Callable[[], object]], size: int) -> None:
    """Fail if `task(TIMES * size)` costs much more than `TIMES` runs of `task(size)`.

    `task` prepares the work for an input of some size, and returns the function that does it. Both sides handle the
    same amount of input and are measured next to each other in CPU time of this thread, so whatever slows the machine
    slows both. Linear work has a ratio of about 1, quadratic work of about 64. One attempt below `LIMIT` suffices:
    disturbances can hide linear work, but can't make quadratic work cheap.
    """
    ratios = []
    for _ in range(ATTEMPTS):
        small, large = [task(size) for _ in range(TIMES)], task(TIMES * size)
        cost = _cpu_time(small)
        ratios.append(_cpu_time([large]) / cost)
        if ratios[-1] < LIMIT:
            return
    raise AssertionError(f"not linear: {TIMES} times the input costs {min(ratios):.0f} times as much per part")


def _cpu_time(runs: list[Callable[[], object]]) -> float:
    began = time.thread_time()
    for run in runs:
        run()
    return time.thread_time() - began
