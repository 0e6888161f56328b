"""Encodes values as JSON, and decodes JSON that the models' inline checks don't accept.

The models check a field with one inline comparison. A value that fails it is converted here if that is safe, or raises
DecodeError. No message repeats a value, because it may be a secret.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar
from urllib.parse import quote

from .errors import DecodeError
from .types import UNSET

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# dateutil reads character by character, and a hostile server could send it megabytes.
_MAX_TIME_LENGTH = 100
_DEFAULTS = ((2000, 1, 1), (2001, 2, 2))
# As seconds, the year 5138; milliseconds, micro- and nanoseconds of this century are larger.
_MAX_SECONDS = 100_000_000_000
_LEAP_SECOND = re.compile(r"(?<=:\d\d):60(?!\d)")
_NOT_IN_HEADERS = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]|^\s|\s\Z")
_KINDS: dict[type, str] = {
    bool: "a boolean",
    int: "an integer",
    float: "a number",
    str: "a string",
    list: "an array",
    dict: "an object",
    type(None): "null",
}

ABSENT: Any = UNSET
"""UNSET as the value of a field that may be anything, before it is checked."""


def path_segment(name: str, value: str, safe: str = "") -> str:
    """`value` as one segment of a URL path, whatever it contains, with the characters `safe` unchanged.

    Raises:
        ValueError: `value` isn't a string, or would lead to another path: "", "." or "..".
    """
    _check_text(name, value)
    if value in ("", ".", ".."):
        raise ValueError(f"{name} must not be {value!r}: it would address another resource")
    try:
        return quote(value, safe=safe)
    except UnicodeEncodeError:
        raise ValueError(f"{name} contains a lone surrogate, which a URL can't represent") from None


def query_text(name: str, value: Any) -> Any:
    """`value` as text in a query; UNSET and None unchanged. A member of an enum that is a string becomes its value.

    Raises:
        ValueError: `value` isn't a string.
    """
    if type(value) is str or value is UNSET or value is None:
        return value
    _check_text(name, value)
    return str.__str__(value)


def header_value(name: str, value: Any) -> bytes:
    """`value` for the header `name`, in UTF-8. No error quotes it, because it may be a secret.

    Raises:
        ValueError: `value` is neither a string nor UTF-8, or a header can't carry it.
    """
    text = value.decode(errors="surrogateescape") if isinstance(value, bytes) else value
    _check_text(f"the header {name}", text)
    if _NOT_IN_HEADERS.search(text):
        raise ValueError(
            f"the header {name} contains a control character or isn't valid UTF-8, or begins or ends with white space"
        )
    return str.encode(text)


def header_problem(headers: Iterable[tuple[str | bytes, Any]]) -> str | None:
    """What is wrong with the first header whose value can't be sent."""
    for name, value in headers:
        try:
            header_value(name.decode("latin-1") if isinstance(name, bytes) else name, value)
        except ValueError as error:
            return str(error)
    return None


def as_text(name: str, value: Any) -> str:
    """`value` as text in a path, a header or a cookie; the items of a list and of an object separated by commas.

    Raises:
        ValueError: `value` is None, or contains another list or object, or an item contains a comma.
    """
    return _joined(name, to_json(value), ",")


def in_query(name: str, value: Any, style: str) -> dict[str, Any]:
    """The query parameters that represent `value` in a style of OpenAPI, `comma` or `json`; none for UNSET and None.

    Raises:
        ValueError: The style can't represent `value`.
    """
    if value is UNSET or value is None:
        return {}
    plain = to_json(value)
    if style == "json":
        return {name: json.dumps(plain, ensure_ascii=False)}
    if isinstance(plain, dict) and style == "deepObject":
        return {
            key: each
            for part, nested in plain.items()
            for key, each in in_query(f"{name}[{part}]", nested, style).items()
        }
    if isinstance(plain, dict) and style == "form":
        return {key: _texts(name, each if isinstance(each, list) else [each]) for key, each in plain.items()}
    separator = {"comma": ",", "spaceDelimited": " ", "pipeDelimited": "|"}.get(style)
    if separator is None:
        return {name: _texts(name, plain)}
    return {name: _joined(name, plain, separator)}


