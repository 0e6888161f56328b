"""docs/benchmarks.md and its plot, from the rows of one run of all benchmarks."""

from __future__ import annotations

import math
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape
from importlib.metadata import version
from itertools import groupby
from pathlib import Path

from tests.benchmarks.measure import Row

DOCS = Path(__file__).parents[2] / "docs"
MARK = "<!-- `make bench` writes what follows. -->\n"
RIVALS = ("httpx", "httpx2", "aiohttp", "urllib3", "pyreqwest", "openai", "standardwebhooks")
# Of the plot, in pixels.
WIDTH, LINE, LABELS = 760, 18, 280


def write(rows: Sequence[Row]) -> None:
    page = DOCS / "benchmarks.md"
    by_hand = page.read_text(encoding="utf-8").partition(MARK)[0]
    page.write_text(f"{by_hand}{MARK}\n{table(rows)}", encoding="utf-8")
    (DOCS / "benchmarks.svg").write_text(plot(rows), encoding="utf-8")


def table(rows: Sequence[Row]) -> str:
    versions = ", ".join(f"{name} {version(name)}" for name in RIVALS)
    where = f"Python {platform.python_version()}, {platform.system()} on {platform.machine()}"
    lines = [f"Measured on {datetime.now(UTC):%Y-%m-%d} with {where}; {versions}.", ""]
    lines += ["| what | whose | ratio |", "|---|---|---:|"]
    for title, group in groupby(rows, key=lambda row: row.title):
        first, *others = group
        unit = f" ({first.microseconds:,.1f} µs)" if first.ratio == 1 else ""
        lines += [f"| {title} | {first.name}{unit} | {first.ratio:.2f} |"]
        lines += [f"| | {row.name} | {row.ratio:.2f} |" for row in others]
    return "\n".join(lines) + "\n"


def plot(rows: Sequence[Row]) -> str:
    """Bars on a logarithmic scale: to the right of the line what costs more than what it is compared with."""
    logs = [math.log2(row.ratio) for row in rows]
    step = (WIDTH - LABELS - 60) / (max(*logs, 1) - min(*logs, -1))
    zero = LABELS - min(*logs, -1) * step
    shapes, y = [], 0
    for title, group in groupby(rows, key=lambda row: row.title):
        y += 2 * LINE
        shapes.append(f'<text x="0" y="{y}" font-weight="bold">{escape(title)}</text>')
        for row in group:
            y += LINE
            end = zero + math.log2(row.ratio) * step
            left, width = min(zero, end), max(abs(end - zero), 1)
            shapes.append(f'<text x="12" y="{y}">{escape(row.name)}</text>')
            shapes.append(f'<rect x="{left:.1f}" y="{y - 10}" width="{width:.1f}" height="12" fill="#009485"/>')
            shapes.append(f'<text x="{max(zero, end) + 4:.1f}" y="{y}">{row.ratio:.2f}</text>')
    shapes.append(f'<path d="M{zero:.1f} {LINE}V{y + LINE}" stroke="#888"/>')
    size = f'width="{WIDTH}" height="{y + LINE}" viewBox="0 0 {WIDTH} {y + LINE}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="12" fill="#7d7d7d">'
    return "\n".join([head, "<title>CPU time of each rival as a ratio</title>", *shapes, "</svg>"]) + "\n"
