"""Reads the signature and timestamp headers from any web framework's mapping."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from interactor_ext._engine.errors import WebhookVerificationError

SIGNATURE = "X-Interactor-Signature"
TIMESTAMP = "X-Interactor-Timestamp"
EVENT = "X-Interactor-Event"

# dict, httpx / Starlette / werkzeug / Django headers, a list of pairs (str or bytes), or a WSGI environ.
Headers = Mapping[str, Any] | Mapping[bytes, Any] | Iterable[tuple[str | bytes, Any]]

_SIGNATURE, _TIMESTAMP = SIGNATURE.lower(), TIMESTAMP.lower()


def signature_and_timestamp(headers: Any) -> tuple[Sequence[str], Sequence[str]]:
    """Return all values of the signature header and of the timestamp header, in order."""
    if type(headers) is dict:
        signature, timestamp = headers.get(_SIGNATURE), headers.get(_TIMESTAMP)
        if type(signature) is str and type(timestamp) is str:  # the usual case; a search takes twice as long
            return (signature,), (timestamp,)
    found: dict[str, list[str]] = {_SIGNATURE: [], _TIMESTAMP: []}
    try:
        # httpx joins duplicates in items(); multi_items() keeps them apart.
        items = getattr(headers, "multi_items", None) or getattr(headers, "items", None)
        for name, value in headers if items is None else items():
            # A WSGI environ names it HTTP_X_INTERACTOR_SIGNATURE.
            values = found.get(_text(name).lower().removeprefix("http_").replace("_", "-"))
            if values is not None:
                values += [_text(each) for each in value] if isinstance(value, list | tuple) else [_text(value)]
    except Exception as error:  # a framework's mapping can raise anything
        raise WebhookVerificationError(
            "The headers are neither a mapping nor pairs of strings, so the signature can't be read. Pass all headers "
            "of the request."
        ) from error
    return found[_SIGNATURE], found[_TIMESTAMP]


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.decode("latin-1")
    raise TypeError("a header is text or bytes")
