"""Reads the signature and timestamp headers from any mapping of a web framework."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from interactor_ext._errors import WebhookVerificationError

SIGNATURE = "X-Interactor-Signature"
TIMESTAMP = "X-Interactor-Timestamp"
EVENT = "X-Interactor-Event"

# dict, httpx / Starlette / werkzeug / Django headers, a list of pairs (str or bytes), or a WSGI environ.
Headers = Mapping[str, Any] | Mapping[bytes, Any] | Iterable[tuple[str | bytes, Any]]

_SPELLINGS = (
    (SIGNATURE.lower(), TIMESTAMP.lower()),
    (SIGNATURE, TIMESTAMP),
    ("HTTP_X_INTERACTOR_SIGNATURE", "HTTP_X_INTERACTOR_TIMESTAMP"),
)


def signature_and_timestamp(headers: Any) -> tuple[Sequence[str], Sequence[str]]:
    """All values of the signature header and of the timestamp header, in their order."""
    if type(headers) is dict:
        # A dict made by a server has one spelling throughout; a search would cost as much as the rest of verifying.
        for signature_name, timestamp_name in _SPELLINGS:
            signature, timestamp = headers.get(signature_name), headers.get(timestamp_name)
            if type(signature) is str and type(timestamp) is str:
                return (signature,), (timestamp,)
    return _search(headers)


def _search(headers: Any) -> tuple[list[str], list[str]]:
    found: dict[str, list[str]] = {SIGNATURE.lower(): [], TIMESTAMP.lower(): []}
    try:
        for name, value in _pairs(headers):
            # A WSGI environ has HTTP_X_INTERACTOR_SIGNATURE.
            values = found.get(_text(name).lower().removeprefix("http_").replace("_", "-"))
            if values is not None:
                values += [_text(each) for each in value] if isinstance(value, list | tuple) else [_text(value)]
    except Exception as error:  # a framework's own mapping can raise anything
        raise WebhookVerificationError(
            "The headers are neither a mapping nor pairs of text, so no signature could be read from them."
        ) from error
    return found[SIGNATURE.lower()], found[TIMESTAMP.lower()]


def _pairs(headers: Any) -> Iterable[tuple[Any, Any]]:
    # httpx joins duplicates in items(); multi_items() keeps them apart.
    items = getattr(headers, "multi_items", None) or getattr(headers, "items", None)
    pairs: Iterable[tuple[Any, Any]] = items() if items is not None else headers
    return pairs


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.decode("latin-1")
    raise TypeError("a header is text or bytes")
