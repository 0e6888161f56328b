"""docs/benchmarks.md and its plot, as `make bench` writes them."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.benchmarks.measure import Row
from tests.benchmarks.page import DOCS, MARK, plot, write

SVG = "{http://www.w3.org/2000/svg}"
ROWS = [
    Row("a call", "httpx", 100.0, 1.0),
    Row("a call", "ours & <theirs>", 105.0, 1.05),
    Row("a stream", "cheaper", 50.0, 0.5),
    Row("a stream", "dearer", 1400.0, 14.0),
]


def test_run_of_the_benchmarks_replaces_the_table_and_keeps_the_text(tmp_path: Path) -> None:
    pytest.importorskip("standardwebhooks", reason="pip install --group bench")
    (tmp_path / "benchmarks.md").write_text(f"# Benchmarks\n\nBy hand.\n\n{MARK}\nof an earlier run\n")
    write(ROWS, tmp_path)
    page = (tmp_path / "benchmarks.md").read_text()
    assert page.startswith(f"# Benchmarks\n\nBy hand.\n\n{MARK}\nMeasured on ")
    assert "| a stream | dearer | 1,400.0 | 14.00 |\n" in page
    assert "earlier" not in page
    assert (tmp_path / "benchmarks.svg").read_text() == plot(ROWS)


def test_plot_has_a_bar_for_each_row_on_the_side_of_its_ratio() -> None:
    picture = ElementTree.fromstring(plot(ROWS))
    (line,) = picture.iter(f"{SVG}path")
    one = float(line.attrib["d"][1:].split()[0])
    bars = [(float(bar.attrib["x"]), float(bar.attrib["width"])) for bar in picture.iter(f"{SVG}rect")]
    assert [left < one for left, _ in bars] == [False, False, True, False]
    assert all(left > 0 and left + width < float(picture.attrib["width"]) for left, width in bars)
    assert "ours & <theirs>" in [text.text for text in picture.iter(f"{SVG}text")]


def test_committed_plot_shows_the_ratios_of_the_committed_table() -> None:
    table = re.findall(r"^\| .* \| (.*) \| [\d,.]+ \| ([\d.]+) \|$", (DOCS / "benchmarks.md").read_text(), re.MULTILINE)
    texts = [text.text for text in ElementTree.parse(DOCS / "benchmarks.svg").iter(f"{SVG}text")]
    assert len(table) > 20
    assert [text for text in texts if text in {ratio for _, ratio in table}] == [ratio for _, ratio in table]
    assert {name for name, _ in table} <= set(texts)
