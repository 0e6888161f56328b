"""Converts the return value of a tool to plain JSON, or raises NotJSONError."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence, Set
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

import attrs

from interactor_ext.tools._shapes import error_text


class NotJSONError(Exception):
    """The value can't be converted to JSON; the message names the part."""


def to_json(value: Any) -> Any:
    """Convert to plain JSON. Enums become their values, records objects, sets and tuples arrays, times ISO 8601 text.

    Raises NotJSONError for everything else, and for values that JSON can't represent: NaN, lone surrogates, cycles.
    """
    try:
        text = json.dumps(_plain(value), allow_nan=False, ensure_ascii=False)
        text.encode()
        return json.loads(text)
    except Exception as error:
        # The caller's objects can raise anything: a field that was never set, or a lazy list while the database is
        # down.
        raise NotJSONError(error_text(error)) from error


def _plain(value: Any) -> Any:
    """Return a value in types that `json` can write."""
    if isinstance(value, Enum):
        return _plain(value.value)
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, UUID | Decimal):
        return str(value)
    if (serializer := getattr(value, "__pydantic_serializer__", None)) is not None:  # pydantic's models and dataclasses
        return serializer.to_python(value, mode="json", by_alias=True)
    if callable(to_dict := getattr(value, "to_dict", None)):  # this SDK's models
        return _plain(to_dict())
    if dataclasses.is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if attrs.has(type(value)):
        return {field.name: _plain(getattr(value, field.name)) for field in attrs.fields(type(value))}
    if isinstance(value, Mapping):
        return {_plain(key): _plain(item) for key, item in value.items()}
    if isinstance(value, Sequence | Set) and not isinstance(value, bytes | bytearray | memoryview):
        return [_plain(item) for item in value]
    raise TypeError(f"JSON can't represent {type(value).__name__}")
