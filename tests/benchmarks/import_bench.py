"""What importing the SDK costs beside `import httpx`: CPU time of fresh processes, interleaved, medians."""

from __future__ import annotations

import os
import resource
import subprocess
import sys

from tests.benchmarks.measure import report

RIVALS = {
    "import httpx": "import httpx",
    "import interactor_ext": "import interactor_ext",
    # The package loads its parts when they are first named, so this is what a program pays in the end.
    "... and the client": "from interactor_ext import InteractorClient",
    "httpx and a client constructed": "import httpx; httpx.Client()",
    "the SDK and a client constructed": (
        "from interactor_ext import InteractorClient; InteractorClient(client_id='a', client_secret='b')"
    ),
}


# Where Python is told to keep no bytecode, each process would compile what has changed since it was kept.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def child_cpu(code: str) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", code], check=True, env=ENVIRONMENT)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def import_ratios(*, rounds: int = 10) -> dict[str, float]:
    """CPU of a fresh process over that of one with `import httpx` alone."""
    times: dict[str, list[float]] = {name: [] for name in RIVALS}
    for _ in range(rounds):
        for name, code in RIVALS.items():
            times[name].append(child_cpu(code))
    medians = {name: sorted(values)[len(values) // 2] for name, values in times.items()}
    return report("import (a fresh process)", medians, calls=1, against="import httpx")


def run() -> None:
    import_ratios()
