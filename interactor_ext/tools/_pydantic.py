"""Parameters that pydantic describes: its own types, and constraints in `Annotated` and `Field(...)`.

Only a function that uses them brings pydantic: it is imported when the first of them is met.
"""

from __future__ import annotations

import importlib
import json
import re
import typing
from collections.abc import Callable, Iterable, Iterator
from typing import Annotated, Any, NotRequired, Required

import attrs

from interactor_ext._redaction import clean_text
from interactor_ext.tools._records import MISSING, Member, is_record, unwrapped
from interactor_ext.tools._shapes import Detail, InvalidArgumentError, Schema, Shape, mismatch_words, path_of

# All of annotated_types that pydantic checks, and what only describes. It would ignore the others.
_CHECKED = {
    *("Ge", "Gt", "Le", "Lt", "Interval", "MultipleOf", "MinLen", "MaxLen", "Len"),
    *("Predicate", "Not", "Unit", "DocInfo"),
}
# Of msgspec's `Meta`, say.
_CONSTRAINTS = ("ge", "gt", "le", "lt", "multiple_of", "min_length", "max_length", "pattern")
# pydantic writes these into a schema where a constraint does not go with the type, and fails at each call.
_NOT_OF_JSON_SCHEMA = {"ge", "gt", "le", "lt", "multiple_of", "max_digits", "decimal_places", "allow_inf_nan"}
_OF_TEXT = {"minLength", "maxLength"}
# The keys of a schema whose values are schemas by name, and those whose values are none.
_BY_NAME = {"properties", "$defs", "patternProperties"}
_VALUES = {"const", "default", "enum", "examples"}
# Constraints that pydantic leaves out of the schema of a wrong type, and what that of a right one holds.
_NEEDS = {"pattern": "pattern", **dict.fromkeys(("strip_whitespace", "to_lower", "to_upper"), "string")}
# Above, not every whole number is a float.
_EXACT = 2**53
# What they hand on is not JSON any more, which strict validation would refuse.
_CONVERTERS = {"BeforeValidator", "WrapValidator", "PlainValidator"}

# By the types of pydantic's errors, and by the types and formats of JSON Schema.
_EXPECTED = {
    **dict.fromkeys(("int", "integer"), "an integer"),
    **dict.fromkeys(("float", "decimal", "number"), "a number"),
    **dict.fromkeys(("bool", "boolean"), "a boolean"),
    **dict.fromkeys(("none", "null"), "null"),
    **dict.fromkeys(("list", "tuple", "set", "frozen", "array"), "an array"),
    **dict.fromkeys(("dict", "model", "dataclass", "object"), "an object"),
    **dict.fromkeys(("datetime", "date-time"), "a string with a date and a time, such as 2024-01-15T10:30:00Z"),
    "date": "a string with a date, such as 2024-01-15",
    "time": "a string with a time, such as 10:30:00",
    "uuid": "a string with a UUID",
    "string": "a string",
}
_NOT_OF_THE_TYPE = re.compile(
    "(?P<type>[a-z]+)_(?:(?:set_|attributes_)?type|parsing|from_float|required|from_date(?:time)?_(?:parsing|inexact))"
)
_SUBJECT = re.compile(r"^[A-Z][A-Za-z ]*? should ")


def is_for_pydantic(hint: Any, place: str) -> bool:
    """Raises TypeError, which names `place`, for a constraint that neither side would see to."""
    bare, _, notes = unwrapped(hint)
    constraints = [note for note in notes if _is_constraint(note, place)]
    return bool(constraints) or _is_type(bare)


def _is_type(bare: Any) -> bool:
    cls = typing.get_origin(bare) or bare
    marks = ("__get_pydantic_core_schema__", "__pydantic_core_schema__")
    # attrs classes, the models of this SDK among them, are read as they were without pydantic.
    return isinstance(cls, type) and any(hasattr(cls, mark) for mark in marks) and not attrs.has(cls)


