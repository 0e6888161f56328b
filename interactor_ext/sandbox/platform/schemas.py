"""Compiles the contract's JSON Schemas into validators: inlined references, formats, and optional nulls."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend

Document = Mapping[str, Any]

# RFC 9110 section 4.1: the length that every implementation should support.
MAX_URL = 8_000
# The characters of RFC 3986, to which a browser encodes what a user typed.
URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:(?:[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+")


def is_absolute_url(value: object) -> bool:
    """Whether a string is an absolute URI with a host or a path; other types are left to the schema's `type`."""
    if not isinstance(value, str):
        return True
    if len(value) > MAX_URL or not URI.fullmatch(value):
        return False
    try:
        parts = urlsplit(value)
        parts.port  # noqa: B018  # reading it is what checks it
    except ValueError:
        return False
    return bool(parts.netloc or parts.path)


def _pattern(validator: Any, wanted: str, value: Any, _: Any) -> Iterator[ValidationError]:
    # In ECMA-262, as JSON Schema uses it, `$` matches only the end; in Python also before a last newline.
    if validator.is_type(value, "string") and not re.search(re.sub(r"\$\Z", r"\\Z", wanted), value):
        yield ValidationError(f"doesn't match {wanted}")


def _unique_items(validator: Any, wanted: bool, value: Any, _: Any) -> Iterator[ValidationError]:
    # jsonschema's own takes quadratic time for items that can't be sorted.
    if wanted and validator.is_type(value, "array"):
        seen = {json.dumps(item, sort_keys=True) for item in value}
        if len(seen) < len(value):
            yield ValidationError("contains the same item twice")


Validator: type[Draft202012Validator] = extend(  # type: ignore[no-untyped-call]  # so its stubs
    Draft202012Validator, {"pattern": _pattern, "uniqueItems": _unique_items}
)


def _formats() -> FormatChecker:
    checker = FormatChecker(formats=())
    checker.checks("uri")(is_absolute_url)
    return checker


class Schemas:
    """Compiles schemas of one OpenAPI document.

    References are inlined beforehand, once for each component, because resolving them at every validation is slow. A
    component that refers to itself becomes a cyclic dict, which jsonschema handles.
    """

    def __init__(self, document: Document) -> None:
        self._document = document
        self._inlined: dict[str, dict[str, Any]] = {}
        self._formats = _formats()

    def compile(self, schema: Any) -> Draft202012Validator:
        return Validator(self.inline(schema), format_checker=self._formats)

    def inline(self, schema: Any) -> Any:
        if isinstance(schema, list):
            return [self.inline(item) for item in schema]
        if not isinstance(schema, dict):
            return schema
        if "$ref" not in schema:
            return {key: self.inline(value) for key, value in schema.items()}
        target = self._component(schema["$ref"])
        rest = {key: value for key, value in schema.items() if key not in {"$ref", "description", "summary"}}
        return {"allOf": [target, self.inline(rest)]} if rest else target

    def resolve(self, item: Any) -> Any:
        """A parameter or response of the document, with a reference resolved."""
        while "$ref" in item:
            item = self._point(item["$ref"])
        return item

    def _component(self, reference: str) -> dict[str, Any]:
        if reference not in self._inlined:
            self._inlined[reference] = {}
            self._inlined[reference].update(self.inline(self._point(reference)))
        return self._inlined[reference]

    def _point(self, reference: str) -> Any:
        target: Any = self._document
        for part in reference.removeprefix("#/").split("/"):
            target = target[part.replace("~1", "/").replace("~0", "~")]
        return target


def without_nulls(schema: Any, value: Any) -> Any:
    """The value without optional fields that are null, at every depth that the schema describes."""
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
        if inner is not None or name not in known or name in required
    }


def parts_of(schema: Any) -> list[dict[str, Any]]:
    """This schema and those in its `allOf`, recursively."""
    if not isinstance(schema, dict):
        return []
    return [schema, *(part for each in schema.get("allOf", ()) for part in parts_of(each))]
