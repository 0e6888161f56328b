"""What importing the SDK and making a client cost beside httpx: CPU time of fresh processes, interleaved, medians.

In an environment of the package and its extras alone: httpx imports what it finds, and in that of the tests it finds
trio, h2 and more.
"""

from __future__ import annotations

import os
import resource
import subprocess
import tempfile
from importlib.metadata import metadata
from pathlib import Path

from tests.benchmarks.measure import report
from tests.support.part_of_environment import python_with_only

PACKAGE = "interactor-sdk"
IMPORTS = {
    "import httpx": "import httpx",
    "import interactor_ext": "import interactor_ext",
    # The package loads its parts when they are first named, so this is what a program pays in the end.
    "... and the client": "from interactor_ext import InteractorClient",
}
CLIENTS = {
    "httpx": "import httpx; httpx.Client()",
    "interactor_ext": (
        "from interactor_ext import InteractorClient; InteractorClient(client_id='a', client_secret='b')"
    ),
}


# Where Python is told to keep no bytecode, each process would compile what has changed since it was kept.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def child_cpu(python: Path, code: str) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([python, "-c", code], check=True, env=ENVIRONMENT, cwd=python.parent)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def run(*, rounds: int = 15) -> None:
    rivals = {**IMPORTS, **CLIENTS}
    times: dict[str, list[float]] = {name: [] for name in rivals}
    with tempfile.TemporaryDirectory() as folder:
        extras = ",".join(metadata(PACKAGE).get_all("Provides-Extra") or ())
        python = python_with_only(Path(folder), frozenset({f"{PACKAGE}[{extras}]"}))
        for round_number in range(rounds + 1):
            for name, code in rivals.items():
                seconds = child_cpu(python, code)
                if round_number:  # the first one compiles
                    times[name].append(seconds)
    medians = {name: sorted(values)[len(values) // 2] for name, values in times.items()}
    for title, names, against in (
        ("import (a fresh process)", IMPORTS, "import httpx"),
        ("import and a client constructed (a fresh process)", CLIENTS, "httpx"),
    ):
        report(title, {name: medians[name] for name in names}, calls=1, against=against)