def _joined(name: str, value: Any, separator: str) -> str:
    texts = _texts(name, value)
    if isinstance(value, list | dict) and any(separator in text for text in texts):
        raise ValueError(f"{name} contains {separator!r}, which separates its items")
    return separator.join(texts)


def _texts(name: str, value: Any) -> list[str]:
    """The items of a list, the keys and values of an object in turn, or `value` itself."""
    plain = [part for pair in value.items() for part in pair] if isinstance(value, dict) else value
    values = plain if isinstance(plain, list) else [plain]
    if any(value is None or isinstance(value, list | dict) for value in values):
        raise ValueError(f"{name} can't contain null, or a list or object within another")
    return [value if isinstance(value, str) else json.dumps(value) for value in values]


def in_cookie(values: Mapping[str, Any]) -> str:
    """The header Cookie, without values that are UNSET or None."""
    given = {name: value for name, value in values.items() if value is not UNSET and value is not None}
    return "; ".join(f"{name}={quote(as_text(name, value), safe='')}" for name, value in given.items())


def _check_text(name: str, value: object) -> None:
    if not isinstance(value, str):
        hint = ": an `await` is missing" if isinstance(value, Awaitable) else ""
        hint += ": pass its id" if hasattr(value, "id") else ""
        raise ValueError(f"{name} must be a string, not {type(value).__name__}{hint}")


def to_json(value: Any) -> Any:
    """`value` in JSON's types: models as objects, dates and times in ISO 8601.

    Raises:
        ValueError: it is nested too deeply, or contains itself.
    """
    try:
        return _to_json(value)
    except RecursionError:
        raise ValueError("the value is nested too deeply, or contains itself") from None


def _to_json(value: Any) -> Any:
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, list | tuple):
        return [_to_json(item) for item in value]
    if isinstance(value, Mapping):
        return {key: _to_json(item) for key, item in value.items()}
    return value.to_dict() if hasattr(value, "to_dict") else value


def is_given(value: object) -> bool:
    """Whether a field has a value that only responses or only requests have."""
    return value is not UNSET


def as_received(values: dict[str, Any], left_out: Mapping[str, Any]) -> dict[str, Any]:
    """`values` without fields that the response omitted, and with its nulls, unless something was assigned since."""
    for name, received in left_out.items():
        if not values.get(name):
            if received is UNSET:
                values.pop(name, None)
            else:
                values[name] = None
    return values


def says_nothing(response: httpx.Response) -> bool:
    """Whether a success that needs no body has an empty one, null, `{"data": null}`, or text like "OK".

    A web page isn't such a text: something other than the API responded.
    """
    try:
        body = json.loads(response.content)
    except (ValueError, RecursionError):
        return not response.content.lstrip().startswith((b"<", b"{", b"["))
    return not isinstance(body.get("data", body) if isinstance(body, dict) else body, dict)


def decode(response: httpx.Response, name: str, build: Callable[[Any], T]) -> T:
    """The body of `response` as the model called `name`.

    Raises:
        DecodeError: the body isn't JSON, or doesn't fit.
    """
    try:
        return build(json.loads(response.content))
    except DecodeError:
        raise
    except RecursionError:
        problem = "is nested too deeply"
    except ValueError:
        # Broken JSON, broken UTF-8, or an integer of more digits than Python converts.
        problem = "isn't readable JSON"
    raise DecodeError(name, "", problem)


def redacted(value: object) -> str:
    """The repr of a secret."""
    return repr(UNSET) if value is UNSET else "'***'"


def names_only(values: Mapping[str, Any]) -> str:
    """The repr of undocumented fields, any of which may be a secret."""
    return "{" + ", ".join(f"{name!r}: ..." for name in values) + "}"


def raise_decode_error(model: str, field: str, expected: str, value: object) -> NoReturn:
    """Raise the DecodeError for a `value` that isn't as `expected`."""
    if value is UNSET:
        raise DecodeError(model, field, "is missing")
    raise DecodeError(model, field, f"must be {expected}, not {_KINDS.get(type(value), type(value).__name__)}")


