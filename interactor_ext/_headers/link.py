"""Parses the `Link` header as https://www.rfc-editor.org/rfc/rfc8288#appendix-B.2 says. Raises nothing.

httpx's own parser (`Response.links`) splits at every comma, also at one in a quoted title or in a URL.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_BLANK = " \t"
# What stands before its semicolon belongs to nothing. A quoted value may lack its end.
_PARAMETER = re.compile(
    r"""[^;,]*; (?P<name>[^=;,]*) (?: =[ \t]* (?: "(?P<quoted>(?:[^"\\]|\\.)*+)"? | (?P<text>[^;,]*) ) )?""",
    re.DOTALL | re.VERBOSE,
)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


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
    while (opening := value.find("<", at)) >= 0 and (closing := value.find(">", opening)) >= 0:
        params: dict[str, str] = {}
        at = closing + 1
        while match := _PARAMETER.match(value, at):
            at = match.end()
            name, quoted, text = match.groups("")
            params.setdefault(name.strip(_BLANK).lower(), _ESCAPED.sub(r"\1", quoted) or text.strip(_BLANK))
        links.append(Link(value[opening + 1 : closing].strip(_BLANK), params))
        at = value.find(",", at)
        if at < 0:
            break
    return links
