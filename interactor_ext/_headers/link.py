"""Parses the `Link` header as https://www.rfc-editor.org/rfc/rfc8288#appendix-B.2 says. Raises nothing.

httpx's own parser (`Response.links`) splits at every comma, also at one in a quoted title or in a URL.
"""

from __future__ import annotations

from typing import NamedTuple

_BLANK = " \t"


class Link(NamedTuple):
    target: str
    """As in the header: it may be relative to the URL of the request."""
    params: dict[str, str]
    """By name, in lower case; of several with one name the first."""

    @property
    def rels(self) -> list[str]:
        return self.params.get("rel", "").lower().split()


def parse_links(value: str) -> list[Link]:
    """The links of a header; several headers may be joined with commas. Anything else is skipped."""
    links = []
    at = 0
    while (opening := value.find("<", at)) >= 0:
        closing = value.find(">", opening)
        if closing < 0:
            break
        params, at = _parameters(value, closing + 1)
        links.append(Link(value[opening + 1 : closing].strip(_BLANK), params))
    return links


def _parameters(value: str, at: int) -> tuple[dict[str, str], int]:
    """The parameters that begin here, and where the link ends: at a comma that is not within quotes."""
    params: dict[str, str] = {}
    while at < len(value) and value[at] != ",":
        if value[at] != ";":
            at += 1
            continue
        name, at = _until(value, at + 1, "=;,")
        text = ""
        if value[at : at + 1] == "=":
            text, at = _text(value, at + 1)
        params.setdefault(name.strip(_BLANK).lower(), text)
    return params, at


def _text(value: str, at: int) -> tuple[str, int]:
    while value[at : at + 1] in (" ", "\t"):
        at += 1
    if value[at : at + 1] == '"':
        return _quoted(value, at + 1)
    text, at = _until(value, at, ";,")
    return text.strip(_BLANK), at


def _quoted(value: str, at: int) -> tuple[str, int]:
    text = []
    while at < len(value) and value[at] != '"':
        if value[at] == "\\":
            at += 1
        text.append(value[at : at + 1])
        at += 1
    return "".join(text), at + 1


def _until(value: str, at: int, ends: str) -> tuple[str, int]:
    start = at
    while at < len(value) and value[at] not in ends:
        at += 1
    return value[start:at], at
