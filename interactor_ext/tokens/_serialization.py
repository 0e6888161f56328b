"""Tokens from JSON, of a token response or of a store, and to JSON. What is read may be anything."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping

from interactor_client.errors import DecodeError
from interactor_ext.tokens._store import Token

# What the platform's guides name as its shortest lifetime.
_DEFAULT_LIFETIME = 900.0
_SENDABLE = re.compile(r"[\x21-\x7e]+")  # what a header can carry
_FAR_FUTURE = 1e12
"""No time and no lifetime is beyond it, in seconds, and NaN is not below it."""


def read_token(content: bytes, issued_at: float, model: str = "AccessToken") -> Token:
    """The token in the body of a token response, with or without the `data` envelope.

    `issued_at` is when it was asked for, in Unix time: to count its life from there errs on the safe side. `model` is
    the error's name for the body.

    Raises:
        DecodeError: there is no token in it, or one that no header can carry.
    """
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        raise DecodeError(model, "", "is not JSON that can be read") from None
    if not isinstance(body, Mapping):
        raise DecodeError(model, "", "must be an object")
    data = body.get("data")
    fields = data if isinstance(data, Mapping) else body
    access_token = fields.get("access_token")
    if not isinstance(access_token, str) or not access_token:
        problem = "is missing" if access_token is None else "must be a string that is not empty"
        raise DecodeError(model, "access_token", problem)
    if not _SENDABLE.fullmatch(access_token):
        raise DecodeError(model, "access_token", "holds a character that no header can carry")
    lifetime = _lifetime(fields.get("expires_in"))
    return Token(access_token, issued_at + lifetime, lifetime)


def _lifetime(expires_in: object) -> float:
    if isinstance(expires_in, bool) or not isinstance(expires_in, int | float | str):
        return _DEFAULT_LIFETIME
    try:
        seconds = float(expires_in)
    except (ValueError, OverflowError):
        return _DEFAULT_LIFETIME
    # Some servers say 0 or -1 of a token that does not expire; taken at its word, it would be replaced for every call.
    return seconds if math.isfinite(seconds) and seconds >= 1 else _DEFAULT_LIFETIME


def load_token(value: object) -> Token:
    """The token of a store, from its fields. Raises ValueError, which does not quote it, if it is no token."""
    fields = value if isinstance(value, Mapping) else {}
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


def _number(name: str, value: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _FAR_FUTURE:
        return float(value)
    raise ValueError(f"what is stored is no token: its {name} is missing or unusable")
