"""What a server says, made fit for an error message or a log line: without secrets and control characters.

Servers echo what they were sent ("invalid client_secret 'abc'"), and error messages end in logs and bug reports.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

MASK = "***"

_SECRET_KEYS = frozenset(
    {
        "access_token",
        "api_key",
        "apikey",
        "authorization",
        "client_secret",
        "id_token",
        "password",
        "refresh_token",
        "secret",
        "token",
    }
)
# Long before the cut, so that a secret that stands across it is never kept in part.
_LONGEST_READ = 16_384
_LONGEST_TEXT = 1_000
_DEEPEST = 8
_WIDEST = 100

_BEARER = re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]+")
_JWT = re.compile(r"\beyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*)?")
_NAMED = re.compile(
    r"""(?i)\b(client_secret|access_token|refresh_token|id_token|api_?key|authorization|password)(["']?\s*[:=]\s*["']?|\s+["'])[^\s"'&,;}]+"""
)
# "token: malformed" tells what is wrong; "token: 8f3a..." is the token. Those that are made by machines hold a digit.
_NAMED_LOOSELY = re.compile(r"""(?i)\b(secret|token)(["']?\s*[:=]\s*["']?|\s+["'])(?=[^\s"'&,;}]*\d)[^\s"'&,;}]{6,}""")
_PREFIXED = re.compile(r"\b(whsec|secret|sk)_(?=\w*\d)\w{6,}")
# C0, DEL and C1 would let a server forge log lines or drive a terminal; lone surrogates cannot be written at all.
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")


def clean_text(text: str, secrets: Iterable[str] = ()) -> str:
    """`text` on one line, of a bounded length, without any of `secrets` and without what looks like a secret."""
    text = text[:_LONGEST_READ]
    for secret in secrets:
        # Nothing as short as this is a secret, and to replace it would garble every word.
        if len(secret) >= 4:
            text = text.replace(secret, MASK)
    text = _BEARER.sub(rf"\1 {MASK}", text)
    text = _JWT.sub(MASK, text)
    text = _NAMED.sub(rf"\1\2{MASK}", text)
    text = _NAMED_LOOSELY.sub(rf"\1\2{MASK}", text)
    text = _PREFIXED.sub(rf"\1_{MASK}", text)
    text = _UNPRINTABLE.sub(" ", text).strip()
    return text if len(text) <= _LONGEST_TEXT else text[: _LONGEST_TEXT - 1] + "…"


def clean_json(value: Any, secrets: Iterable[str] = (), depth: int = _DEEPEST) -> Any:
    """`value`, as `json.loads` made it, with every text cleaned and what is named like a secret masked.

    It is cut where it is deep or wide.
    """
    if isinstance(value, str):
        return clean_text(value, secrets)
    if isinstance(value, Mapping | list):
        if depth == 0:
            return "…"
        if isinstance(value, list):
            return [clean_json(item, secrets, depth - 1) for item in value[:_WIDEST]]
        return {
            clean_text(str(key), secrets): MASK
            if isinstance(item, str) and is_secret_name(str(key))
            else clean_json(item, secrets, depth - 1)
            for key, item in list(value.items())[:_WIDEST]
        }
    return value


def is_secret_name(name: str) -> bool:
    return name.lower().replace("-", "_") in _SECRET_KEYS
