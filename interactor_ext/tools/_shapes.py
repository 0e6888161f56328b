"""Shapes of JSON: each has its JSON Schema and the reader that validates a value and converts it to Python.

A language model writes the JSON. Validation is strict (a string is no number, a boolean no integer) but for what JSON
itself leaves open: 1.0 is an integer. One error lists all that is invalid, each part with its path, in words that the
model can act on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, TypeVar

from interactor_ext._redaction import clean_text

C = TypeVar("C", list[Any], dict[str, Any])
Schema = dict[str, Any]
Detail = tuple[str, str]


class InvalidArgumentError(Exception):
    """JSON that is not valid under its schema: pairs of a dotted path and what is wrong there."""

    def __init__(self, *details: Detail) -> None:
        super().__init__("; ".join(f"{path}: {problem}" if path else problem for path, problem in details))
        self.details = details


class Shape(NamedTuple):
    schema: Schema
    expected: str
    """As in "must be a string"."""
    read: Callable[[Any, str], Any]
    """The Python value of a JSON value and its path; raises InvalidArgumentError."""


class Field(NamedTuple):
    shape: Shape
    required: bool
    make_default: Callable[[], Any] | None = None
    """Where the class or the function has none of its own."""


ANYTHING = Shape({}, "anything", lambda value, _: value)


def scalar(schema: Schema, expected: str, convert: Callable[[Any], Any]) -> Shape:
    """`convert` raises ValueError, TypeError or ArithmeticError for what it does not take."""

    def read(value: Any, path: str) -> Any:
        try:
            return convert(value)
        except (ValueError, TypeError, ArithmeticError):
            raise _mismatch(path, expected, value) from None

    return Shape(schema, expected, read)


def choice(values: Iterable[tuple[Any, Any]]) -> Shape:
    """One of several scalars, each given with what it becomes. Raises TypeError for one that is no JSON scalar."""
    pairs = list(values)
    for value, _ in pairs:
        if not (value is None or isinstance(value, str | int | float)):
            raise TypeError(f"{value!r} isn't a string, number, boolean or null")
    schema: Schema = {"enum": [value for value, _ in pairs]}
    kinds = {json_type(value) for value, _ in pairs}
    if kinds == {"a string"}:
        schema = {"type": "string", **schema}
    expected = "one of " + ", ".join(repr(value) for value, _ in pairs)

    def read(value: Any, path: str) -> Any:
        for allowed, meaning in pairs:
            if allowed == value and json_type(allowed) == json_type(value):
                return meaning
        raise InvalidArgumentError((path, f"must be {expected}"))

    return Shape(schema, expected, read)


def union(variants: list[Shape]) -> Shape:
    """The first variant for which the value is valid, in the order of the hint."""
    expected = " or ".join(dict.fromkeys(variant.expected for variant in variants))

    def read(value: Any, path: str) -> Any:
        deeper: list[InvalidArgumentError] = []
        for variant in variants:
            try:
                return variant.read(value, path)
            except InvalidArgumentError as invalid:
                at, words = invalid.details[0]
                deeper += [invalid] if at != path or not words.startswith(f"must be {variant.expected}") else []
        # Where the value has the type of one variant alone, that variant's error is more precise.
        raise deeper[0] if len(deeper) == 1 else _mismatch(path, expected, value)

    return Shape({"anyOf": [variant.schema for variant in variants]}, expected, read)


def array(item: Shape, build: Callable[[Iterable[Any]], Any]) -> Shape:
    """`build` is list, tuple, set or frozenset."""
    schema: Schema = {"type": "array", "items": item.schema}
    if build in (set, frozenset):
        schema["uniqueItems"] = True

    def read(value: Any, path: str) -> Any:
        items = require(list, "an array", value, path)
        return _build(build, read_all((item, each, path_of(path, n)) for n, each in enumerate(items)), path, "array")

    return Shape(schema, "an array", read)


def mapping(item: Shape) -> Shape:
    def read(value: Any, path: str) -> Any:
        pairs = require(dict, "an object", value, path)
        return dict(zip(pairs, read_all((item, each, path_of(path, key)) for key, each in pairs.items()), strict=True))

    return Shape({"type": "object", "additionalProperties": item.schema}, "an object", read)


def record(name: str, fields: Mapping[str, Field], build: Callable[[dict[str, Any]], Any]) -> Shape:
    """An object with these fields and no others. Any exception that `build` raises makes it invalid."""
    schema: Schema = {"type": "object", "properties": {key: field.shape.schema for key, field in fields.items()}}
    if required := [key for key, field in fields.items() if field.required]:
        schema["required"] = required
    schema["additionalProperties"] = False

    def read(value: Any, path: str) -> Any:
        given = require(dict, "an object", value, path)
        present = [key for key in fields if key in given]
        details = [
            (path_of(path, key), "is missing") for key, field in fields.items() if field.required and key not in given
        ]
        known = ", ".join(fields) or "none"
        details += [(path_of(path, key), f"is unknown; known keys: {known}") for key in given if key not in fields]
        values = read_all(((fields[key].shape, given[key], path_of(path, key)) for key in present), *details)
        made = {key: make() for key, (_, _, make) in fields.items() if make is not None and key not in given}
        return _build(build, {**dict(zip(present, values, strict=True)), **made}, path, name)

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


def json_type(value: Any) -> str:
    """The JSON type of a value."""
    names = {
        bool: "a boolean",
        int: "a number",
        float: "a number",
        str: "a string",
        list: "an array",
        dict: "an object",
    }
    return "null" if value is None else names.get(type(value), type(value).__name__)


def _mismatch(path: str, expected: str, value: Any) -> InvalidArgumentError:
    # Without the type where it fits: then the number or the text itself is wrong.
    got = "" if json_type(value) in expected else f", not {json_type(value)}"
    return InvalidArgumentError((path, f"must be {expected}{got}"))


def require(kind: type[C], expected: str, value: Any, path: str) -> C:
    """A list or dict, as it is. Raises InvalidArgumentError for anything else."""
    if not isinstance(value, kind):
        raise _mismatch(path, expected, value)
    return value


def _build(build: Callable[[Any], Any], content: Any, path: str, name: str) -> Any:
    try:
        return build(content)
    except Exception as error:
        # The class is the caller's, and its checks raise whatever they like.
        raise InvalidArgumentError((path, f"isn't a valid {name}: {error_text(error)}")) from error


def error_text(error: BaseException) -> str:
    """The text of an exception, or its type's name."""
    return clean_text(str(error)) or type(error).__name__


def path_of(path: str, *names: str | int) -> str:
    return ".".join(str(each) for each in ((path, *names) if path else names))
