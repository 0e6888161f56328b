"""README and docs/: length, navigation and links. `make docs` checks the links between pages, and their anchors."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support import llms
from tests.support.pages import BLOCK, DOCS, ROOT, blocks, pages

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


def test_links_of_the_readme_are_absolute_on_a_package_index() -> None:
    """`substitutions` in pyproject.toml edits them when the package is built."""
    hook = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["metadata"]["hooks"]
    [rule] = hook["fancy-pypi-readme"]["substitutions"]
    text = re.sub(rule["pattern"], rule["replacement"], (ROOT / "README.md").read_text())
    assert [link for link in re.findall(r"\]\(([^)]*)", text) if not link.startswith("https://")] == []


def test_every_page_is_in_the_navigation_once() -> None:
    """Add the page to `nav` in mkdocs.yml."""
    assert Counter(entries(MKDOCS["nav"])) == Counter(page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md"))


def test_start_page_links_to_every_guide() -> None:
    """Add the page to the table of docs/index.md."""
    guides = [page for page in entries(MKDOCS["nav"]) if page.startswith("how-to/")]
    linked = set(re.findall(r"\]\(([^)#]+)", (DOCS / "index.md").read_text()))
    assert [guide for guide in guides if guide not in linked] == []


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "SECURITY.md"])
def test_relative_links_lead_to_a_file_and_a_heading(name: str) -> None:
    page = ROOT / name
    for link in re.findall(r"\]\(([^)\s]+)\)", BLOCK.sub("", page.read_text())):
        path, _, anchor = link.partition("#")
        if not link.startswith(("http:", "https:")):
            target = page.parent / path if path else page
            assert target.exists(), link
            assert not anchor or anchor in anchors(target), link


def test_what_contributing_and_messages_of_tests_name_is_there(subtests: pytest.Subtests) -> None:
    """`NAME` of, in or (`folder/FILE`): the file is there, and the name is in it."""
    sources = [ROOT / "CONTRIBUTING.md", *(ROOT / "tests").rglob("*.py"), *(ROOT / "generator-templates").glob("*.py")]
    text = "\n".join(source.read_text(encoding="utf-8") for source in sources)
    named = re.findall(
        r"(?:^|[\s`])([\w.]*[A-Z_]\w*)`?,?\s+(?:of|in|\()\s*`?([\w.-]+/[\w./-]+\.\w+)\b", text, re.MULTILINE
    )
    assert len(named) > 10
    for name, path in named:
        with subtests.test(name=name, path=path):
            assert re.search(rf"\b{name.rpartition('.')[2]}\b", (ROOT / path).read_text(encoding="utf-8"))
    contributing = sources[0].read_text(encoding="utf-8")
    for path in set(
        re.findall(r"[`\s]((?:interactor_\w+|tests|docs)/[\w./-]*\w|[\w.-]+/[\w/-]+\.\w+)[`\s]", contributing)
    ):
        with subtests.test(path=path):
            assert (ROOT / path).exists()


def anchors(page: Path) -> set[str]:
    """The anchors of the headings."""
    headings = re.findall(r"^#+ (.+)$", BLOCK.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_pictures_for_both_schemes_appear_once_on_github(subtests: pytest.Subtests) -> None:
    """A <picture> has a dark and a light one. GitHub shows both of a pair with #only-dark and #only-light."""
    for page in pages():
        with subtests.test(page=page):
            assert "#only-" not in page.read_text()
            for name in re.findall(r'(?:srcset|src)="([^"]+)"', page.read_text()):
                assert name.startswith("/interactor") or (page.parent / name).is_file(), name


def test_code_of_a_page_is_read_by_the_tests_and_stands_below_what_it_needs(subtests: pytest.Subtests) -> None:
    """A fence stands at the start of its line, names its language, and is closed.

    Below the title: "> Needs `pip install ...`, `INTERACTOR_...` and `INTERACTOR_...`."
    """
    for page in pages():
        with subtests.test(page=page):
            text, code = page.read_text(), list(blocks(page))
            assert len(re.findall(r"^[ >]*(?:```|~~~)", text, re.MULTILINE)) == 2 * len(code)
            first = next((block.line for block in code if block.runs or block.title), 0)
            above = "\n".join(text.splitlines()[:first])
            assert not first or re.search(r"^> Needs .*`pip install ", above, re.MULTILINE)


def test_llms_txt_lists_the_pages_of_the_navigation_in_its_order() -> None:
    """Run `python -m tests.support.llms`."""
    listed, expected = (
        re.findall(r"^## .+|\(\S+?\.html\)", listing, re.MULTILINE)
        for listing in (llms.FILE.read_text(encoding="utf-8"), llms.text())
    )
    assert listed == expected
