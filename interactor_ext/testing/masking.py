"""Masks secrets in URLs, headers and bodies of recorded cassettes.

A secret is recognized by its name (`client_secret`, `X-Api-Key`, `dbPassword`, `credentials`), by its place (the whole
`config` of a data source, `user:password@` in a URL), or by its form (a signed token or URL, a key with the prefix of
its provider, a PEM block). Masking is idempotent: a replay masks the sent and the recorded request, and compares them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from interactor_ext._redaction import mask_forms

MASK = "MASKED"

_KEYS = "(?:api|access|private|secret|account|shared|signing|signature|encryption|master|subscription)[_-]?key"
_NAMES = (
    f"token|secret|password|passwd|passphrase|pwd|dsn|authorization|cookie|{_KEYS}|client[_-]?id|connection[_-]?string|"
    "code[_-]?verifier|x-(?:amz|goog)-(?:credential|signature)|aws[_-]?access[_-]?key[_-]?id|google[_-]?access[_-]?id|"
    "key[_-]?pair[_-]?id"
)
# Plurals and containers. `max_tokens` and the like count tokens of a language model.
_SEVERAL = (
    "secrets|passwords|passphrases|credentials|cookies|dsns|connection[_-]?strings|"
    f"{_KEYS}s|(?:access|refresh|api|auth|bearer|session|csrf|xsrf|device|oauth|client|user|secret|security|id)[_-]?tokens"
)
# `password2`, `passwordConfirmation`, `tokens[0]`, `user[password]`
_END = r"(?:[_-]?(?:\d{1,3}|confirm|confirmation|again))?(?:\]|\[\w{0,40}\])*"
_SECRET_NAME = re.compile(rf"(?i)(?:{_NAMES}|{_SEVERAL}|\A(?:tokens|signature|sig)){_END}\Z")
# Parameters that a browser carries from the provider to the application.
_OAUTH_NAMES = frozenset({"code", "state"})
_NO_NAMES: frozenset[str] = frozenset()
_DATA_SOURCE_TYPES = ("file", "url", "database")

# Passwords may be unescaped in them, slashes included.
_OTHER_USER_INFO = re.compile(r"""(?i)\b(?!https?:|wss?:)([a-z][a-z0-9+.-]{1,30}://)(?:(?!://)[^\s"'<>\\])*@""")
# Names and values: `name=value`, and the same within the value of another parameter, where = and & are %3D and %26;
# `name: value`, as in YAML and in headers, unless it is a sentence, which has no digit there.
_NAME = r"(?<![\w.-])([\w.-][\w.\[\]-]*+)"
_ASSIGNMENTS = (
    ("=", re.compile(f"{_NAME}="), re.compile(r"""[^&#\s"'<>;,\\]+""")),
    ("%3", re.compile(r"(?i)%(?:26|3f)([\w.-]+)%3d"), re.compile(r"""(?i)(?:(?!%26)[^&#\s"'<>;,\\])+""")),
    (": ", re.compile(f"{_NAME}: {{1,8}}"), re.compile(r"""(?=[^\s"'&,;}\d]{0,100}\d)[^\s"'&,;}]{6,}""")),
)
_OAUTH_ASSIGNED = re.compile(r"""(?i)((?:[?&#]|%26|%3f)(?:code|state)(?:=|%3d))(?:(?!%26)[^&#\s"'<>\\])+""")
_QUOTED = re.compile(
    rf"""(?i)(["'](?:[\w.-]*(?:{_NAMES}|{_SEVERAL}){_END}|tokens|signature|sig)\\*["']\s*:\s*)"""
    r"""(?:"(?:[^"\\]|\\.)*"|'[^'\\]*'|\\+"[^"\\]*\\+"|[\[{][^\[\]{}]*[\]}]?|-?[0-9][0-9.]*)"""
)
# A number under one of these names is a count.
_COUNTED = re.compile(r"(?i)(?:tokens|secrets|credentials|cookies|keys)\Z")
_LINES = re.compile(r"(\r\n|\r|\n)")  # not `splitlines`, which splits at more characters than event streams do


@dataclass(frozen=True, slots=True)
class BodyContext:
    """The path and direction of a body: some names are secret in some places only."""

    names: frozenset[str] = _NO_NAMES
    is_data_source: bool = False

    @classmethod
    def of(cls, uri: str, *, sent: bool) -> BodyContext:
        path = urlsplit(uri).path
        names = _OAUTH_NAMES if "/oauth/" in path else _NO_NAMES
        # In a response, `code` is the code of an error.
        return cls(names - {"code"} if not sent else names | {"code"}, "/data-sources" in path)


def is_secret_name(name: str) -> bool:
    return _SECRET_NAME.search(name) is not None


def masked_uri(uri: str) -> str:
    """A URL without user and password, with other secrets masked."""
    parts = urlsplit(uri)
    parts = parts._replace(netloc=parts.netloc.rpartition("@")[2])
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    clean = _masked_pairs(pairs)
    return mask_forms(urlunsplit(parts if clean == pairs else parts._replace(query=urlencode(clean))), MASK)


def masked_text(text: str, mask: str = MASK) -> str:
    if "@" in text:
        text = _OTHER_USER_INFO.sub(rf"\1{mask}@", text)
    text = mask_forms(text, mask)
    for sign, name, value in _ASSIGNMENTS:
        if sign in text:
            text = _mask_values(text, name, value, mask)
    text = _OAUTH_ASSIGNED.sub(rf"\1{mask}", text)
    return _QUOTED.sub(rf'\1"{mask}"', text)


def _mask_values(text: str, name: re.Pattern[str], value: re.Pattern[str], mask: str) -> str:
    """`text` with each value after a secret name masked."""
    parts, at = [], 0
    for found in name.finditer(text):
        if found.start() < at or not is_secret_name(found[1]):
            continue
        held = value.match(text, found.end())
        if held is not None and not (held[0].isdigit() and _COUNTED.search(found[1])):
            parts += [text[at : found.end()], mask]
            at = held.end()
    return "".join([*parts, text[at:]])


def masked_value(value: Any, context: BodyContext) -> Any:
    """A parsed JSON value with secrets masked."""
    if isinstance(value, str):
        return _masked_string(value, context)
    if isinstance(value, list):
        return [masked_value(item, context) for item in value]
    if not isinstance(value, dict):
        return value
    return {mask_forms(key, MASK): _masked_item(value, key, item, context) for key, item in value.items()}


def masked_body(body: Any, headers: Mapping[str, Any], context: BodyContext) -> Any:
    """The masked body: a JSON body as its value, others as bytes, None for an empty one."""
    if not body:
        return None
    plain = _plain(body, headers)
    kind = ",".join(_header(headers, "content-type")).lower()
    if plain is None or kind.startswith("multipart/"):
        return MASK.encode()
    try:
        return masked_value(json.loads(plain), context)
    except RecursionError:
        return MASK.encode()
    except ValueError:
        return _masked_lines(plain, kind, context).encode("utf-8", "surrogateescape")


def cleaned_body(body: Any, headers: Mapping[str, Any], context: BodyContext) -> Any:
    """The body for the cassette: encoded again only if something was masked."""
    clean = masked_body(body, headers, context)
    if clean is None or isinstance(clean, bytes):
        return body if clean is None else clean
    plain = _plain(body, headers)
    text = (plain or b"").decode("utf-8", "surrogateescape")
    # Also the text: of a repeated name, the parsed value has only the last occurrence.
    is_clean = clean == json.loads(text) and masked_text(text) == text
    return plain if is_clean else json.dumps(clean, ensure_ascii=False).encode()


def masked_headers(headers: Mapping[str, Any], secret: frozenset[str]) -> dict[str, Any]:
    return {
        name: _each(value, (lambda _: MASK) if name.lower() in secret or is_secret_name(name) else masked_text)
        for name, value in headers.items()
    }


def _masked_item(parent: Mapping[str, Any], key: str, item: Any, context: BodyContext) -> Any:
    if item is None or isinstance(item, bool):
        return item
    if isinstance(item, int | float) and _COUNTED.search(key):
        return item
    if key in context.names or is_secret_name(key):
        # Containers stay containers, so that models can be parsed in a replay.
        return _masked_whole(item) if isinstance(item, dict | list) else MASK
    if key == "config" and (
        context.is_data_source or "semantic_mappings" in parent or parent.get("type") in _DATA_SOURCE_TYPES
    ):
        # Its keys are unknown, and most are secrets in a data source.
        return _masked_whole(item)
    return masked_value(item, context)


def _masked_string(text: str, context: BodyContext) -> str:
    """Mask a string; one that contains JSON is masked as JSON."""
    if text.lstrip()[:1] in ("{", "["):
        try:
            value = json.loads(text)
            clean = masked_value(value, context)
        except (ValueError, RecursionError):
            return masked_text(text)
        if clean != value:
            text = json.dumps(clean, ensure_ascii=False)
    return masked_text(text)


def _masked_whole(value: Any) -> Any:
    if isinstance(value, dict):
        return {mask_forms(key, MASK): _masked_whole(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_masked_whole(item) for item in value]
    return value if value is None or isinstance(value, bool) else MASK


def _masked_pairs(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    return [
        (name, MASK if name.lower() in _OAUTH_NAMES or is_secret_name(name) else masked_text(value))
        for name, value in pairs
    ]


def _masked_lines(body: bytes, kind: str, context: BodyContext) -> str:
    text = body.decode("utf-8", "surrogateescape")
    if "form-urlencoded" in kind:
        pairs = parse_qsl(text, keep_blank_values=True)
        clean = _masked_pairs(pairs)
        return text if clean == pairs else urlencode(clean)
    if "event-stream" not in kind:
        return masked_text(text)
    # PEM blocks of several lines first.
    text = mask_forms(text, MASK)
    return "".join(_masked_line(line, context) for line in _LINES.split(text))


def _masked_line(line: str, context: BodyContext) -> str:
    field, colon, rest = line.partition(":")
    if field == "data":
        try:
            value = json.loads(rest)
            clean = masked_value(value, context)
        except (ValueError, RecursionError):
            return masked_text(line)
        return line if clean == value else f"{field}{colon} {json.dumps(clean, ensure_ascii=False)}"
    return masked_text(line)


def _plain(body: Any, headers: Mapping[str, Any]) -> bytes | None:
    """A body with `Content-Encoding` removed; None if it can't be decoded."""
    if not isinstance(body, bytes | str):
        return None
    plain = body.encode("utf-8", "surrogateescape") if isinstance(body, str) else body
    codings = [each.strip().lower() for value in _header(headers, "content-encoding") for each in value.split(",")]
    for coding in reversed([each for each in codings if each not in {"", "identity"}]):
        decoded = _decoded(plain, coding)
        if decoded is None:
            return None
        plain = decoded
    return plain


def _decoded(body: bytes, coding: str) -> bytes | None:
    import httpx

    try:
        # httpx decodes every coding that it offers to servers here.
        response = httpx.Response(200, headers={"content-encoding": coding.removeprefix("x-")}, content=body)
    except httpx.DecodingError:
        return None
    # Unknown codings leave the body unchanged.
    plain: bytes = response.content
    return None if plain == body else plain


def _header(headers: Mapping[str, Any], name: str) -> list[str]:
    return [text for key, value in headers.items() if key.lower() == name for text in _texts(value)]


def _texts(value: Any) -> list[str]:
    values = value if isinstance(value, list | tuple) else [value]
    return [each.decode("latin-1") if isinstance(each, bytes) else str(each) for each in values]


def _each(value: Any, clean: Any) -> Any:
    texts = [clean(text) for text in _texts(value)]
    return texts if isinstance(value, list | tuple) else texts[0]
