"""Deprecated operations: parses `Deprecation`, `Sunset` and `Link` headers, and warns once for each operation.

    from interactor_ext.deprecation import on_deprecation

    @on_deprecation
    def tell(operation: str, deprecation: Deprecation) -> None: ...

The clients warn (`InteractorDeprecationWarning`) about an operation once per process, log that under `interactor`, and
call the registered functions. To fail a test run instead, use
`warnings.filterwarnings("error", category=InteractorDeprecationWarning)`.
"""

from __future__ import annotations

import re
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, Protocol, TypeVar
from urllib.parse import urljoin

import httpx

from interactor_ext._call import Call, describe_request, secrets_of
from interactor_ext._redaction import clean_text
from interactor_ext.logs import depth_of_caller, logger
from interactor_ext.retry._policy import parse_http_date

__all__ = ["Deprecation", "InteractorDeprecationWarning", "on_deprecation", "parse_deprecation"]


class _HasItems(Protocol):
    """A mapping, and what the standard library has instead of one."""

    def items(self) -> Iterable[tuple[str, Any]]: ...


Headers = Mapping[str, str] | _HasItems | Iterable[tuple[str, str]] | Iterable[tuple[bytes, bytes]]
Hook = Callable[[str, "Deprecation"], object]
H = TypeVar("H", bound=Hook)

_BLANK = " \t"
# What stands before its semicolon belongs to nothing. A quoted value may lack its end.
_PARAMETER = re.compile(
    r"""[^;,]*; (?P<name>[^=;,]*) (?: =[ \t]* (?: "(?P<quoted>(?:[^"\\]|\\.)*+)"? | (?P<text>[^;,]*) ) )?""",
    re.DOTALL | re.VERBOSE,
)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# A date of RFC 9651 has at most 15 digits, and may have parameters behind it.
_STRUCTURED_DATE = re.compile(r"@(-?[0-9]{1,15})(?:[ \t]*;.*)?", re.DOTALL)
_UTC = re.compile(r"\bUTC$", re.IGNORECASE)
# Values without a date, from drafts of RFC 9745. Parameters may follow.
_UNDATED = frozenset({"true", "?1"})


class InteractorDeprecationWarning(DeprecationWarning):
    """A called operation is deprecated, or will be switched off."""


class Deprecation(NamedTuple):
    """When an operation is deprecated and switched off. Times are UTC."""

    date: datetime | None = None
    """The start of the deprecation, past or future; None if the server gave no date."""
    sunset: datetime | None = None
    """When it will no longer be served."""
    link: str | None = None
    """Where the deprecation is explained."""
    sunset_link: str | None = None
    """Where the sunset is explained."""


def parse_deprecation(
    headers: Headers | None, *, base_url: str | None = None, now: float | None = None
) -> Deprecation | None:
    """What the headers of a response say; None if neither `Deprecation` nor `Sunset` is present and readable.

    `headers` may come from any HTTP client, or be pairs.

    Reads `Deprecation` according to RFC 9745 (`@1688169599`), as `true` and as an HTTP date; `Sunset` according to RFC
    8594; `Link` according to RFC 8288. A link without either deprecates nothing. `base_url` resolves relative links;
    without it they stay relative. `now` (Unix seconds) is for dates with two-digit years. Unreadable values are
    ignored. Never raises.
    """
    deprecated = sunset = False
    date = ends = None
    links: list[Link] = []
    now = time.time() if now is None else now
    for name, value in _fields(headers):
        if name == "deprecation" and not deprecated:
            date = _date(value, now)
            deprecated = date is not None or value.partition(";")[0].rstrip(" \t").lower() in _UNDATED
        elif name == "sunset" and not sunset:
            ends = _date(value, now)
            sunset = ends is not None
        elif name == "link":
            links += parse_links(value)
    if not deprecated and not sunset:
        return None
    return Deprecation(date, ends, _link(links, "deprecation", base_url), _link(links, "sunset", base_url))


def on_deprecation(hook: H) -> H:
    """Call this function, too, when this process first meets a deprecated operation: with its name (`GET
    /assistants/{assistant_id}`) and what is known. Its exceptions are logged and otherwise ignored."""
    _hooks.append(hook)
    return hook


