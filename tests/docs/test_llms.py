"""docs/llms.txt lists the pages of mkdocs.yml. `python -m tests.support.llms` writes it anew."""

from __future__ import annotations

import re

from tests.support.llms import DOCS, FILE, text


def outline(listing: str) -> list[str]:
    """Sections and links, in their order."""
    return [found[1] or found[0] for found in re.finditer(r"^## .+|^- \[.+?\]\((.+?)\)", listing, re.MULTILINE)]


def test_llms_txt_lists_the_pages_of_the_navigation_in_its_order() -> None:
    """Run `python -m tests.support.llms`."""
    links = outline(FILE.read_text(encoding="utf-8"))
    assert links == outline(text())
    assert [link for link in links if ".html" in link and not (DOCS / link.replace(".html", ".md")).exists()] == []
