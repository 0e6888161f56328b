"""A token as text, for stores outside of this process, and back; what is read there may be anything."""

from __future__ import annotations

import json
import re
from typing import Any

from interactor_ext.tokens._store import Token

_SENDABLE = re.compile(r"[\x21-\x7e]+")
FAR_FUTURE = 1e12
"""No time and no lifetime is beyond it, in seconds, and NaN is not below it."""


def dump_token(token: Token) -> dict[str, Any]:
    return token._asdict()


def load_token(value: Any) -> Token:
    """ValueError, without a word of the value, if it is no token."""
    fields = value if isinstance(value, dict) else {}
    access_token, expires_at, lifetime = (fields.get(name) for name in Token._fields)
    if not isinstance(access_token, str) or not _SENDABLE.fullmatch(access_token):
        raise ValueError("what is stored is no token: its access_token is missing or unusable")
    return Token(access_token, _number("expires_at", expires_at), _number("lifetime", lifetime))


def parse_token(text: str | bytes) -> Token:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("what is stored is no JSON") from None
    return load_token(value)


def _number(name: str, value: Any) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < FAR_FUTURE:  # not NaN either
        return float(value)
    raise ValueError(f"what is stored is no token: its {name} is missing or unusable")
