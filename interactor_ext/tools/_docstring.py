"""Parses Google-style docstrings into a description and the parameters' descriptions."""

from __future__ import annotations

import inspect
import re
import textwrap
from typing import NamedTuple

_PARAMETERS = frozenset({"args", "arguments", "attributes", "keyword arguments", "other parameters", "parameters"})
_OTHERS = frozenset({"example", "examples", "raises", "references", "returns", "see also", "warns", "yields"})
_ENTRY = re.compile(r"\*{0,2}(?P<name>\w+)\s*(?:\(.*?\))?\s*:\s*(?P<text>.*)")


class Description(NamedTuple):
    text: str
    """Everything except the sections on parameters, results, errors and examples."""
    parameters: dict[str, str]


def read_docstring(docstring: str | None) -> Description:
    """Parse a docstring. Never fails: anything in another style counts as text."""
    text: list[str] = []
    entries: list[str] = []
    section = text
    for line in inspect.cleandoc(docstring or "").splitlines():
        # Sections are indented, and end where the indentation ends.
        if line and not line[0].isspace():
            title = line.rstrip().lower()
            if title.endswith(":") and title[:-1] in _PARAMETERS | _OTHERS:
                section = entries if title[:-1] in _PARAMETERS else []
                continue
            section = text
        section.append(line)
    return Description(re.sub(r"\n{3,}", "\n\n", "\n".join(text)).strip(), _described(entries))


def _described(entries: list[str]) -> dict[str, str]:
    parameters: dict[str, str] = {}
    name = ""
    for line in textwrap.dedent("\n".join(entries)).splitlines():
        if entry := _ENTRY.fullmatch(line):
            name = entry["name"]
            parameters[name] = entry["text"]
        elif name and line[:1].isspace():
            parameters[name] = f"{parameters[name]} {line.strip()}".strip()
    return parameters
