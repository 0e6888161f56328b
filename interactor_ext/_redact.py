"""Texts without secrets: of log records, and of what a server says where it gets into an error message.

Servers echo what they were sent ("invalid client_secret 'abc'"), and error messages end in logs and bug reports.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import Any

MASK = "***"

_SECRET_KEYS = frozenset(
    {
        "access_token",
        "api_key",
        "apikey",
        "authorization",
        "client_secret",
        "cookie",
        "id_token",
        "password",
        "proxy_authorization",
        "refresh_token",
        "secret",
        "set_cookie",
        "token",
        "x_api_key",
    }
)
# Long before the cut, so that a secret that stands across it is never kept in part.
_LONGEST_READ = 16_384
_LONGEST_TEXT = 1_000
_DEEPEST = 8
_WIDEST = 100

# No pattern may take more than linear time, whatever the text: a repetition that can fail at its end is either bounded,
# or cannot begin within a run that it has looked at already.
_BEARER = re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]+")
# What stands before is looked at once, for a hyphen may join a token to it, and "eyJ-eyJ-eyJ-" has many beginnings.
_JWT = re.compile(
    r"(?<![A-Za-z0-9_-])(?=[A-Za-z0-9_-]++\.[A-Za-z0-9_-])([A-Za-z0-9_-]*?)"
    r"\beyJ[A-Za-z0-9_-]++\.[A-Za-z0-9_-]++(?:\.[A-Za-z0-9_-]*+)?"
)
# The brackets and the b are those of lists and of bytes, as Python shows them.
_ASSIGNED = r"""(["']?\s*[:=]\s*[\[(]?(?:b?["'])?|\s+["'])"""
# "password: is required" says what is wrong with one.
_PROSE = "null|none|true|false|is|are|was|has|must|may|or|and|should|cannot|not|required|missing|invalid|expired|wrong"
_NAMED = re.compile(
    r"(?i)\b(client_secret|access_token|refresh_token|id_token|api_?key|authorization|password)"
    + _ASSIGNED
    + rf"(?!(?:{_PROSE})\b)"
    + r"""[^\s"'&,;}]+"""
)
# "token: malformed" tells what is wrong; "token: 8f3a..." is the token. Those that are made by machines hold a digit.
_NAMED_LOOSELY = re.compile(r"(?i)\b(secret|token)" + _ASSIGNED + r"""(?=[^\s"'&,;}\d]{0,100}\d)[^\s"'&,;}]{6,}""")
_PREFIXED = re.compile(r"\b(whsec|secret|sk)_(?=\w*\d)\w{6,}")
# C0, DEL and C1 would let a server forge log lines or drive a terminal; lone surrogates cannot be written at all.
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")


def mask_text(text: str, secrets: Iterable[str] = ()) -> str:
    """`text` without any of `secrets` and without what looks like a secret."""
    # The longest first, for one may begin like another.
    for secret in sorted(secrets, key=len, reverse=True):
        # Nothing as short as this is a secret, and to replace it would garble every word.
        if len(secret) >= 4:
            text = text.replace(secret, MASK)
    text = _BEARER.sub(rf"\1 {MASK}", text)
    text = _JWT.sub(rf"\1{MASK}", text)
    text = _NAMED.sub(rf"\1\2{MASK}", text)
    text = _NAMED_LOOSELY.sub(rf"\1\2{MASK}", text)
    return _PREFIXED.sub(rf"\1_{MASK}", text)


def clean_text(text: str, secrets: Iterable[str] = ()) -> str:
    """`mask_text`, on one line, without control characters and of a bounded length: for what a server says."""
    secrets = tuple(secrets)
    cut = len(text) > _LONGEST_READ
    text = mask_text(text[:_LONGEST_READ], secrets)
    if cut:
        # The start of a secret may stand at the end, and masking brings the end nearer.
        text = text[: max(0, len(text) - max(map(len, secrets), default=0))]
    text = _UNPRINTABLE.sub(" ", text).strip()
    return text if len(text) <= _LONGEST_TEXT else text[: _LONGEST_TEXT - 1] + "…"


def clean_json(value: Any, secrets: Iterable[str] = ()) -> Any:
    """`value`, as `json.loads` made it, with every text cleaned and what is named like a secret masked.

    It is cut where it is deep or wide.
    """
    return _Cleaner(lambda text: clean_text(text, secrets), _WIDEST).clean(value)


def mask_value(name: str, value: Any, secrets: Iterable[str] = ()) -> Any:
    """`value` with every text in it masked, and what is named like a secret: itself, a key's value, a pair's second.

    A mapping that holds a secret becomes a `dict`; what holds none stays what it is. It is cut where it is deep.
    """
    cleaned = _Cleaner(lambda text: mask_text(text, secrets), None).named(name, value)
    return value if cleaned == value else cleaned


def is_secret_name(name: object) -> bool:
    if isinstance(name, bytes):
        name = name.decode("latin-1")
    return isinstance(name, str) and name.lower().replace("-", "_") in _SECRET_KEYS


class _Cleaner:
    def __init__(self, text: Callable[[str], str], widest: int | None) -> None:
        self._text = text
        self._widest = widest

    def clean(self, value: Any, around: tuple[int, ...] = ()) -> Any:
        """`around` has the ids of the containers that `value` is in, for one may hold itself."""
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, bytes | bytearray):
            return self._text(value.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
        if isinstance(value, BaseException):
            return self._shown(value)
        if not isinstance(value, Mapping | list | tuple | set | frozenset):
            return value
        if len(around) == _DEEPEST or id(value) in around:
            return "…"
        around = (*around, id(value))
        if isinstance(value, Mapping):
            items = list(islice(value.items(), self._widest))
            return {self._shown(key): self.named(key, item, around) for key, item in items}
        if isinstance(value, list | tuple) and len(value) == 2:
            cleaned = [self.clean(value[0], around), self.named(value[0], value[1], around)]
        else:
            cleaned = [self.clean(item, around) for item in islice(value, self._widest)]
        for kind in (tuple, set, frozenset):
            if isinstance(value, kind):
                return kind(cleaned)
        return cleaned

    def named(self, name: object, value: Any, around: tuple[int, ...] = ()) -> Any:
        return MASK if value is not None and is_secret_name(name) else self.clean(value, around)

    def _shown(self, value: Any) -> Any:
        """What is no text itself, as it is, unless its text has to be cleaned."""
        text = str(value)
        cleaned = self._text(text)
        return value if cleaned == text else cleaned
