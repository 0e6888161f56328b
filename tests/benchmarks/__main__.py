"""`make bench`: every claim of speed that the project makes, as a row, and docs/benchmarks.md with them.

Names of benchmarks as arguments pick some, and then the page stays as it is.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

from tests.benchmarks import page
from tests.benchmarks.measure import ROWS

names = sys.argv[1:] or sorted(path.stem.removesuffix("_bench") for path in Path(__file__).parent.glob("*_bench.py"))
for name in names:
    importlib.import_module(f"tests.benchmarks.{name}_bench").run()
if not sys.argv[1:]:
    page.write(ROWS)
