"""README and docs/: length, navigation and links. `make docs` checks the links between pages, and their anchors."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.pages import BLOCK, DOCS, ROOT, blocks, name, pages

MKDOCS = yaml.safe_load((ROOT / "mkdocs.yml").read_text())


def entries(nav: Any) -> Iterator[str]:
    """The pages of the navigation, in its order."""
    if isinstance(nav, str):
        yield nav
    else:
        for entry in nav.values() if isinstance(nav, dict) else nav:
            yield from entries(entry)


def test_readme_has_at_most_250_lines() -> None:
    """Put what is longer into a page of docs/."""
    assert len((ROOT / "README.md").read_text().splitlines()) <= 250


def test_every_page_is_in_the_navigation_once() -> None:
    """Add the page to `nav` in mkdocs.yml."""
    assert Counter(entries(MKDOCS["nav"])) == Counter(page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md"))


def test_start_page_links_to_every_guide() -> None:
    """Add the page to the table of docs/index.md."""
    guides = [page for page in entries(MKDOCS["nav"]) if page.startswith("how-to/")]
    linked = set(re.findall(r"\]\(([^)#]+)", (DOCS / "index.md").read_text()))
    assert [guide for guide in guides if guide not in linked] == []


@pytest.mark.parametrize("page", [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md"], ids=name)
def test_relative_links_lead_to_a_file_and_a_heading(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", BLOCK.sub("", page.read_text())):
        path, _, anchor = link.partition("#")
        if not link.startswith(("http:", "https:")):
            target = page.parent / path if path else page
            assert target.exists(), link
            assert not anchor or anchor in anchors(target), link


def anchors(page: Path) -> set[str]:
    """The anchors of the headings."""
    headings = re.findall(r"^#+ (.+)$", BLOCK.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", pages(), ids=name)
def test_every_fence_of_code_is_read_by_the_tests(page: Path) -> None:
    """A fence stands at the start of its line, names its language, and is closed."""
    fences = len(re.findall(r"^[ >]*(?:```|~~~)", page.read_text(), re.MULTILINE))
    assert fences == 2 * len(list(blocks(page)))


@pytest.mark.parametrize("page", pages(), ids=name)
def test_blocks_stand_below_what_they_need(page: Path) -> None:
    """Below the title: "> Needs `pip install ...`, `INTERACTOR_...` and `INTERACTOR_...`."""
    first = next((block.line for block in blocks(page) if block.runs or block.title), None)
    if first is not None:
        above = "\n".join(page.read_text().splitlines()[:first])
        assert re.search(r"^> Needs .*`pip install ", above, re.MULTILINE)
