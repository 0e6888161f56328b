"""What a call in a new namespace costs once a client has served 30,000 others: CPU time, and the memory they take."""

from __future__ import annotations

import tracemalloc
from itertools import count

from interactor_ext import InteractorClient
from tests.benchmarks.call_bench import settings
from tests.benchmarks.call_server import serving
from tests.benchmarks.measure import cpu_medians, report

MANY, CALLS = 30_000, 300


def run() -> None:
    with serving() as url, InteractorClient(**settings(url)) as fresh, InteractorClient(**settings(url)) as used:
        numbers = count()

        def calls(client: InteractorClient, number: int) -> None:
            for _ in range(number):
                client.namespace(f"tenant_{next(numbers)}").assistants.get("asst_1")

        calls(used, CALLS)  # loads what calls need
        tracemalloc.start()
        calls(used, MANY)
        kept = tracemalloc.get_traced_memory()[1] / 1e6  # the peak: full tables are emptied
        tracemalloc.stop()
        after = f"after {MANY:,} others ({kept:.1f} MB at most)"
        medians = cpu_medians({"by a fresh client": lambda: calls(fresh, CALLS), after: lambda: calls(used, CALLS)})
    report("a view and a call of a new namespace", medians, calls=CALLS, against="by a fresh client")
