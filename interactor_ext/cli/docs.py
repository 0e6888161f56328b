"""`interactor docs`: searches and shows pages of the documentation, offline."""

from __future__ import annotations

import pydoc
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from interactor_ext._engine.errors import ConfigurationError
from interactor_ext.cli.output import write, write_markdown

_MAX_FOUND = 8
_ENTRY = re.compile(r"^(?:## (?P<section>.+)|- \[(?P<title>.+?)\]\((?P<name>[^)]+)\.html\): (?P<about>.*))$", re.M)
# A heading, or a code block, in which a # begins a comment.
_HEADING = re.compile(r"^(?:```.*?^```|#{1,4} (?P<heading>.+?)$)", re.M | re.S)
_LINK_TARGET = re.compile(r"(?<=\])\([^)\s]*\)")
# A directive that the site replaces with a module's docstrings.
_MODULE = re.compile(r"^::: (?P<name>\S+)\n(?:    .*\n|\n)*", re.M)


class Page(NamedTuple):
    name: str
    title: str
    about: str
    section: str


class Found(NamedTuple):
    page: str
    title: str
    heading: str
    excerpt: str


def _folder() -> Path:
    """Return the folder of the pages, in a wheel or a clone."""
    packed = Path(__file__).with_name("pages")
    return packed if packed.exists() else Path(__file__).parents[2] / "docs"


@cache
def pages() -> dict[str, Page]:
    """Return every page by name, such as how-to/webhooks, in navigation order."""
    found: dict[str, Page] = {}
    section = ""
    for match in _ENTRY.finditer((_folder() / "llms.txt").read_text(encoding="utf-8")):
        section = match["section"] or section
        if match["name"]:
            found[match["name"]] = Page(match["name"], match["title"], match["about"], section)
    return found


def text_of(name: str) -> str:
    """Return a page as Markdown. Raises ConfigurationError if it doesn't exist."""
    name = name.strip().removesuffix(".md").removesuffix(".html")
    if name not in pages():
        raise ConfigurationError(f"There is no page {name!r}. Run `interactor docs` to list all pages.")
    return _MODULE.sub(_described, _source(name))


def search(words: str) -> list[Found]:
    """Return the parts of pages that contain all words, or else some of them, the best first."""
    quoted = [f'"{word}"' for word in re.findall(r"\w+", words)]
    with closing(sqlite3.connect(":memory:")) as db:
        # A title counts more than a heading, and a heading more than the text.
        db.execute("CREATE VIRTUAL TABLE parts USING fts5(name UNINDEXED, title, heading, text, tokenize='porter')")
        db.executemany("INSERT INTO parts VALUES (?, ?, ?, ?)", _parts())
        ranked = (
            "SELECT name, title, heading, snippet(parts, 3, '', '', ' ... ', 24) FROM parts WHERE parts MATCH ? "
            "ORDER BY bm25(parts, 0, 8, 4, 1) LIMIT ?"
        )
        for together in (" AND ", " OR "):
            found = db.execute(ranked, (together.join(quoted), _MAX_FOUND)).fetchall() if quoted else []
            if found:
                break
    return [Found(*map(_on_one_line, each)) for each in found]


def _parts() -> Iterator[tuple[str, str, str, str]]:
    """Yield the name and title of a page, and each heading with the text below it."""
    for page in pages().values():
        text = _source(page.name)
        heads = [match for match in _HEADING.finditer(text) if match["heading"]]
        if not heads or _MODULE.search(text):
            yield page.name, page.title, "", page.about
        for number, head in enumerate(heads, 1):
            end = heads[number].start() if number < len(heads) else len(text)
            heading = "" if head is heads[0] else head["heading"]
            yield page.name, page.title, heading, _LINK_TARGET.sub("", text[head.end() : end])


def _source(name: str) -> str:
    return (_folder() / f"{name}.md").read_text(encoding="utf-8")


def _described(match: re.Match[str]) -> str:
    """Return what Python's `help` shows for a module."""
    try:
        described = pydoc.plain(pydoc.render_doc(match["name"], title="%s"))
    except (ImportError, pydoc.ErrorDuringImport) as error:
        described = f"{match['name']} can't be imported: {error}"
    return f"```text\n{described}\n```\n"


def _on_one_line(text: str) -> str:
    return " ".join(text.split())


def docs(
    words: Annotated[list[str] | None, typer.Argument(help="Words to search for, or the name of a page.")] = None,
) -> None:
    """Search the documentation, or show a page. Without words, list all pages. Works offline."""
    wanted = " ".join(words or ())
    if wanted in pages():
        write_markdown(text_of(wanted))
        return
    if not wanted:
        section = ""
        for page in pages().values():
            if page.section != section:
                section = page.section
                write(f"\n{section}", "bold")
            write(f"  {page.name:<36}", "cyan", end="")
            write(page.title)
        return
    found = search(wanted)
    if not found:
        raise ConfigurationError(f"No page contains {wanted!r}. Run `interactor docs` to list all pages.")
    for each in found:
        write(f"{each.page}  ", "cyan", end="")
        write(" > ".join(filter(None, (each.title, each.heading))), "bold")
        write(f"    {each.excerpt}")
    write(f"\nShow a page: interactor docs {found[0].page}", "dim")
