"""Masks secrets in URLs, headers and bodies of recorded cassettes.

`redaction.py` decides what is a secret. On a cassette, something can also be one because of its place: the whole
`config` of a data source, the code of an OAuth flow. A replay masks the sent and the recorded request, and compares
them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from interactor_ext._engine.redaction import OAUTH_NAMES, Masker, is_secret, is_secret_name, mask_forms, mask_text

MASK = "MASKED"
# Not a secret, but different where the cassette is replayed.
_CLIENT_NAMES = frozenset({"client_id", "client-id", "clientid"})
_QUERY_NAMES = OAUTH_NAMES | _CLIENT_NAMES
_DATA_SOURCE_TYPES = ("file", "url", "database")


class BodyMasker(Masker):
    """Masks bodies sent to a URL and the bodies of its responses. Some names are only secret in some places."""

    pairs: tuple[type, ...] = ()  # in JSON, `["token", "id"]` is a list

    def __init__(self, uri: str = "", *, is_sent: bool = True) -> None:
        super().__init__(masked_text)
        path = urlsplit(uri).path
        self._is_data_source = "/data-sources" in path
        names = OAUTH_NAMES if "/oauth/" in path else frozenset()
        # In a response, `code` is an error's code.
        self._names = _CLIENT_NAMES | (names | {"code"} if is_sent else names - {"code"})

    def masked(self, body: Any, headers: Mapping[str, Any]) -> Any:
        """Return the masked body: a JSON body as its value, others as bytes, None for an empty one."""
        if not body:
            return None
        plain = _plain(body, headers)
        kind = ",".join(_header(headers, "content-type")).lower()
        if plain is None or kind.startswith("multipart/"):
            return MASK.encode()
        try:
            return self.clean(json.loads(plain))
        except ValueError:
            text = plain.decode("utf-8", "surrogateescape")
            # A form has the syntax of a URL's query.
            clean = masked_text(f"?{text}")[1:] if "form-urlencoded" in kind else masked_text(text)
            return clean.encode("utf-8", "surrogateescape")

    def cleaned(self, body: Any, headers: Mapping[str, Any]) -> Any:
        """Return the body for the cassette."""
        clean = self.masked(body, headers)
        if clean is None:
            return body
        return clean if isinstance(clean, bytes) else json.dumps(clean, ensure_ascii=False).encode()

    def item(self, parent: Mapping[Any, Any], name: object, value: Any, around: tuple[int, ...] = ()) -> Any:
        is_config = self._is_data_source or "semantic_mappings" in parent or parent.get("type") in _DATA_SOURCE_TYPES
        # Its keys are unknown, and most of them are secrets in a data source.
        if is_secret(name, value) or str(name).lower() in self._names or (name == "config" and is_config):
            return _whole(value)
        return self.clean(value, around)


def masked_headers(headers: Mapping[str, Any], secret: frozenset[str]) -> dict[str, Any]:
    return {
        name: _each(value, (lambda _: MASK) if name.lower() in secret or is_secret_name(name) else masked_text)
        for name, value in headers.items()
    }


def masked_text(text: str) -> str:
    return mask_text(text, mask=MASK, in_queries=_QUERY_NAMES)


def _whole(value: Any) -> Any:
    """Mask a secret. Containers stay containers, so a replay can parse models."""
    if isinstance(value, dict):
        return {mask_forms(key, MASK): _whole(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_whole(item) for item in value]
    return value if value is None or isinstance(value, bool) else MASK


def _plain(body: Any, headers: Mapping[str, Any]) -> bytes | None:
    """Return the bytes of a body; None if they are compressed, which `recorder` leaves to vcrpy."""
    if not isinstance(body, bytes | str) or {*_header(headers, "content-encoding")} - {"", "identity"}:
        return None
    return body.encode("utf-8", "surrogateescape") if isinstance(body, str) else body


def _header(headers: Mapping[str, Any], name: str) -> list[str]:
    return [text for key, value in headers.items() if key.lower() == name for text in _texts(value)]


def _texts(value: Any) -> list[str]:
    values = value if isinstance(value, list | tuple) else [value]
    return [each.decode("latin-1") if isinstance(each, bytes) else str(each) for each in values]


def _each(value: Any, clean: Callable[[str], str]) -> Any:
    texts = [clean(text) for text in _texts(value)]
    return texts if isinstance(value, list | tuple) else texts[0]
