"""Deprecated operations: reads the headers that announce them, and warns once per operation."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urljoin

import httpx

from interactor_ext._engine.call import Call, describe_request, secrets_of
from interactor_ext._engine.lazy import adopt
from interactor_ext._engine.logs import depth_of_caller, logger
from interactor_ext._engine.redaction import clean_text
from interactor_ext._engine.retry_policy import parse_http_date

Headers = Mapping[str, str] | Iterable[tuple[str, str]]
Hook = Callable[[str, "Deprecation"], object]
H = TypeVar("H", bound=Hook)

# A link of RFC 8288, and one of its parameters. Both may contain quoted commas and semicolons.
_LINK = re.compile(r'<\s*([^<>\s]+)\s*>((?:[^,"]|"(?:[^"\\]|\\.)*+")*+)', re.DOTALL)
_PARAMETER = re.compile(r';\s*([^\s=;,"]+)\s*=\s*(?:"((?:[^"\\]|\\.)*+)"|([^\s;,"]+))', re.DOTALL)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# A date of RFC 9651 has at most 15 digits, and parameters may follow.
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


def parse_deprecation(headers: Headers, *, base_url: str | None = None) -> Deprecation | None:
    """Read the headers of a response; None if neither `Deprecation` nor `Sunset` is present and readable.

    `headers` is a mapping, as in any HTTP client, or pairs of name and value.

    Reads `Deprecation` according to RFC 9745 (`@1688169599`), as `true` and as an HTTP date; `Sunset` according to RFC
    8594; `Link` according to RFC 8288. A link without either deprecates nothing. `base_url` resolves relative links;
    without it they stay relative. Unreadable values are ignored.
    """
    deprecated = sunset = False
    date = ends = None
    links: list[tuple[str, dict[str, str]]] = []
    for name, text in _items(headers):
        value = text.strip(" \t")
        if name.lower() == "deprecation" and not deprecated:
            date = _date(value)
            deprecated = date is not None or value.partition(";")[0].rstrip(" \t").lower() in _UNDATED
        elif name.lower() == "sunset" and not sunset:
            ends = _date(value)
            sunset = ends is not None
        elif name.lower() == "link":
            links += links_in(value)
    if not deprecated and not sunset:
        return None
    return Deprecation(date, ends, link_to(links, "deprecation", base_url), link_to(links, "sunset", base_url))


def on_deprecation(hook: H) -> H:
    """Also call this function when this process first calls a deprecated operation, with its name (`GET
    /assistants/{assistant_id}`) and the deprecation. Its exceptions are logged and otherwise ignored."""
    _hooks.append(hook)
    return hook


def warn_if_deprecated(response: httpx.Response) -> None:
    """Warn about, log and report a deprecated operation, once per process."""
    operation = _operation(response)
    if operation in _warned:
        return
    deprecation = parse_deprecation(response.headers, base_url=_url(response))
    if deprecation is None:
        return
    mine = object()
    # `setdefault` is atomic, so it needs no lock that a forked child could inherit.
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
    """Return the end of a sentence that starts with the operation's name, without any of `secrets`."""
    text = "is deprecated" if deprecation.date is None else f"is deprecated from {_day(deprecation.date)} on"
    if deprecation.sunset is not None:
        text += f", and won't be available from {_day(deprecation.sunset)} on"
    return f"{text}{_see(deprecation, secrets)}"


def sunset_notice(response: httpx.Response) -> str:
    """Return a sentence with the sunset date of a 410 response, or "" without a date."""
    deprecation = parse_deprecation(response.headers, base_url=_url(response))
    if deprecation is None or deprecation.sunset is None:
        return ""
    see = _see(deprecation, secrets_of(response.request))
    return f" It won't be available from {_day(deprecation.sunset)} on{see}"


_hooks: list[Hook] = []
_warned: dict[str, object] = {}
_ID = re.compile(r"/(?!v[0-9]+(?:/|$))[^/]*[0-9][^/]*")


def _operation(response: httpx.Response) -> str:
    """Return an operation's key in `_warned`. For one outside the contract, that's its path without ids."""
    name = describe_request(response.request)
    return _ID.sub("/{id}", name) if Call.of(response.request).operation is None else name


def _items(headers: Any) -> Iterable[tuple[str, str]]:
    # httpx's `items` joins headers that came on several lines.
    items = getattr(headers, "multi_items", None) or getattr(headers, "items", None)
    pairs: Iterable[tuple[str, str]] = headers if items is None else items()
    return pairs


def _date(value: str) -> datetime | None:
    structured = _STRUCTURED_DATE.fullmatch(value)
    # An example in RFC 9745 says UTC, although RFC 9110 only allows GMT.
    seconds = float(structured[1]) if structured else parse_http_date(_UTC.sub("GMT", value))
    try:
        return None if seconds is None else _EPOCH + timedelta(seconds=seconds)
    except OverflowError:
        return None  # a year beyond 9999


def links_in(value: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Parse the targets of a `Link` header, with their parameters.

    httpx's own parser (`Response.links`) splits at every comma, even within a quoted title or a URL.
    """
    for target, parameters in _LINK.findall(value):
        # If a name appears several times, the first one counts.
        named = {name.lower(): quoted or text for name, quoted, text in reversed(_PARAMETER.findall(parameters))}
        yield target, named


def link_to(links: Iterable[tuple[str, dict[str, str]]], rel: str, base_url: str | None) -> str | None:
    for target, parameters in links:
        # A link with an anchor is about another resource.
        if rel in parameters.get("rel", "").lower().split() and "anchor" not in parameters:
            with suppress(ValueError):  # "http://[" isn't a URL
                return urljoin(base_url or "", target)
    return None


def _see(deprecation: Deprecation, secrets: Iterable[str]) -> str:
    links = dict.fromkeys(link for link in (deprecation.link, deprecation.sunset_link) if link)
    return f": see {clean_text(' and '.join(links), secrets)}" if links else "."


def _url(response: httpx.Response) -> str:
    # Without its query, which may contain a token.
    return str(response.request.url.copy_with(query=None))


def _day(moment: datetime) -> str:
    return moment.date().isoformat()


adopt("interactor_ext.deprecation", Deprecation, InteractorDeprecationWarning, on_deprecation, parse_deprecation)
