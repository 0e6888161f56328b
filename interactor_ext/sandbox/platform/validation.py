"""Validates requests against the contract's JSON Schemas; messages never quote the request."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from interactor_ext.sandbox.problems import Detail, invalid

TYPE_NAMES = {
    "array": "a list",
    "boolean": "true or false",
    "integer": "an integer",
    "null": "null",
    "number": "a number",
    "object": "an object",
    "string": "a string",
}
SENTENCES = {
    "const": "must be {wanted}",
    "minLength": "must have at least {wanted} characters",
    "minimum": "must be at least {wanted}",
    "maximum": "must be at most {wanted}",
    "uniqueItems": "must not contain the same item twice",
    "format": "must be a valid {wanted}",
    "pattern": "must match {wanted}",
}


def problems_of(validator: Draft202012Validator, value: Any, prefix: str = "") -> list[Detail]:
    """Return the errors of a value, in the order of the fields."""
    found = (detail for error in validator.iter_errors(value) for detail in _details(error, prefix))
    return list(dict.fromkeys(found))


def join(path: str, part: str | int) -> str:
    """Return the path of a child, in the contract's notation: `states[0].name`."""
    if isinstance(part, int):
        return f"{path}[{part}]"
    return f"{path}.{part}" if path else part


@dataclass(frozen=True, slots=True)
class Parameter:
    name: str
    place: str
    validator: Draft202012Validator

    def read(self, text: str) -> Any:
        """Return the value, converted to the schema's type. Raises Problem for an invalid text."""
        schema: Any = self.validator.schema
        value = int(text) if schema.get("type") == "integer" and re.fullmatch("-?[0-9]+", text) else text
        if wrong := problems_of(self.validator, value, self.name):
            raise invalid(*wrong)
        return value


def _details(error: ValidationError, prefix: str) -> Iterator[Detail]:
    path = prefix
    for part in error.absolute_path:
        path = join(path, part)
    keyword: Any = error.validator
    wanted: Any = error.validator_value
    schema: Any = error.schema
    sent: Any = error.instance
    if keyword == "required":
        for name in wanted:
            if name not in sent:
                yield join(path, name), "is required"
    elif keyword == "additionalProperties" and isinstance(sent, dict):
        for name in sent:
            if name not in schema.get("properties", {}):
                yield join(path, name), "isn't a field of this request"
    elif keyword == "anyOf":
        yield from _alternatives(error, path, prefix)
    else:
        yield path, _sentence(keyword, wanted)


def _alternatives(error: ValidationError, path: str, prefix: str) -> Iterator[Detail]:
    context = list(error.context or ())
    others = [each for each in context if (each.validator, each.validator_value) != ("type", "null")]
    if len(others) < len(context):
        # One form, or null for an omitted field.
        for each in others:
            yield from _details(each, prefix)
        return
    wanted: list[Any] = [each.validator_value for each in context if each.validator == "required"]
    names = [name for required in wanted for name in required]
    if names:
        yield join(path, names[0]), f"needs one of: {', '.join(names)}"
    else:
        yield path, "matches none of the allowed forms"


def _sentence(keyword: str, wanted: Any) -> str:
    if keyword == "type":
        kinds = [wanted] if isinstance(wanted, str) else wanted
        return "must be " + " or ".join(TYPE_NAMES[kind] for kind in kinds)
    if keyword == "enum":
        return "must be one of: " + ", ".join(str(value) for value in wanted)
    if keyword == "minLength" and wanted == 1:
        return "must not be empty"
    if keyword == "minItems":
        return f"must have at least {wanted} item{'s' if wanted > 1 else ''}"
    return SENTENCES.get(keyword, "violates the rule {keyword}: {wanted}").format(keyword=keyword, wanted=wanted)