def warn_if_deprecated(response: httpx.Response) -> None:
    """Warn of, log and report a deprecated operation, once a process."""
    operation = _operation(response)
    if operation in _warned:
        return
    deprecation = parse_deprecation(response.headers, base_url=_url(response))
    if deprecation is None:
        return
    mine = object()
    # `setdefault` is atomic, and needs no lock that a forked child could inherit.
    if _warned.setdefault(operation, mine) is not mine:
        return
    text = f"{operation} {describe(deprecation, secrets_of(response.request))}"
    logger.warning("%s", text, extra=dict(zip(("method", "endpoint"), operation.split(" ", 1), strict=False)))
    for hook in _hooks:
        try:
            hook(operation, deprecation)
        except Exception:
            logger.exception("A function registered with on_deprecation failed.")
    warnings.warn(text, InteractorDeprecationWarning, stacklevel=depth_of_caller())


def describe(deprecation: Deprecation, secrets: Iterable[str] = ()) -> str:
    """The end of a sentence that begins with the name of the operation. Without any of `secrets`."""
    text = "is deprecated" if deprecation.date is None else f"is deprecated from {_day(deprecation.date)} on"
    if deprecation.sunset is not None:
        text += f", and won't be available from {_day(deprecation.sunset)} on"
    return f"{text}{_see(deprecation, secrets)}"


def sunset_notice(response: httpx.Response) -> str:
    """A sentence with the sunset date of a 410 response; "" if it has none."""
    deprecation = parse_deprecation(response.headers, base_url=_url(response))
    if deprecation is None or deprecation.sunset is None:
        return ""
    see = _see(deprecation, secrets_of(response.request))
    return f" It won't be available from {_day(deprecation.sunset)} on{see}"


_hooks: list[Hook] = []
_warned: dict[str, object] = {}
# More than the contract has operations, and a bound for requests that are not in it.
_MAX_WARNED = 500
_ID = re.compile(r"/(?!v[0-9]+(?:/|$))[^/]*[0-9][^/]*")


def _operation(response: httpx.Response) -> str:
    """The key of an operation in `_warned`. Not in the contract: the path without ids, or "other" if they are many."""
    request = response.request
    operation = describe_request(request)
    if Call.of(request).operation is not None:
        return operation
    name = _ID.sub("/{id}", operation)
    return name if name in _warned or len(_warned) < _MAX_WARNED else f"{request.method} other"


class Link(NamedTuple):
    target: str
    """As in the header: it may be relative to the URL of the request."""
    params: dict[str, str]
    """By name, in lower case; of several with one name the first."""

    @property
    def rels(self) -> list[str]:
        return self.params.get("rel", "").lower().split()


def parse_links(value: str) -> list[Link]:
    """The links of a `Link` header; several headers may be joined with commas. Anything else is skipped.

    As https://www.rfc-editor.org/rfc/rfc8288#appendix-B.2 says. httpx's own parser (`Response.links`) splits at every
    comma, also at one in a quoted title or in a URL.
    """
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


def _fields(headers: object) -> Iterator[tuple[str, str]]:
    """Lower-case name and value of each header line."""
    # The `items` of httpx join what came in several lines.
    items = getattr(headers, "multi_items", None) or getattr(headers, "items", None)
    pairs = items() if callable(items) else headers
    for pair in pairs if isinstance(pairs, Iterable) else ():
        if isinstance(pair, tuple | list) and len(pair) == 2:
            name, value = (part.decode("latin-1") if isinstance(part, bytes) else part for part in pair)
            if isinstance(name, str) and isinstance(value, str):
                yield name.lower(), value.strip(" \t")


def _date(value: str, now: float) -> datetime | None:
    structured = _STRUCTURED_DATE.fullmatch(value)
    # An example of RFC 9745 says UTC, where RFC 9110 allows only GMT.
    seconds = float(structured[1]) if structured else parse_http_date(_UTC.sub("GMT", value), now=now)
    try:
        return None if seconds is None else _EPOCH + timedelta(seconds=seconds)
    except OverflowError:
        return None  # a year beyond 9999


def _link(links: list[Link], rel: str, base_url: str | None) -> str | None:
    for link in links:
        # A link with an anchor is about another resource.
        if link.target and rel in link.rels and "anchor" not in link.params:
            with suppress(ValueError):  # "http://[" is no URL
                return urljoin(base_url or "", link.target)
            return link.target
    return None


def _see(deprecation: Deprecation, secrets: Iterable[str]) -> str:
    links = dict.fromkeys(link for link in (deprecation.link, deprecation.sunset_link) if link)
    return f": see {clean_text(' and '.join(links), secrets)}" if links else "."


def _url(response: httpx.Response) -> str:
    # Without its query, which may hold a token.
    return str(response.request.url.copy_with(query=None))


def _day(moment: datetime) -> str:
    return moment.date().isoformat()
