"""Parses docstrings in Google, NumPy and Sphinx style into a description and its parameters' descriptions."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Iterable, Iterator
from typing import NamedTuple

_PARAMETERS = frozenset({"args", "arguments", "attributes", "keyword arguments", "other parameters", "parameters"})
_OTHERS = frozenset({"example", "examples", "raises", "references", "returns", "see also", "warns", "yields"})
_TITLE = re.compile(r"(?P<title>[A-Z][A-Za-z]*(?: [A-Za-z]+)?)(?P<colon>:?)")
_RULE = re.compile(r"-{3,}")
_GOOGLE_ENTRY = re.compile(r"\*{0,2}(?P<names>\w+)\s*(?:\(.*?\))?\s*:\s*(?P<text>.*)")
_NUMPY_ENTRY = re.compile(r"(?P<names>\*{0,2}\w+(?:\s*,\s*\*{0,2}\w+)*)(?:\s*:(?P<type>.*))?")
_SPHINX_FIELD = re.compile(r":(?P<field>\w+)\s*(?P<about>[^:]*):\s*(?P<text>.*)")
_SPHINX_PARAMETERS = frozenset({"arg", "argument", "ivar", "key", "keyword", "param", "parameter", "var"})


class Description(NamedTuple):
    text: str
    """All that is no section on parameters, results, errors or examples."""
    parameters: dict[str, str]


def read_docstring(docstring: str | None) -> Description:
    """Never fails: what has another form than the known ones is text."""
    text: list[str] = []
    parameters: dict[str, str] = {}
    for title, underlined, lines in _sections(inspect.cleandoc(docstring or "").splitlines()):
        if title in _PARAMETERS:
            parameters |= _entries(lines, underlined=underlined)
        elif not title:
            text += _without_fields(lines, parameters)
    return Description(re.sub(r"\n{3,}", "\n\n", "\n".join(text)).strip(), parameters)


def _sections(lines: list[str]) -> Iterator[tuple[str, bool, list[str]]]:
    """Each section's title in lower case ("" for what stands in none), whether it is underlined, and its lines."""
    title, underlined, body = "", False, list[str]()
    for line, following in zip(lines, [*lines[1:], ""], strict=False):
        header = _TITLE.fullmatch(line.rstrip())
        ruled = _RULE.fullmatch(following.strip()) is not None
        if header and header["title"].lower() in _PARAMETERS | _OTHERS and (header["colon"] or ruled):
            yield title, underlined, body
            title, underlined, body = header["title"].lower(), ruled, []
        elif title and line and not line[0].isspace() and (ruled or not underlined):
            # Google's sections are indented, and end where the indentation does; NumPy's end at the next one.
            yield title, underlined, body
            title, body = "", [line]
        elif body or not _RULE.fullmatch(line.strip()):
            body.append(line)
    yield title, underlined, body


def _entries(lines: list[str], *, underlined: bool) -> dict[str, str]:
    entries: dict[str, list[str]] = {}
    current: list[str] = []
    for line in textwrap.dedent("\n".join(lines)).splitlines():
        if not line or line[0].isspace():
            current.append(line.strip())
        elif entry := (_NUMPY_ENTRY if underlined else _GOOGLE_ENTRY).fullmatch(line):
            current = [] if underlined else [entry["text"]]
            entries |= {name.strip(" *"): current for name in entry["names"].split(",")}
    return {name: _joined(text) for name, text in entries.items() if _joined(text)}


def _without_fields(lines: list[str], parameters: dict[str, str]) -> Iterator[str]:
    """The lines that belong to no `:field:`; what the fields say of parameters goes into `parameters`."""
    name: str | None = None
    in_field = False
    for line in lines:
        field = _SPHINX_FIELD.fullmatch(line)
        if field:
            in_field = True
            # `:param int count: ...` names the type before the parameter.
            words = field["about"].split() if field["field"] in _SPHINX_PARAMETERS else []
            name = words[-1].strip("*\\") if words else None
            if name:
                parameters[name] = field["text"].strip()
        elif in_field and line[:1].isspace():
            if name:
                parameters[name] = _joined([parameters[name], line.strip()])
        else:
            in_field = in_field and not line
            if not in_field:
                yield line


def _joined(text: Iterable[str]) -> str:
    return " ".join(line for line in text if line)
