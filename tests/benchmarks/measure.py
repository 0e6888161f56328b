"""CPU seconds of rivals in one run: interleaved, medians, told as ratios. Wall time would measure the neighbours."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple


class Row(NamedTuple):
    """What one rival costs: CPU time a call, and how many times that of the one it is compared with."""

    title: str
    name: str
    microseconds: float
    ratio: float


ROWS: list[Row] = []
"""All that was reported so far."""


def cpu_medians(rivals: Mapping[str, Callable[[], object]], *, rounds: int = 9) -> dict[str, float]:
    """The median CPU time of each rival, in seconds. One warm-up round, then every rival once a round, in any order,
    for whoever ran before has filled the caches.
    """
    times: dict[str, list[float]] = {name: [] for name in rivals}
    for round_number in range(rounds + 1):
        for name in random.sample(list(rivals), len(rivals)):
            before = time.process_time()
            rivals[name]()
            if round_number:
                times[name].append(time.process_time() - before)
    return {name: statistics.median(values) for name, values in times.items()}


def report(title: str, medians: Mapping[str, float], *, calls: int, against: str) -> dict[str, float]:
    """Print one row a rival; returns the ratios to `against`."""
    ratios = {name: seconds / medians[against] for name, seconds in medians.items()}
    print(title)
    for name, seconds in medians.items():
        ROWS.append(Row(title, name, seconds / calls * 1e6, ratios[name]))
        print(f"  {name:<36}{ROWS[-1].microseconds:>12.1f} us CPU a call{ratios[name]:>9.2f} x")
    return ratios
