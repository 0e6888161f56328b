"""docs/llms.txt, the list of pages for language models (llmstxt.org), from mkdocs.yml and the pages.

`python -m tests.support.llms` writes it.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
FILE = DOCS / "llms.txt"
SITE: dict[str, Any] = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))


def pages(entries: list[Any], title: str = "") -> Iterator[tuple[str, str]]:
    """The titles in nav, "" for none, and the paths."""
    for entry in entries:
        if isinstance(entry, str):
            yield title, entry
        else:
            for name, inner in entry.items():
                yield from pages(inner, "") if isinstance(inner, list) else [(name, inner)]


def line(title: str, path: str) -> str:
    text = (DOCS / path).read_text(encoding="utf-8")
    heading = re.search(r"^# (.+)$", text, re.MULTILINE)
    if heading is None:  # a page that is a module's docstring
        about = str(importlib.import_module(title).__doc__)
    else:
        title = heading[1]
        paragraphs = text[heading.end() :].split("\n\n")
        about = next((each for each in paragraphs if re.match(r"(?!For )[A-Z`\[]", each.strip())), "")
    about = re.sub(r"\[([^]]+)\]\([^)]+\)", r"\1", " ".join(about.split()))
    sentence = re.split(r"(?<=[.!?])\s", about)[0].rstrip(":")
    return f"- [{title}]({path.removesuffix('.md')}.html): {sentence}"


def text() -> str:
    parts = [f"# {SITE['site_name']}", f"> {SITE['site_description']} Python 3.11 and newer, sync and async."]
    alone = [entry for entry in SITE["nav"] if isinstance(next(iter(entry.values())), str)]
    sections = {"Start": alone}
    for entry in SITE["nav"]:
        sections |= {} if entry in alone else entry
    for section, entries in sections.items():
        parts.append(f"## {section}")
        parts.append("\n".join(line(title, path) for title, path in pages(entries)))
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