def as_object(model: str, value: object) -> dict[str, Any]:
    """A copy of a model's source, which may be modified."""
    return as_dict(model, "", value)


def as_dict(model: str, field: str, value: object) -> dict[str, Any]:
    if isinstance(value, Mapping):
        return dict(value)
    raise_decode_error(model, field, "an object", value)


def as_list(model: str, field: str, value: object) -> list[Any]:
    if isinstance(value, list | tuple):
        return list(value)
    raise_decode_error(model, field, "an array", value)


def as_str(model: str, field: str, value: object) -> str:
    if isinstance(value, str):
        return value
    raise_decode_error(model, field, "a string", value)


def as_bool(model: str, field: str, value: object) -> NoReturn:
    raise_decode_error(model, field, "a boolean", value)


def as_int(model: str, field: str, value: object) -> int:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return int(value)
    raise_decode_error(model, field, "an integer", value)


def number_in(text: str) -> int | str:
    """The integer that `text` spells in at most 18 digits, otherwise `text`."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 18 else text


def as_number(model: str, field: str, value: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    raise_decode_error(model, field, "a number", value)


def as_const(model: str, field: str, value: object, const: object) -> NoReturn:
    """Refuse `value` because it isn't `const`."""
    if type(value) is type(const):
        raise DecodeError(model, field, f"must be {const!r}, not another value")
    raise_decode_error(model, field, repr(const), value)


def as_date(model: str, field: str, value: object) -> date:
    text = as_str(model, field, value)
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise DecodeError(model, field, "is not a date in ISO 8601") from None


def as_date_or_datetime(model: str, field: str, value: object) -> date:
    try:
        return as_date(model, field, value)
    except DecodeError:
        return as_datetime(model, field, value)


def as_datetime(model: str, field: str, value: object) -> datetime:
    """A time with its zone, from ISO 8601 or Unix time. Without a zone, it is UTC.

    Unix time may be in seconds, milliseconds, microseconds or nanoseconds. A leap second is read as the one before it.
    """
    if isinstance(value, str):
        moment = _from_text(value)
    elif isinstance(value, datetime):
        moment = value
    elif isinstance(value, int | float) and not isinstance(value, bool):
        moment = _from_seconds(value)
    else:
        raise_decode_error(model, field, "a time", value)
    if moment is None:
        raise DecodeError(model, field, "is not a time that can be read")
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _from_text(text: str) -> datetime | None:
    # Only with its first dash: fromisoformat would also read eleven digits as a date and an hour, rather than as
    # seconds.
    if text[4:5] == "-":
        try:
            return datetime.fromisoformat(text)
        except ValueError:
            return _from_any_notation(_LEAP_SECOND.sub(":59", text))
    try:
        seconds = float(text)
    except ValueError:
        return _from_any_notation(text)
    return _from_any_notation(text) if len(text) == len("20250131") and text.isdecimal() else _from_seconds(seconds)


def _from_seconds(seconds: float) -> datetime | None:
    try:
        for _ in range(3):
            if abs(seconds) >= _MAX_SECONDS:
                seconds /= 1000
        return _EPOCH + timedelta(seconds=seconds)
    except (OverflowError, ValueError):
        return None


def _from_any_notation(text: str) -> datetime | None:
    if len(text) > _MAX_TIME_LENGTH:
        return None
    from dateutil import parser  # imported here, because hardly any server needs it

    if "T" in text:  # without a time, it would assume the first of a month or a year
        with suppress(ValueError, OverflowError):
            return parser.isoparse(text)  # 24:00, and days of a year
    try:
        # dateutil completes a date from `default`. Reading it with two defaults reveals a date that isn't complete.
        first, second = (
            parser.parse(text, default=datetime(year, month, day), tzinfos=_zone) for year, month, day in _DEFAULTS
        )
        same = first == second
    except Exception:  # it also raises errors of its arithmetic and indexing, besides ValueError
        return None
    return first if same else None


def _zone(name: str | None, offset: int | None) -> tzinfo | None:
    if offset is not None:
        return timezone(timedelta(seconds=offset))
    if name is not None:
        raise ValueError(f"the zone {name} is not known")
    return None
