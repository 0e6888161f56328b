"""Masks secrets and removes control characters in log records, a server's text in error messages, cassettes and the
sandbox's journals.

A secret is recognized by its name (`client_secret`, `X-Api-Key`, `dbPassword`, `credentials`), by its form (a signed
token, a key with its provider's prefix, a PEM block, `user:password@` in a URL), or because the caller knows it.
Masking masked text changes nothing. Servers echo what they were sent ("invalid client_secret 'abc'"), and error
messages end up in logs and bug reports.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

MASK = "***"
# C0 without tab and line break, DEL, C1, line and paragraph separators, bidirectional marks, lone surrogates.
CONTROLS = r"\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff"
# Parameters that a browser carries from the provider to the application. They're only secret in some places.
OAUTH_NAMES = frozenset({"code", "state"})

# Much longer than the text that is kept: otherwise a part of a secret could be left at the cut.
_MAX_READ = 16_384
_MAX_TEXT = 1_000
_MAX_DEPTH = 8
# A shorter secret may be an ordinary word, and masking it would garble messages. From the second length on, a secret
# with a digit is random text, and is masked within other words as well.
_MIN_SECRET, _MIN_KEY = 8, 16


@functools.cache
def _compiled(pattern: str) -> re.Pattern[str]:
    # Compiled on first use: all patterns together take a tenth of the time that httpx takes to import.
    return re.compile(pattern)


# Names. `max_tokens` and the like count a language model's tokens.
_KEYS = "(?:api|access|private|secret|account|shared|signing|signature|encryption|master|subscription)[_-]?key"
_ONE = (
    f"token|secret|password|passwd|passphrase|pwd|dsn|authorization|cookie|{_KEYS}|connection[_-]?string|"
    "code[_-]?verifier|x-(?:amz|goog)-(?:credential|signature)|aws[_-]?access[_-]?key[_-]?id|google[_-]?access[_-]?id|"
    "key[_-]?pair[_-]?id"
)
_SEVERAL = (
    "secrets|passwords|passphrases|credentials|cookies|dsns|connection[_-]?strings|"
    f"{_KEYS}s|(?:access|refresh|api|auth|bearer|session|csrf|xsrf|device|oauth|client|user|secret|security|id)[_-]?tokens"
)
# `password2`, `passwordConfirmation`, `tokens[0]`, `user[password]`
_NAME_END = r"(?:[_-]?(?:\d{1,3}|confirm|confirmation|again))?(?:\]|\[\w{0,40}\])*\Z"
_SECRET_NAME = rf"(?i)(?:{_ONE}|{_SEVERAL}|\A(?:tokens|signature|sig)){_NAME_END}"
# A number under one of these names is a count.
_COUNTED_NAME = r"(?i)(?:tokens|secrets|credentials|cookies|keys)\Z"
# What follows one of these names is a secret even in a sentence: "password: hunter" contains one, "token: malformed"
# doesn't.
_CERTAIN_NAME = (
    r"(?i)(?:client[_-]?secret|(?:access|refresh|id)[_-]?token|api[_-]?key|authorization|passw(?:or)?d|passphrase)"
    + _NAME_END
)

# No pattern may take more than linear time, whatever the text: a repetition that can fail at its end is either bounded,
# or can't start within a run that it has already scanned.

# Forms.
# Not preceded by a letter or digit of another word, unless that ends an escape sequence of Python, JSON, URLs or
# terminals.
_WORD_START = (
    r"(?:(?<!\w)|(?<=\\[abfnrtv])|(?<=\\x[0-9a-fA-F]{2})|(?<=\\u[0-9a-fA-F]{4})|(?<=%[0-9a-fA-F]{2})"
    r"|(?<=\x1b\[[0-9]m)|(?<=\x1b\[[0-9]{2}m))"
)
# A challenge's parameters also follow the scheme: `Basic realm="x"`.
_CREDENTIALS = r"(?i)\b(bearer|basic)(\s+)(?!(?:realm|charset|scope|error|error_description)=)([A-Za-z0-9._~+/=-]+)"
# "Basic authentication", "bearer token", "Bearer-only"
_WORD = r"[A-Za-z]?[a-z]{0,24}(?:-[A-Za-z]?[a-z]{0,24}){0,4}\.?"
# The preceding character is checked once, because a hyphen may join a token to it, and "eyJ-eyJ-eyJ-" has many starts.
_JWT = (
    r"(?<![A-Za-z0-9_-])(?=[A-Za-z0-9_-]++\.[A-Za-z0-9_-])([A-Za-z0-9_-]*?)"
    r"\beyJ[A-Za-z0-9_-]++\.[A-Za-z0-9_-]++(?:\.[A-Za-z0-9_-]*+)?"
)
# Without its end marker, it ends with the text that contains it: at a quote, which may be escaped.
_PEM = r"""-----BEGIN[^-\n]{1,60}-----[^"'<>{}]*?(?:-----END[^-\n]{1,60}-----|(?=\\{0,8}["'<>{}])|\Z)"""
# Passwords occur unescaped in URLs. After a host's colon there is a port, and then no password's @.
_USER_INFO = (
    r"""(?i)\b([a-z][a-z0-9+.-]{1,30}:/{1,3})(?:[^\s/?#"'<>\\]*@|"""
    r"""[^\s/?#:@"'<>\\]*:(?!\d{1,5}(?:[/?#\s"'<>]|\Z))(?:(?!://)[^\s"'<>])*@)"""
)
# Providers that give their keys a prefix, which makes leaked keys easy to find. Each alternative starts with a letter,
# so `re` can skip to the next one; whether a word starts there is checked afterwards.
_PREFIXED_KEY = (
    r"AKIA[A-Z0-9]{16}\b|ASIA[A-Z0-9]{16}\b|AIza[\w-]{16,}|SG\.[\w-]{8,}\.[\w-]{8,}|ya29\.[\w.-]{8,}"
    r"|gh[opusr]_\w{8,}|github_pat_\w{8,}|shp(?:at|ca|pa|ss)_\w{8,}|sk_(?:live|test)_\w{8,}|rk_(?:live|test)_\w{8,}"
    r"|gl(?:pat|dt|rt|cbt|ptt|ft|soat)-[\w.-]{8,}|xox[abeprs][.-][\w.-]{8,}|xapp-[\w-]{8,}|GOCSPX-[\w-]{8,}"
    r"|(?P<hook>hooks\.slack\.com/services/)[\w/]{8,}"
    r"|sk-(?=[a-zA-Z_-]{0,100}\d)[\w-]{8,}|pplx-(?=[a-zA-Z_-]{0,100}\d)[\w-]{8,}|pypi-(?=[a-zA-Z_-]{0,100}\d)[\w-]{8,}"
    r"|hf_(?=[a-zA-Z_]{0,100}\d)\w{8,}|gsk_(?=[a-zA-Z_]{0,100}\d)\w{8,}|npm_(?=[a-zA-Z_]{0,100}\d)\w{8,}"
    r"|dop_v1_\w{8,}|lin_api_\w{8,}|(?P<ours>whsec_|secret_|sk_)(?=[a-zA-Z_]{0,100}\d)\w{6,}"
)

# Names with values, in any text: `name=value`, and the same within another parameter's value, where ?, & and = are %3F,
# %26 and %3D; `name: value`, and in JSON and Python's reprs; "the name 'value'", but not `token "HTTP/1.1 200"`.
_NAMED = (
    r"(?i)(?:(?P<query>[?&#]|%26|%3f)|(?<![\w.-]))(?P<name>[\w.-]++(?:\[\w{0,40}\]){0,5})"
    r"""(?P<quote>\\*["'])?(?:(?P<assigned>[ \t]*=>[ \t]*|=(?![ \t])|%3d)|[ \t]*[:=][ \t]*|[ \t]+(?=["'](?!HTTP/)))"""
)
# "password: is required" is an explanation, and what follows "Authorization: Basic" is masked by its form.
_NO_PROSE = (
    r"(?!(?:null|none|true|false|is|are|was|has|must|may|or|and|should|cannot|not|too|does|needs|contains|in|with|of|"
    r"for|at|it|required|missing|invalid|expired|wrong|bearer|basic)(?![^\s.,;:!?)\]}&\"']))"
)
# "token: malformed" is an explanation, "token: 8f3a..." is the token. Generated tokens contain a digit.
_RANDOM = r"""(?=[^\s"'&,;}\d]{0,100}\d)(?=[^\s"'&,;}]{6})"""
_VALUE = (
    r"""(?i)b?(?P<open>\\*["'])%s(?P<quoted>(?:(?!(?P=open))(?:\\.|[^\\\n]))*+)(?P=open)?"""
    r"""|(?P<container>[\[{(](?=b?["']?%s)[^][(){}]*[])}]?)"""
    r"""|%s(?P<bare>(?<=%%3d)(?:(?!%%26)[^&\s"'<>,;\\}])+|[^&\s"'<>,;\\}]+)"""
)
_CERTAIN_VALUE = _VALUE % ("", "", _NO_PROSE)
_RANDOM_VALUE = _VALUE % (_RANDOM, _RANDOM, _RANDOM)
# C0, DEL and C1 would let a server forge log lines or drive a terminal; bidirectional marks reorder the visible text;
# lone surrogates can't be written at all.
_CONTROL = f"[{CONTROLS}]"
_UNPRINTABLE = rf"[\n\t{CONTROLS}]+"


def is_secret_name(name: object) -> bool:
    if isinstance(name, bytes):
        name = name.decode("latin-1")
    return isinstance(name, str) and _compiled(_SECRET_NAME).search(name) is not None


def is_secret(name: object, value: object) -> bool:
    """Whether `value` is a secret because of its name. Flags and counts aren't: `"tokens": 512`."""
    if value is None or isinstance(value, bool) or not is_secret_name(name):
        return False
    return not (isinstance(value, int | float) and _compiled(_COUNTED_NAME).search(str(name)))


def mask_text(
    text: str, secrets: Iterable[str] = (), *, mask: str = MASK, in_queries: frozenset[str] = frozenset()
) -> str:
    """Return `text` without any of `secrets`, without what looks like a secret, and without the values of secret names.

    `in_queries` has further names, whose values are masked when they are parameters of a URL.
    """
    # The longest first, because one may start with another.
    for secret in sorted(secrets, key=len, reverse=True):
        if holds_secret(text, (secret,)):
            text = _whole(secret).sub(mask, text)
    return _mask_named(mask_forms(text, mask), mask, in_queries)


def _mask_named(text: str, mask: str, in_queries: frozenset[str]) -> str:
    parts, at, end = [], 0, 0
    for found in _compiled(_NAMED).finditer(text):
        name = found["name"]
        if found.end() < end or not (is_secret_name(name) or (found["query"] and name.lower() in in_queries)):
            continue
        is_certain = found["assigned"] or found["quote"] or _compiled(_CERTAIN_NAME).search(name)
        value = _compiled(_CERTAIN_VALUE if is_certain else _RANDOM_VALUE).match(text, found.end())
        if value is None or ((value["bare"] or "").isdigit() and _compiled(_COUNTED_NAME).search(name)):
            continue
        kind, end = str(value.lastgroup), value.end()
        # In JSON, values that aren't strings become one.
        quote = "" if kind == "quoted" else found["quote"] or ('"' if kind == "container" else "")
        parts += [text[at : value.start(kind)], f"{quote}{mask}{quote}"]
        at = value.end(kind)
    return "".join([*parts, text[at:]])


def holds_secret(text: str, secrets: Iterable[str]) -> bool:
    """Whether `text` contains one of `secrets` as a whole word."""
    for secret in secrets:  # not a generator, because this runs for each log record
        if secret in text and len(secret) >= _MIN_SECRET and _whole(secret).search(text) is not None:
            return True
    return False


@functools.lru_cache(maxsize=64)
def _whole(secret: str) -> re.Pattern[str]:
    if len(secret) >= _MIN_KEY and re.search(r"\d", secret):
        return re.compile(re.escape(secret))
    before = _WORD_START if re.match(r"\w", secret) else ""
    after = r"(?!\w)" if re.search(r"\w\Z", secret) else ""
    return re.compile(before + re.escape(secret) + after)


def mask_forms(text: str, mask: str = MASK) -> str:
    """Return `text` without the secrets that are recognized by their form, whatever surrounds them."""
    if "://" in text or ":/" in text:
        text = _compiled(_USER_INFO).sub(rf"\1{mask}@", text)
    text = _compiled(_PEM).sub(mask, text)
    text = _compiled(_CREDENTIALS).sub(
        lambda match: match[0] if _is_prose(match) else f"{match[1]}{match[2]}{mask}", text
    )
    text = _compiled(_JWT).sub(rf"\1{mask}", text)
    return _compiled(_PREFIXED_KEY).sub(lambda match: _masked_key(match, mask), text)


def _masked_key(match: re.Match[str], mask: str) -> str:
    if _compiled(_WORD_START).match(match.string, match.start()) is None:
        return match[0]
    return f"{match['ours'] or match['hook'] or ''}{mask}"


def _is_prose(credentials: re.Match[str]) -> bool:
    """Whether the text after "basic" or "bearer" is an ordinary word."""
    return _compiled(_WORD).fullmatch(credentials[3]) is not None


def clean_text(text: str, secrets: Iterable[str] = ()) -> str:
    """`mask_text` for a server's text: on one line, without control characters, and of a bounded length."""
    secrets = tuple(secrets)
    cut = len(text) > _MAX_READ
    text = mask_text(text[:_MAX_READ], secrets)
    if cut:
        # The end of the text may contain the start of a secret, and masking shortens the text before it.
        text = text[: max(0, len(text) - max(map(len, secrets), default=0))]
    text = _compiled(_UNPRINTABLE).sub(" ", text).strip()
    return text if len(text) <= _MAX_TEXT else text[: _MAX_TEXT - 1] + "…"


def escape_controls(text: str) -> str:
    """Return `text` for a terminal, with characters that would drive it or reorder its text escaped as in Python
    (`\\x9b`).

    Tabs and line breaks stay.
    """
    return _compiled(_CONTROL).sub(lambda match: ascii(match[0])[1:-1], text)


def clean_json(value: Any, secrets: Iterable[str] = ()) -> Any:
    """Return `value`, from `json.loads`, with all texts cleaned and values with secret names masked.

    Cut below a certain depth.
    """
    return Masker(lambda text: clean_text(text, secrets), max_depth=_MAX_DEPTH).clean(value)


def mask_value(name: str, value: Any, secrets: Iterable[str] = ()) -> Any:
    """Return `value` with all its texts masked, and everything with a secret name: itself, a key's value, a pair's
    second.

    A mapping that contains a secret becomes a `dict`; values without secrets stay the same object. Cut below a certain
    depth.
    """
    cleaned = Masker(lambda text: mask_text(text, secrets), max_depth=_MAX_DEPTH).item({}, name, value)
    return value if cleaned == value else cleaned


class Masker:
    """Masks a value and everything in it: its texts with `text`, and values with secret names completely."""

    pairs: tuple[type, ...] = (list, tuple)
    """The types whose instances of two items may be a name and its value."""

    def __init__(self, text: Callable[[str], str], *, max_depth: int | None = None) -> None:
        self._text = text
        self._max_depth = max_depth

    def clean(self, value: Any, around: tuple[int, ...] = ()) -> Any:
        """Clean a value. `around` has the ids of the containers that `value` is in, because one may contain itself."""
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, bytes | bytearray):
            return self._text(value.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
        if isinstance(value, BaseException):
            return self._shown(value)
        if not isinstance(value, Mapping | list | tuple | set | frozenset):
            return value
        if len(around) == self._max_depth or id(value) in around:
            return "…"
        around = (*around, id(value))
        if isinstance(value, Mapping):
            return {self._shown(key): self.item(value, key, item, around) for key, item in list(value.items())}
        if isinstance(value, list | tuple) and isinstance(value, self.pairs) and len(value) == 2:
            cleaned = [self.clean(value[0], around), self.item({}, value[0], value[1], around)]
        else:
            cleaned = [self.clean(item, around) for item in value]
        for kind in (tuple, set, frozenset):
            if isinstance(value, kind):
                return kind(cleaned)
        return cleaned

    def item(self, parent: Mapping[Any, Any], name: object, value: Any, around: tuple[int, ...] = ()) -> Any:
        """Return what replaces the value that `parent` has under a name."""
        return MASK if is_secret(name, value) else self.clean(value, around)

    def _shown(self, value: Any) -> Any:
        """Returns non-strings unchanged unless their text needs cleaning."""
        text = str(value)
        cleaned = self._text(text)
        return value if cleaned == text else cleaned