def _is_constraint(note: Any, place: str) -> bool:
    kind = note if isinstance(note, type) else type(note)
    origins = {base.__module__.partition(".")[0] for base in kind.__mro__}
    if "annotated_types" in origins and "pydantic" not in origins and kind.__name__ not in _CHECKED:
        raise TypeError(f"{place}: {note!r} isn't supported")
    if origins & {"annotated_types", "pydantic", "pydantic_core"} or hasattr(kind, "__get_pydantic_core_schema__"):
        return True
    if any(getattr(note, name, None) is not None for name in _CONSTRAINTS):
        raise TypeError(f"{place}: {note!r} isn't supported; use pydantic.Field(...) or annotated_types")
    return False


def with_field(member: Member, place: str) -> tuple[Member, Callable[[], Any] | None]:
    """A member whose default is a `Field(...)`, or has one in `Annotated`, and what makes its default."""
    infos = [each for each in (*unwrapped(member.hint)[2], member.default) if _is_field(each)]
    if not infos:
        return member, None
    for name in ("alias", "validation_alias", "validate_default"):
        if any(getattr(info, name) for info in infos):
            raise TypeError(f"{place}: Field({name}=...) has no effect here")
    if _is_field(member.default):
        member = member._replace(
            hint=Annotated[member.hint, member.default],
            required=member.default.is_required(),
            default=MISSING,
        )
    elif not member.required:
        return member, None
    optional = [info for info in infos if not info.is_required()]
    if not optional:
        return member, None
    if getattr(optional[-1], "default_factory_takes_validated_data", False):
        raise TypeError(f"{place}: a default_factory must not use the other values")
    return member._replace(required=False), lambda: optional[-1].get_default(call_default_factory=True)


def _is_field(value: Any) -> bool:
    return any(
        base.__qualname__ == "FieldInfo" and base.__module__ == "pydantic.fields" for base in type(value).__mro__
    )


def pydantic_shape(hint: Any, place: str, definitions: dict[str, Schema]) -> Shape:
    """Adds classes to `definitions`, for `$defs`. Raises TypeError, which names `place`."""
    while typing.get_origin(hint) in (Required, NotRequired):
        hint = typing.get_args(hint)[0]
    try:
        pydantic: Any = importlib.import_module("pydantic")
        # As strict as types without constraints, where neither a class nor a function of the caller decides.
        adapter = pydantic.TypeAdapter(hint, config={"strict": True} if _is_strict(hint) else None)
        schema = _with_definitions(adapter, definitions)
    except ImportError as error:
        raise TypeError(f"{place}: pydantic, or a package that it needs, isn't installed: {error}") from None
    except Exception as error:
        raise TypeError(
            f"{place}: pydantic can't create a JSON Schema for it: {str(error).partition(chr(10))[0]}"
        ) from error
    if misplaced := {*_misplaced([schema, *definitions.values()]), *_of_text_alone(hint, schema)}:
        raise TypeError(f"{place}: the constraint {', '.join(sorted(misplaced))} doesn't fit the type")

    def read(value: Any, path: str) -> Any:
        try:
            text = json.dumps(_whole_numbers(value), allow_nan=False)
        except ValueError:
            raise InvalidArgumentError((path, "must not contain infinite numbers or NaN")) from None
        try:
            return adapter.validate_json(text)
        except pydantic.ValidationError as invalid:
            raise InvalidArgumentError(*_details(invalid.errors(include_url=False), value, path)) from None

    return Shape(schema, _expected(schema), read)


def _is_strict(hint: Any) -> bool:
    bare, _, notes = unwrapped(hint)
    has_config = isinstance(bare, type) and (_is_type(bare) or is_record(bare))
    return not has_config and not any(type(note).__name__ in _CONVERTERS for note in notes)


