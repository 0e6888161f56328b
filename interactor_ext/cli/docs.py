"""`interactor docs`: searches and shows pages of the documentation, offline."""

from __future__ import annotations

import inspect
import pydoc
import re
import sqlite3
import tomllib
from collections.abc import Iterator
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from interactor_ext._engine.errors import ConfigurationError
from interactor_ext.cli.output import on_one_line, write, write_markdown, write_sections

_MAX_FOUND = 8
# Words of questions that say nothing of their subject.
_STOP_WORDS = frozenset(
    re.findall(
        r"\w+",
        "a an the i my me we you it its is are was be been do does did can could should would will how what which "
        "where when who why to of in on at by for from with and or if that this there have has had need use using "
        "get make so as into",
    )
)
_ENTRY = re.compile(r"^(?:## (?P<section>.+)|- \[(?P<title>.+?)\]\((?P<name>[^)]+)\.html\): (?P<about>.*))$", re.M)
# A heading, or a code block, in which a # begins a comment.
_HEADING = re.compile(r"^(?:```.*?^```|#{1,4} (?P<heading>.+?)$)", re.M | re.S)
_LINK_TARGET = re.compile(r"(?<=\])\([^)\s]*\)")
# A directive that the site replaces with a file of the page's folder.
_FILE = re.compile(r'^--8<-- "(?P<name>\S+)"$', re.M)
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


def name_of(words: str) -> str:
    """Return a page's name, as how-to/webhooks for how-to/webhooks.md#flask, without a file ending or an anchor."""
    return re.sub(r"(\.md|\.html)?(#.*)?$", "", words.strip(), count=1)


def text_of(name: str) -> str:
    """Return a page as Markdown. Raises ConfigurationError if it doesn't exist."""
    if name_of(name) not in pages():
        raise ConfigurationError(f"There is no page {name!r}. Run `interactor docs` to list all pages.")
    return _MODULE.sub(_described, _source(name_of(name)))


def search(question: str) -> list[Found]:
    """Return the best part of each page that has words of the question, the best first."""
    words = re.findall(r"\w+", question.lower())
    wanted = [word for word in words if word not in _STOP_WORDS] or words
    if not wanted:
        return []
    with closing(sqlite3.connect(":memory:")) as db:
        db.execute(
            "CREATE VIRTUAL TABLE parts USING fts5(name UNINDEXED, title, heading, text, typed, tokenize='porter')"
        )
        db.executemany("INSERT INTO parts VALUES (?, ?, ?, ?, ?)", _parts())
        found = db.execute(
            # What people type for a page's subject counts the most, and its title more than a heading or the text.
            "SELECT name, title, heading, snippet(parts, 3, '', '', ' ... ', 24) FROM parts WHERE parts MATCH ? "
            "ORDER BY bm25(parts, 0, 3, 2, 1, 15)",
            (" OR ".join(f'"{word}"' for word in wanted),),
        ).fetchall()
    best: dict[str, Found] = {}
    for each in found:
        best.setdefault(each[0], Found(*map(on_one_line, each)))
    return list(best.values())[:_MAX_FOUND]


@cache
def _parts() -> tuple[tuple[str, str, str, str, str], ...]:
    """Return each heading of each page with the text below it; the first one with the words that people type."""
    return tuple(_parts_of_pages())


def _parts_of_pages() -> Iterator[tuple[str, str, str, str, str]]:
    typed = tomllib.loads((_folder() / "keywords.toml").read_text(encoding="utf-8"))
    for page in pages().values():
        text = _source(page.name)
        heads = [match for match in _HEADING.finditer(text) if match["heading"]]
        names = " ".join(name for module in _MODULE.finditer(text) for name in _names_in(module["name"]))
        if names or not heads:
            yield page.name, page.title, "", f"{page.about}\n{names}", ""
        for number, head in enumerate(heads, 1):
            end = heads[number].start() if number < len(heads) else len(text)
            part = _LINK_TARGET.sub("", text[head.end() : end])
            if head is heads[0]:
                yield page.name, page.title, "", part, typed.get(page.name, "")
            else:
                yield page.name, page.title, head["heading"], part, ""


def _names_in(path: str) -> Iterator[str]:
    """Yield the public names of a module or class, and of the module's classes. None if its extra isn't installed."""
    try:
        described = pydoc.locate(path)
    except pydoc.ErrorDuringImport:
        return
    for name in () if described is None else dir(described):
        if not name.startswith("_"):
            yield name
            inner = getattr(described, name, None)
            if inspect.ismodule(described) and inspect.isclass(inner):
                yield from (each for each in vars(inner) if not each.startswith("_"))


def _source(name: str) -> str:
    page = _folder() / f"{name}.md"
    text = page.read_text(encoding="utf-8")
    return _FILE.sub(lambda file: page.with_name(file["name"]).read_text(encoding="utf-8"), text)


def _described(match: re.Match[str]) -> str:
    """Return what Python's `help` shows for a module."""
    try:
        described = pydoc.plain(pydoc.render_doc(match["name"], title="%s"))
    except (ImportError, pydoc.ErrorDuringImport) as error:
        described = f"{match['name']} can't be imported: {error}"
    return f"```text\n{described}\n```\n"


def docs(
    words: Annotated[list[str] | None, typer.Argument(help="Words to search for, or the name of a page.")] = None,
) -> None:
    """Search the documentation, or show a page. Without words, list all pages. Works offline."""
    wanted = " ".join(words or ())
    if name_of(wanted) in pages():
        write_markdown(text_of(wanted))
        return
    if not wanted:
        write_sections(((page.section, page.name, page.title) for page in pages().values()), 36)
        return
    found = search(wanted)
    if not found:
        raise ConfigurationError(f"No page contains {wanted!r}. Run `interactor docs` to list all pages.")
    for each in found:
        write(f"{each.page}  ", "cyan", end="")
        write(" > ".join(filter(None, (each.title, each.heading))), "bold")
        write(f"    {each.excerpt}")
    write(f"\nShow a page: interactor docs {found[0].page}", "dim")
