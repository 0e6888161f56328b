"""JSON shapes: each has a JSON Schema, and a reader that validates a value and converts it to Python.

A language model writes the JSON. Validation is strict (a string isn't a number, a boolean isn't an integer), except
where JSON itself makes no difference: 1.0 is an integer. One error lists everything invalid, each part with its path
and wording that the model can act on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, TypeVar

from interactor_ext._engine.redaction import clean_text

C = TypeVar("C", list[Any], dict[str, Any])
Schema = dict[str, Any]
Detail = tuple[str, str]


class InvalidArgumentError(Exception):
    """JSON that doesn't match its schema. `details` are pairs of a dotted path and the problem there."""

    def __init__(self, *details: Detail) -> None:
        super().__init__("; ".join(f"{path}: {problem}" if path else problem for path, problem in details))
        self.details = details


class Shape(NamedTuple):
    schema: Schema
    expected: str
    """Completes "must be ...", such as "a string"."""
    read: Callable[[Any, str], Any]
    """Converts the JSON value at a path to Python; raises InvalidArgumentError."""


class Field(NamedTuple):
    shape: Shape
    required: bool
    make_default: Callable[[], Any] | None = None
    """Creates the default of a class or function without its own."""


ANYTHING = Shape({}, "anything", lambda value, _: value)


def scalar(schema: Schema, expected: str, convert: Callable[[Any], Any]) -> Shape:
    """Return a scalar shape. `convert` raises ValueError, TypeError or ArithmeticError for an invalid value."""

    def read(value: Any, path: str) -> Any:
        try:
            return convert(value)
        except (ValueError, TypeError, ArithmeticError):
            raise _mismatch(path, expected, value) from None

    return Shape(schema, expected, read)


def choice(values: Iterable[tuple[Any, Any]]) -> Shape:
    """Return a choice of scalars, each paired with its Python value. Raises TypeError for other JSON types."""
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
    """Return a shape that uses the first variant for which the value is valid, in the order of the hint."""
    expected = " or ".join(dict.fromkeys(variant.expected for variant in variants))

    def read(value: Any, path: str) -> Any:
        deeper: list[InvalidArgumentError] = []
        for variant in variants:
            try:
                return variant.read(value, path)
            except InvalidArgumentError as invalid:
                at, words = invalid.details[0]
                deeper += [invalid] if at != path or not words.startswith(f"must be {variant.expected}") else []
        # If only one variant has the value's JSON type, its error is more precise.
        raise deeper[0] if len(deeper) == 1 else _mismatch(path, expected, value)

    return Shape({"anyOf": [variant.schema for variant in variants]}, expected, read)


def array(item: Shape, build: Callable[[Iterable[Any]], Any]) -> Shape:
    """Return an array shape. `build` is list, tuple, set or frozenset."""
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
    """Return an object shape with these fields and no others. Any exception from `build` makes the value invalid."""
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
    """Read each value at its path. Raises one InvalidArgumentError with all problems, after those in `found`."""
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
    # If the JSON type is right, leave it out: the number or the text itself is wrong.
    got = "" if json_type(value) in expected else f", not {json_type(value)}"
    return InvalidArgumentError((path, f"must be {expected}{got}"))


def require(kind: type[C], expected: str, value: Any, path: str) -> C:
    """Return a list or dict unchanged. Raises InvalidArgumentError for anything else."""
    if not isinstance(value, kind):
        raise _mismatch(path, expected, value)
    return value


def _build(build: Callable[[Any], Any], content: Any, path: str, name: str) -> Any:
    try:
        return build(content)
    except Exception as error:
        # The caller's class can raise anything.
        raise InvalidArgumentError((path, f"isn't a valid {name}: {error_text(error)}")) from error


def error_text(error: BaseException) -> str:
    """Return the text of an exception, or its type's name."""
    return clean_text(str(error)) or type(error).__name__


def path_of(path: str, *names: str | int) -> str:
    return ".".join(str(each) for each in ((path, *names) if path else names))