def _with_definitions(adapter: Any, definitions: dict[str, Schema]) -> Schema:
    """The schema. Classes that have the name of another one get a number."""
    number = ""
    while True:
        schema: Schema = adapter.json_schema(ref_template=f"#/$defs/{{model}}{number}")
        found = {f"{name}{number}": each for name, each in schema.pop("$defs", {}).items()}
        if all(definitions.get(name, each) == each for name, each in found.items()):
            definitions.update(found)
            return schema
        number = str(int(number or 1) + 1)


def _misplaced(schema: Any) -> Iterator[str]:
    """The constraints that do not go with the types beside them: pydantic would fail at each call."""
    if isinstance(schema, list):
        for each in schema:
            yield from _misplaced(each)
    elif isinstance(schema, dict):
        yield from schema.keys() & _NOT_OF_JSON_SCHEMA
        if schema.get("type", "string") != "string" or "$ref" in schema:
            yield from schema.keys() & _OF_TEXT
        for key, value in schema.items():
            if key not in _VALUES:
                yield from _misplaced(list(value.values()) if key in _BY_NAME else value)


def _of_text_alone(hint: Any, schema: Schema) -> Iterator[str]:
    """Constraints of text that are not in the schema of another type."""
    text = json.dumps(schema)
    for note in unwrapped(hint)[2]:
        for each in (note, *getattr(note, "metadata", ())):
            for name, mark in _NEEDS.items():
                if getattr(each, name, None) and f'"{mark}"' not in text:
                    yield name


def _whole_numbers(value: Any) -> Any:
    """JSON with 1 in place of 1.0, which is an integer too."""
    if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT:
        return int(value)
    if isinstance(value, list):
        return [_whole_numbers(item) for item in value]
    return {key: _whole_numbers(item) for key, item in value.items()} if isinstance(value, dict) else value


def _expected(schema: Schema) -> str:
    if variants := schema.get("anyOf") or schema.get("oneOf"):
        return " or ".join(_expected(variant) for variant in variants)
    known = _EXPECTED.get(schema.get("format", "")) or _EXPECTED.get(schema.get("type", ""))
    return known or _EXPECTED["object"]


def _details(errors: Iterable[Any], value: Any, path: str) -> Iterator[Detail]:
    """pydantic's errors in the words of the other shapes, one for each path."""
    expected: dict[str, list[str]] = {}
    found: dict[str, list[str]] = {}
    got: dict[str, Any] = {}
    for error in errors:
        at = path_of(path, *_steps(error, value))
        mismatch = _NOT_OF_THE_TYPE.fullmatch(error["type"])
        if mismatch and mismatch["type"] in _EXPECTED:
            expected.setdefault(at, []).append(_EXPECTED[mismatch["type"]])
            got[at] = error["input"]
            found.setdefault(at, [])
        else:
            found.setdefault(at, []).append(_words(error))
    for at, words in found.items():
        # Of a union; what is wrong with the value says more than that it is of no other type either.
        yield at, " or ".join(dict.fromkeys(words)) or mismatch_words(" or ".join(dict.fromkeys(expected[at])), got[at])


def _steps(error: Any, value: Any) -> Iterator[str | int]:
    """The way to what is wrong, without the names of a union's variants that pydantic puts in between."""
    for n, step in enumerate(error["loc"], 1):
        if step in (value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()):
            value = value[step]
            yield step
        elif error["type"] == "missing" and n == len(error["loc"]):
            yield step


def _words(error: Any) -> str:
    kind, message = error["type"], clean_text(error["msg"])
    if kind == "missing":
        return "is missing"
    if kind == "extra_forbidden":
        return "is unknown"
    if kind in ("literal_error", "enum"):
        return f"must be one of {error['ctx']['expected']}"
    key = "the key " if error["loc"][-1:] == ("[key]",) else ""
    if subject := _SUBJECT.match(message):
        return f"{key}must {message[subject.end() :].replace(' after validation', '')}"
    return f"{key}is not valid: {message.removeprefix('Value error, ').removeprefix('Assertion failed, ')}"
