"""What a server says of the end of an operation: `Deprecation`, `Sunset` and the links to more.

    from interactor_ext.deprecation import on_deprecation

    @on_deprecation
    def tell(operation: str, deprecation: Deprecation) -> None: ...

The clients warn (`InteractorDeprecationWarning`) of an operation once a process, log that under `interactor`, and call
what was registered. `warnings.filterwarnings("error", category=InteractorDeprecationWarning)` fails a test run instead.
"""

from __future__ import annotations

import logging
import re
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urljoin

import httpx

from interactor_ext._http_date import parse_http_date
from interactor_ext._link_header import Link, parse_links
from interactor_ext._redact import clean_text
from interactor_ext._responses import describe_request, requested_by

__all__ = ["Deprecation", "InteractorDeprecationWarning", "on_deprecation", "parse_deprecation"]

logger = logging.getLogger("interactor")

Headers = Mapping[str, str] | Iterable[tuple[str, str]]
Hook = Callable[[str, "Deprecation"], object]
H = TypeVar("H", bound=Hook)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# A date of RFC 9651 has at most 15 digits, and may have parameters behind it.
_STRUCTURED_DATE = re.compile(r"@(-?[0-9]{1,15})(?:[ \t]*;.*)?", re.DOTALL)
_UTC = re.compile(r"\bUTC$", re.IGNORECASE)
# What drafts of RFC 9745, and with them many servers, said instead of a date.
_UNDATED = frozenset({"true", "?1"})


class InteractorDeprecationWarning(DeprecationWarning):
    """An operation that was called is deprecated, or will be switched off."""


class Deprecation(NamedTuple):
    """What is known of the end of an operation. Times are UTC."""

    date: datetime | None = None
    """Since when it is deprecated, or from when on; None where the server gave no date."""
    sunset: datetime | None = None
    """When it will no longer be served."""
    link: str | None = None
    """Where the deprecation is explained."""
    sunset_link: str | None = None
    """Where the sunset is explained."""


def parse_deprecation(headers: Headers, *, base_url: str | None = None, now: float | None = None) -> Deprecation | None:
    """What the headers of a response say; None where there is neither a `Deprecation` nor a `Sunset` that can be read.

    Reads `Deprecation` as RFC 9745 has it (`@1688169599`), as `true` and as an HTTP date; `Sunset` by RFC 8594; `Link`
    by RFC 8288. A link alone deprecates nothing. `base_url` is what relative links are resolved against; without it
    they stay as they are. `now` (Unix seconds) places dates with a year of two digits. What cannot be read is ignored,
    and nothing raises.
    """
    deprecated = sunset = False
    date = ends = None
    links: list[Link] = []
    now = time.time() if now is None else now
    for name, value in _fields(headers):
        if name == "deprecation" and not deprecated:
            date = _date(value, now)
            deprecated = date is not None or value.lower() in _UNDATED
        elif name == "sunset" and not sunset:
            ends = _date(value, now)
            sunset = ends is not None
        elif name == "link":
            links += parse_links(value)
    if not deprecated and not sunset:
        return None
    return Deprecation(date, ends, _link(links, "deprecation", base_url), _link(links, "sunset", base_url))


def on_deprecation(hook: H) -> H:
    """Call this, too, when a deprecated operation is met for the first time in this process: with its name (`GET
    /assistants/{assistant_id}`) and what is known. An exception that it raises is logged, no more."""
    _hooks.append(hook)
    return hook


def notice(response: httpx.Response) -> None:
    """Warn of the operation that this is a response of, unless that was done before."""
    operation = describe_request(response)
    if operation in _noticed:
        return
    deprecation = parse_deprecation(response.headers, base_url=_url(response))
    if deprecation is None:
        return
    _noticed.add(operation)
    text = f"{operation} {describe(deprecation)}"
    logger.warning("%s", text, extra=dict(zip(("method", "endpoint"), operation.split(" ", 1), strict=False)))
    for hook in _hooks:
        try:
            hook(operation, deprecation)
        except Exception:
            logger.exception("What was registered for deprecations failed.")
    warnings.warn(text, InteractorDeprecationWarning, stacklevel=_depth_of_caller())


def describe(deprecation: Deprecation) -> str:
    """What is known, as the end of a sentence that begins with the operation."""
    text = "is deprecated" if deprecation.date is None else f"is deprecated from {_day(deprecation.date)} on"
    if deprecation.sunset is not None:
        text += f", and is no longer served from {_day(deprecation.sunset)} on"
    return f"{text}{_see(deprecation)}"


def farewell(response: httpx.Response) -> str:
    """What a 410 says of the end of its operation, as a sentence; nothing where it says nothing."""
    deprecation = parse_deprecation(response.headers, base_url=_url(response))
    if deprecation is None or deprecation.sunset is None:
        return ""
    return f" It is no longer served from {_day(deprecation.sunset)} on{_see(deprecation)}"


_hooks: list[Hook] = []
# Of names that this package's own contract gives, so it cannot grow without end.
_noticed: set[str] = set()


def _fields(headers: Headers) -> Iterator[tuple[str, str]]:
    """Name, in lower case, and value of each line. Other mappings than httpx's have joined them with commas."""
    if isinstance(headers, httpx.Headers):
        pairs: Iterable[Any] = headers.multi_items()
    else:
        pairs = headers.items() if isinstance(headers, Mapping) else headers
    for name, value in pairs:
        if isinstance(name, str) and isinstance(value, str):
            yield name.lower(), value.strip(" \t")


def _date(value: str, now: float) -> datetime | None:
    structured = _STRUCTURED_DATE.fullmatch(value)
    # RFC 9745's own example of a Sunset says UTC, where RFC 9110 allows nothing but GMT.
    seconds = float(structured[1]) if structured else parse_http_date(_UTC.sub("GMT", value), now=now)
    try:
        return None if seconds is None else _EPOCH + timedelta(seconds=seconds)
    except OverflowError:
        return None  # a year beyond 9999


def _link(links: list[Link], rel: str, base_url: str | None) -> str | None:
    for link in links:
        # One with an anchor is about something else than what was asked for.
        if link.target and rel in link.rels and "anchor" not in link.params:
            return link.target if base_url is None else _resolved(base_url, link.target)
    return None


def _resolved(base_url: str, target: str) -> str:
    try:
        return urljoin(base_url, target)
    except ValueError:  # "http://[" is no URL
        return target


def _see(deprecation: Deprecation) -> str:
    links = dict.fromkeys(link for link in (deprecation.link, deprecation.sunset_link) if link)
    return f": see {clean_text(' and '.join(links))}" if links else "."


def _url(response: httpx.Response) -> str | None:
    request = requested_by(response)
    # Its query is no part of what links are relative to, and may hold a token.
    return None if request is None else str(request.url.copy_with(query=None))


def _day(moment: datetime) -> str:
    return moment.date().isoformat()


def _depth_of_caller() -> int:
    """The `stacklevel` at which `warnings.warn` points to the code that called the SDK."""
    frame, depth = sys._getframe(1), 1
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] in _OURS:
        frame, depth = frame.f_back, depth + 1
    return depth


_OURS = frozenset({"interactor_ext", "interactor_client", "httpx"})
