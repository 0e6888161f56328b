"""The contract's JSON Schemas: with inlined references, formats, and optional nulls."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from jsonschema import Draft202012Validator, FormatChecker

Document = Mapping[str, Any]

# The characters of RFC 3986. Browsers encode everything else that a user types.
URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:(?:[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+")
FORMATS = FormatChecker(formats=())


@FORMATS.checks("uri", raises=ValueError)
def is_absolute_url(value: object) -> bool:
    """Whether a string is an absolute URI with a host or a path; other types are left to the schema's `type`."""
    if not isinstance(value, str):
        return True
    parts = urlsplit(value)
    return bool(URI.fullmatch(value) and (parts.netloc or parts.path))


def compiled(schema: Any) -> Draft202012Validator:
    return Draft202012Validator(schema, format_checker=FORMATS)


def closed_object(required: Iterable[str] = (), **properties: Any) -> dict[str, Any]:
    """Return the schema of an object with these properties and no others."""
    return {"type": "object", "required": [*required], "additionalProperties": False, "properties": properties}


def inlined(document: Document, value: Any) -> Any:
    """Inline the references of a part of an OpenAPI document, because resolving them at every validation is slow."""
    if isinstance(value, list):
        return [inlined(document, item) for item in value]
    if not isinstance(value, dict):
        return value
    if "$ref" not in value:
        return {key: inlined(document, item) for key, item in value.items()}
    target: Any = document
    for part in value["$ref"].removeprefix("#/").split("/"):
        target = target[part]
    target = inlined(document, target)
    rest = {key: item for key, item in value.items() if key not in {"$ref", "description", "summary"}}
    return {"allOf": [target, inlined(document, rest)]} if rest else target


def without_nulls(schema: Any, value: Any) -> Any:
    """Return the value without optional fields that are null, at every depth that the schema describes.

    Fields marked `x-sends-null` keep theirs.
    """
    parts = parts_of(schema)
    if isinstance(value, list):
        items = [part["items"] for part in parts if "items" in part]
        return [without_nulls({"allOf": items}, item) for item in value] if items else value
    if not isinstance(value, dict):
        return value
    required = {name for part in parts for name in part.get("required", ())}
    known: dict[str, list[Any]] = {}
    for part in parts:
        for name, inner in part.get("properties", {}).items():
            known.setdefault(name, []).append(inner)
    return {
        name: without_nulls({"allOf": known[name]}, inner) if name in known else inner
        for name, inner in value.items()
        if inner is not None or name not in known or name in required or _sends_null(known[name])
    }


def _sends_null(schemas: list[Any]) -> bool:
    return any(part.get("x-sends-null") for schema in schemas for part in parts_of(schema))


def parts_of(schema: Any) -> list[dict[str, Any]]:
    """Yield this schema and those in its `allOf`, recursively."""
    if not isinstance(schema, dict):
        return []
    return [schema, *(part for each in schema.get("allOf", ()) for part in parts_of(each))]


def value_for(schema: Any) -> Any:
    """Return a simple value that fits a schema: its constant, its first enum value, or nothing of its type."""
    parts = parts_of(schema)
    if fixed := next((part for part in parts if "const" in part or "enum" in part), None):
        return fixed["const"] if "const" in fixed else fixed["enum"][0]
    kinds = next((part["type"] for part in parts if "type" in part), "null")
    return _EMPTY[kinds if isinstance(kinds, str) else kinds[0]]()


_EMPTY: dict[str, Callable[[], Any]] = {
    "array": list,
    "boolean": bool,
    "integer": int,
    "null": lambda: None,
    "number": float,
    "object": dict,
    "string": str,
}
