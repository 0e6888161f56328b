"""`make bench`: every claim of speed that the project makes, as a row. Names of benchmarks as arguments pick some."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

names = sys.argv[1:] or sorted(path.stem.removesuffix("_bench") for path in Path(__file__).parent.glob("*_bench.py"))
for name in names:
    importlib.import_module(f"tests.benchmarks.{name}_bench").run()
