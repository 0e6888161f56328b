"""Parameters described by pydantic: its own types, and constraints in `Annotated` and `Field(...)`.

pydantic is only imported for a function that uses these.
"""

from __future__ import annotations

import importlib
import json
import typing
from collections.abc import Callable, Iterator
from typing import Annotated, Any, NotRequired, Required

import attrs

from interactor_ext._engine.redaction import clean_text
from interactor_ext.tools._records import MISSING, Member, unwrapped
from interactor_ext.tools._shapes import InvalidArgumentError, Schema, Shape, path_of

# The annotated_types that pydantic checks, and purely descriptive ones. pydantic would ignore any others.
_CHECKED = {
    *("Ge", "Gt", "Le", "Lt", "Interval", "MultipleOf", "MinLen", "MaxLen", "Len"),
    *("Predicate", "Not", "Unit", "DocInfo"),
}
# pydantic writes these into a schema where a constraint doesn't suit the type, and then fails at each call.
_NOT_OF_JSON_SCHEMA = {"ge", "gt", "le", "lt", "multiple_of", "max_digits", "decimal_places", "allow_inf_nan"}
_OF_TEXT = {"minLength", "maxLength"}
# The keys of a schema that contain schemas by name, and those that contain plain values.
_BY_NAME = {"properties", "$defs", "patternProperties"}
_VALUES = {"const", "default", "enum", "examples"}


def is_for_pydantic(hint: Any, place: str) -> bool:
    """Whether pydantic has to read the hint. Raises TypeError naming `place` for a constraint it would ignore."""
    bare, _, notes = unwrapped(hint)
    constraints = [note for note in notes if _is_constraint(note, place)]
    return bool(constraints) or _is_type(bare)


def _is_type(bare: Any) -> bool:
    cls = typing.get_origin(bare) or bare
    marks = ("__get_pydantic_core_schema__", "__pydantic_core_schema__")
    # attrs classes, including this SDK's models, are read without pydantic.
    return isinstance(cls, type) and any(hasattr(cls, mark) for mark in marks) and not attrs.has(cls)


def _is_constraint(note: Any, place: str) -> bool:
    kind = note if isinstance(note, type) else type(note)
    origins = {base.__module__.partition(".")[0] for base in kind.__mro__}
    if "annotated_types" in origins and "pydantic" not in origins and kind.__name__ not in _CHECKED:
        raise TypeError(f"{place}: {note!r} isn't supported")
    is_known = bool(origins & {"annotated_types", "pydantic", "pydantic_core"})
    return is_known or hasattr(kind, "__get_pydantic_core_schema__")


def with_field(member: Member, place: str) -> tuple[Member, Callable[[], Any] | None]:
    """Apply a `Field(...)` in a member's default or `Annotated`. Return the member, and its default's factory if
    any.
    """
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
    return member._replace(required=False), lambda: optional[-1].get_default(call_default_factory=True)


def _is_field(value: Any) -> bool:
    return any(
        base.__qualname__ == "FieldInfo" and base.__module__ == "pydantic.fields" for base in type(value).__mro__
    )


def pydantic_shape(hint: Any, place: str, definitions: dict[str, Schema]) -> Shape:
    """Return the shape of a hint. Adds classes to `definitions`, for `$defs`. Raises TypeError, which names `place`."""
    while typing.get_origin(hint) in (Required, NotRequired):
        hint = typing.get_args(hint)[0]
    try:
        pydantic: Any = importlib.import_module("pydantic")
        adapter = pydantic.TypeAdapter(hint)
        schema = _with_definitions(adapter, definitions)
    except ImportError as error:
        raise TypeError(f"{place}: pydantic, or a package that it needs, isn't installed: {error}") from None
    except Exception as error:
        raise TypeError(
            f"{place}: pydantic can't create a JSON Schema for it: {str(error).partition(chr(10))[0]}"
        ) from error
    notes = [each for note in unwrapped(hint)[2] for each in (note, *getattr(note, "metadata", ()))]
    misplaced = set(_misplaced([schema, *definitions.values()]))
    if any(getattr(each, "pattern", None) for each in notes) and '"pattern"' not in json.dumps(schema):
        misplaced.add("pattern")  # pydantic omits it from the schema of an unsuitable type
    if misplaced:
        raise TypeError(f"{place}: the constraint {', '.join(sorted(misplaced))} doesn't fit the type")

    def read(value: Any, path: str) -> Any:
        try:
            return adapter.validate_json(json.dumps(value))  # in JSON mode a date is a string and a set is an array
        except pydantic.ValidationError as invalid:
            errors = invalid.errors(include_url=False)
            details = ((path_of(path, *error["loc"]), clean_text(error["msg"])) for error in errors)
            raise InvalidArgumentError(*details) from None

    return Shape(schema, "valid", read)


def _with_definitions(adapter: Any, definitions: dict[str, Schema]) -> Schema:
    schema: Schema = adapter.json_schema(ref_template="#/$defs/{model}")
    for name, definition in schema.pop("$defs", {}).items():
        if definitions.setdefault(name, definition) != definition:
            raise TypeError(f"two classes have the name {name}")
    return schema


def _misplaced(schema: Any) -> Iterator[str]:
    """Yield the constraints that don't suit their types: pydantic would fail at each call."""
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
