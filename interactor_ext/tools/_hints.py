"""Builds the JSON Schema of a type hint, and the reader that converts JSON to that type."""

from __future__ import annotations

import math
import types
import typing
from collections.abc import Collection, Iterable, Mapping, MutableMapping, MutableSequence, MutableSet, Sequence, Set
from datetime import UTC, date, datetime, time
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

from interactor_ext.tools._jsonable import to_json
from interactor_ext.tools._pydantic import is_for_pydantic, pydantic_shape, with_field
from interactor_ext.tools._records import MISSING, Member, is_record, members_of, unwrapped
from interactor_ext.tools._shapes import ANYTHING, Field, Schema, Shape, array, choice, mapping, record, scalar, union


class ShapeBuilder:
    """Builds the shapes of one tool's parameters. `definitions` are the classes that pydantic refers to, for
    `$defs`. The model can't pass an object of the class `filled_in`.
    """

    def __init__(self, filled_in: type | None = None) -> None:
        self._filled_in = filled_in
        self.definitions: dict[str, Schema] = {}
        self._in_progress: set[type] = set()

    def field(self, member: Member, place: str) -> Field:
        """Return a parameter's field. Raises a TypeError that names `place` if JSON can't represent the hint."""
        # `x: str = None` is common, and a model that sees null as the schema's default will send it.
        member, make_default = with_field(member, place)
        hint = typing.Optional[member.hint] if member.default is None else member.hint  # noqa: UP045 - `|` refuses strings
        shape = self.shape(hint, place)
        more: Schema = {"description": member.description} if member.description else {}
        if member.default is not MISSING:
            default = _default(member.default, shape)
            if default is not MISSING:  # otherwise it still applies, but the schema omits it
                more["default"] = default
        # A description in `Annotated` takes precedence over the docstring.
        return Field(shape._replace(schema={**more, **shape.schema}), member.required, make_default)

    def shape(self, hint: Any, place: str) -> Shape:
        bare, description, _ = unwrapped(hint)
        if is_for_pydantic(hint, place):
            shape = pydantic_shape(hint, place, self.definitions)
        else:
            shape = self._shape(bare, place)
        return shape._replace(schema={**shape.schema, "description": description}) if description else shape

    def _shape(self, hint: Any, place: str) -> Shape:
        origin, arguments = typing.get_origin(hint), typing.get_args(hint)
        if origin is typing.Literal:
            return _choice(arguments, place)
        if origin in (typing.Union, types.UnionType):
            variants = [variant for variant in arguments if variant is not type(None)]
            if any(is_for_pydantic(variant, place) for variant in variants):
                return pydantic_shape(hint, place, self.definitions)
            return union([self.shape(variant, place) for variant in arguments])
        bare = hint if origin is None else origin
        if bare is tuple and arguments and arguments[-1] is not Ellipsis:
            return pydantic_shape(hint, place, self.definitions)
        if build := _ARRAYS.get(bare):
            return array(self.shape(arguments[0], place) if arguments else ANYTHING, build)
        if bare in _MAPPINGS:
            key, item = arguments or (str, Any)
            if is_for_pydantic(key, place):
                return pydantic_shape(hint, place, self.definitions)
            if unwrapped(key)[0] not in (str, Any):
                raise TypeError(f"{place}: the keys of a JSON object are strings, so this must be dict[str, ...]")
            return mapping(self.shape(item, place))
        if isinstance(hint, type) and issubclass(hint, Enum):
            return _choice(hint, place)
        if isinstance(hint, type) and origin is None and is_record(hint):
            return self._record(hint, place)
        if origin is None and (known := _SCALARS.get(hint)):
            return known
        raise TypeError(
            f"{place}: JSON can't represent {hint if origin else getattr(hint, '__name__', hint)}. "
            "Supported types: str, int, float, bool, None, dates and times, Decimal, UUID, Enum, "
            "Literal, list, tuple, set, dict[str, ...], Optional, dataclasses, attrs classes, "
            "TypedDicts and pydantic models"
        )

    def _record(self, cls: type, place: str) -> Shape:
        if self._filled_in is not None and issubclass(cls, self._filled_in):
            name = self._filled_in.__name__
            raise TypeError(f"{place}: write one parameter of the type {name}, because a model must not pass one")
        if cls in self._in_progress:
            raise TypeError(f"{place}: {cls.__name__} contains itself, which only a pydantic model can")
        self._in_progress.add(cls)
        members, description = members_of(cls)
        fields = {member.key: self.field(member, f"{place}.{member.key}") for member in members}
        self._in_progress.remove(cls)
        shape = record(cls.__name__, fields, lambda values: cls(**values))
        if description:
            shape.schema["description"] = description
        return shape


def _default(default: Any, shape: Shape) -> Any:
    """Return a default as JSON; MISSING if reading it back would fail or change it."""
    try:
        plain = to_json(default)
        return plain if bool(shape.read(plain, "") == default) else MISSING
    except Exception:  # from the caller's classes
        return MISSING


def _choice(values: Iterable[Any], place: str) -> Shape:
    try:
        return choice((value.value if isinstance(value, Enum) else value, value) for value in values)
    except TypeError as error:
        raise TypeError(f"{place}: {error}") from None


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _number(value: Any) -> int | float:
    # Python's JSON parser accepts NaN and Infinity.
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise TypeError
    return value


def _integer(value: Any) -> int:
    number = _number(value)
    if number != int(number):
        raise ValueError
    return int(number)


def _null(value: Any) -> None:
    if value is not None:
        raise TypeError


def _datetime(value: Any) -> datetime:
    parsed = datetime.fromisoformat(_text(value))
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def _string(expected: str, form: str) -> tuple[Schema, str]:
    return {"type": "string", "format": form}, f"a string with {expected}"


_SCALARS: dict[Any, Shape] = {
    Any: ANYTHING,
    object: ANYTHING,
    None: scalar({"type": "null"}, "null", _null),
    type(None): scalar({"type": "null"}, "null", _null),
    str: scalar({"type": "string"}, "a string", _text),
    bool: scalar({"type": "boolean"}, "a boolean", _boolean),
    int: scalar({"type": "integer"}, "an integer", _integer),
    float: scalar({"type": "number"}, "a number", lambda value: float(_number(value))),
    Decimal: scalar({"type": "number"}, "a number", lambda value: Decimal(str(_number(value)))),
    datetime: scalar(*_string("a date and a time, such as 2024-01-15T10:30:00Z", "date-time"), _datetime),
    date: scalar(*_string("a date, such as 2024-01-15", "date"), lambda value: date.fromisoformat(_text(value))),
    time: scalar(*_string("a time, such as 10:30:00", "time"), lambda value: time.fromisoformat(_text(value))),
    UUID: scalar(*_string("a UUID", "uuid"), lambda value: UUID(_text(value))),
}
_ARRAYS: dict[Any, Any] = {
    **dict.fromkeys((list, Sequence, MutableSequence, Collection, Iterable), list),
    **dict.fromkeys((set, Set, MutableSet), set),
    frozenset: frozenset,
    tuple: tuple,
}
_MAPPINGS = (dict, Mapping, MutableMapping)
