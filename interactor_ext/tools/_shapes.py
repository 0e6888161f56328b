"""What JSON may look like and what it becomes in Python: schema and reader side by side, so that they agree.

What is read is JSON that a language model wrote. It is held to its schema strictly (a string is no number, a boolean no
integer) but for what JSON itself leaves open: 1.0 is an integer. Whatever does not fit is told all at once, each part
with its path, in words that the model can act on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from interactor_ext._redaction import clean_text

Schema = dict[str, Any]
Detail = tuple[str, str]
# What one object or array tells about itself at most; the rest would only repeat it.
_MOST_DETAILS = 20


class InvalidArgumentError(Exception):
    """JSON that is not as its schema says: pairs of a dotted path and what is wrong there."""

    def __init__(self, *details: Detail) -> None:
        super().__init__("; ".join(f"{path}: {problem}" if path else problem for path, problem in details))
        self.details = details[:_MOST_DETAILS]


class Shape(NamedTuple):
    schema: Schema
    wants: str
    """What it takes, as in "must be a string"."""
    read: Callable[[Any, str], Any]
    """The Python value of a JSON value and its path; raises InvalidArgumentError."""


class Field(NamedTuple):
    shape: Shape
    required: bool


ANYTHING = Shape({}, "anything", lambda value, _: value)


def scalar(schema: Schema, wants: str, convert: Callable[[Any], Any]) -> Shape:
    """`convert` raises ValueError, TypeError or ArithmeticError for what it does not take."""

    def read(value: Any, path: str) -> Any:
        try:
            return convert(value)
        except (ValueError, TypeError, ArithmeticError):
            raise _wrong(path, wants, value) from None

    return Shape(schema, wants, read)


def choice(values: Iterable[tuple[Any, Any]]) -> Shape:
    """One of several scalars, each given with what it becomes. Raises TypeError for one that is no JSON scalar."""
    pairs = list(values)
    for value, _ in pairs:
        if not (value is None or isinstance(value, str | int | float)):
            raise TypeError(f"{value!r} is no text, number, boolean or null")
    schema: Schema = {"enum": [value for value, _ in pairs]}
    kinds = {kind(value) for value, _ in pairs}
    if kinds == {"a string"}:
        schema = {"type": "string", **schema}
    wants = "one of " + ", ".join(repr(value) for value, _ in pairs)

    def read(value: Any, path: str) -> Any:
        for allowed, meaning in pairs:
            if allowed == value and kind(allowed) == kind(value):
                return meaning
        raise InvalidArgumentError((path, f"must be {wants}"))

    return Shape(schema, wants, read)


def union(variants: list[Shape]) -> Shape:
    """The first variant that fits, in the order of the hint."""
    wants = " or ".join(variant.wants for variant in variants)

    def read(value: Any, path: str) -> Any:
        deeper: list[InvalidArgumentError] = []
        for variant in variants:
            try:
                return variant.read(value, path)
            except InvalidArgumentError as invalid:
                deeper += [invalid] if invalid.details[0][0] != path else []
        # If one variant alone got as far as to look inside, what it found there is the news.
        raise deeper[0] if len(deeper) == 1 else _wrong(path, wants, value)

    return Shape({"anyOf": [variant.schema for variant in variants]}, wants, read)


def array(item: Shape, build: Callable[[Iterable[Any]], Any]) -> Shape:
    """`build` is list, tuple, set or frozenset."""
    schema: Schema = {"type": "array", "items": item.schema}
    if build in (set, frozenset):
        schema["uniqueItems"] = True

    def read(value: Any, path: str) -> Any:
        items = _array(value, path)
        return _build(build, read_all((item, each, _inner(path, n)) for n, each in enumerate(items)), path, "array")

    return Shape(schema, "an array", read)


def row(items: list[Shape]) -> Shape:
    """An array of a fixed length, each place with a shape of its own; becomes a tuple."""
    wants = f"an array of {len(items)} items"
    schema: Schema = {
        "type": "array",
        "prefixItems": [item.schema for item in items],
        "minItems": len(items),
        "maxItems": len(items),
    }

    def read(value: Any, path: str) -> Any:
        if len(_array(value, path)) != len(items):
            raise InvalidArgumentError((path, f"must be {wants}, not of {len(value)}"))
        return tuple(read_all((item, value[n], _inner(path, n)) for n, item in enumerate(items)))

    return Shape(schema, wants, read)


def mapping(item: Shape) -> Shape:
    def read(value: Any, path: str) -> Any:
        pairs = _object(value, path)
        return dict(zip(pairs, read_all((item, each, _inner(path, key)) for key, each in pairs.items()), strict=True))

    return Shape({"type": "object", "additionalProperties": item.schema}, "an object", read)


def record(name: str, fields: Mapping[str, Field], build: Callable[[dict[str, Any]], Any]) -> Shape:
    """An object with these fields and no others; what `build` refuses does not fit, with whatever exception."""
    schema: Schema = {"type": "object", "properties": {key: field.shape.schema for key, field in fields.items()}}
    if required := [key for key, field in fields.items() if field.required]:
        schema["required"] = required
    schema["additionalProperties"] = False

    def read(value: Any, path: str) -> Any:
        given = _object(value, path)
        present = [key for key in fields if key in given]
        details = [
            (_inner(path, key), "is missing") for key, field in fields.items() if field.required and key not in given
        ]
        known = ", ".join(fields) or "none"
        details += [(_inner(path, key), f"is not known; known are: {known}") for key in given if key not in fields]
        values = read_all(((fields[key].shape, given[key], _inner(path, key)) for key in present), *details)
        return _build(build, dict(zip(present, values, strict=True)), path, name)

    return Shape(schema, "an object", read)


def read_all(items: Iterable[tuple[Shape, Any, str]], *found: Detail) -> list[Any]:
    """Read each value at its path. One InvalidArgumentError has all that is wrong, after what was `found` before."""
    values: list[Any] = []
    details = list(found)
    for shape, value, path in items:
        try:
            values.append(shape.read(value, path))
        except InvalidArgumentError as invalid:
            details += invalid.details
    if details:
        raise InvalidArgumentError(*details)
    return values


def kind(value: Any) -> str:
    """What a JSON value is, in JSON's own words."""
    names = {
        bool: "a boolean",
        int: "a number",
        float: "a number",
        str: "a string",
        list: "an array",
        dict: "an object",
    }
    return "null" if value is None else names.get(type(value), type(value).__name__)


def _wrong(path: str, wants: str, value: Any) -> InvalidArgumentError:
    # Of the right kind, and still refused: then it is the number or the text itself that is wrong.
    got = "" if kind(value) in wants else f", not {kind(value)}"
    return InvalidArgumentError((path, f"must be {wants}{got}"))


def _array(value: Any, path: str) -> list[Any]:
    if not isinstance(value, list):
        raise _wrong(path, "an array", value)
    return value


def _object(value: Any, path: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _wrong(path, "an object", value)
    return value


def _build(build: Callable[[Any], Any], content: Any, path: str, name: str) -> Any:
    try:
        return build(content)
    except RecursionError:
        raise
    except Exception as error:
        # The class is the caller's, and so are its checks: an assert, a validator's own error, a lookup that fails.
        raise InvalidArgumentError((path, f"is no valid {name}: {told(error)}")) from error


def told(error: BaseException) -> str:
    """What an exception says, if it can say anything; never fails."""
    try:
        return clean_text(str(error)) or type(error).__name__
    except Exception:
        return type(error).__name__


def _inner(path: str, name: str | int) -> str:
    return f"{path}.{name}" if path else str(name)
