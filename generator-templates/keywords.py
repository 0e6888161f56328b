"""Checks each keyword of a document against keywords.txt: a keyword is never dropped silently."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple

from document import Document, Problem, below, steps

STATUS = re.compile("default|[1-5](XX|[0-9][0-9])")
TYPES = ("string", "number", "integer", "boolean", "array", "object", "null")


class Keyword(NamedTuple):
    """What the generator does with a keyword."""

    verdict: str
    """carried, documentation, server, own or refused."""
    type: str
    note: str


def _table() -> dict[str, dict[str, Keyword]]:
    table: dict[str, dict[str, Keyword]] = {}
    keywords: dict[str, Keyword] = {}
    for line in Path(__file__).with_name("keywords.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith(" "):
            row, _, note = line.partition(": ")
            verdict, kind, *names = row.split()
            keywords |= dict.fromkeys(names, Keyword(verdict, kind, note))
        elif not line.startswith("#"):
            keywords = table.setdefault(line, {})
    return table


TABLE = _table()
"""By object type, its keywords."""
_REFERABLE = {each.type.strip("{}") for each in TABLE["Components"].values()}
_DIALECTS = ("https://spec.openapis.org/oas/3.1/dialect/base", "https://json-schema.org/draft/2020-12/schema")
# Without them, nothing can be generated.
_REQUIRED = {
    "Discriminator": ("propertyName",),
    "Info": ("title", "version"),
    "OpenAPI": ("info", "paths"),
    "Parameter": ("name", "in"),
    "RequestBody": ("content",),
    "SecurityScheme": ("type",),
    "ServerVariable": ("default",),
    "Tag": ("name",),
    "TokenFlow": ("tokenUrl",),
}
# The Python types of values.
_VALUES: dict[str, tuple[Any, str]] = {
    "flag": (bool, "true or false"),
    "member": ((str, int, float, type(None)), "a string, a number, a boolean or null"),
    "scalar": ((str, int, float), "a string, a number or a boolean"),
    "text": (str, "a string"),
}
_EXTENSIONS = sorted({name for keywords in TABLE.values() for name in keywords if name.startswith("x-")})


def problems(document: Document, *, own: bool) -> list[Problem]:
    """Return what can't be carried into code. In our own document (`own`), unknown extensions count, too."""
    version = str(document.data.get("openapi"))
    if not re.match(r"3\.[01]\.", version):
        what = "Swagger 2.0" if "swagger" in document.data else f"version {version!r}"
        return [Problem("/openapi", f"OpenAPI 3.0 and 3.1 are supported, not {what}.")]
    return list(_Walk(document, own).of("OpenAPI", document.data, ""))


class _Walk:
    def __init__(self, document: Document, own: bool) -> None:
        self._document = document
        self._own = own
        self._refused = ("refused",) if own else ("refused", "own")

    def of(self, kind: str, part: Any, pointer: str) -> Iterator[Problem]:
        """Return the problems of a part of the document."""
        if kind == "-":
            return
        if kind in _VALUES or "|" in kind:
            of, what = _VALUES.get(kind, ((), f"one of {', '.join(kind.split('|'))}"))
            if not isinstance(part, of) and part not in kind.split("|"):
                yield Problem(pointer, f"Must be {what}.")
        elif kind[0] in "[{":
            is_list = kind[0] == "["
            if not isinstance(part, list if is_list else dict):
                yield Problem(pointer, f"Must be {'an array' if is_list else 'an object'}.")
                return
            for step, each in enumerate(part) if is_list else part.items():
                is_status, at = kind == "{Response}" and "/components/" not in pointer, below(pointer, step)
                if is_status and not STATUS.fullmatch(step) and not step.startswith("x-"):
                    yield Problem(at, f"{step!r} isn't a status, such as '200', '4XX' or 'default'.")
                elif not ((is_status or kind == "{PathItem}") and step.startswith("x-")):
                    yield from self.of(kind[1:-1], each, at)
        elif kind == "Schema" and isinstance(part, bool):
            return
        elif not isinstance(part, dict):
            yield Problem(pointer, "Must be an object.")
        elif "$ref" in part and kind in _REFERABLE:
            yield from self._reference(kind, part, pointer)
        else:
            yield from self._object(kind, part, pointer)

    def _reference(self, kind: str, part: dict[str, Any], pointer: str) -> Iterator[Problem]:
        target = part["$ref"]
        if not isinstance(target, str) or not target.startswith("#/"):
            yield Problem(pointer, f"{target!r} is outside the document. Bundle the document into one file.")
        elif self._document.resolve(part)[0] is None:
            if self._document.target(target) is not None:
                yield Problem(pointer, f"{target!r} only refers to other references.")
                return
            hint = _suggestion(steps(target[1:])[-1], self._names(target[1:].rpartition("/")[0]))
            yield Problem(pointer, f"{target!r} refers to nothing.{hint}")
        beside = {key: value for key, value in part.items() if key != "$ref"}
        if kind in ("Schema", "PathItem"):
            yield from self._object(kind, beside, pointer)
        else:
            for key in beside.keys() - {"summary", "description"}:
                if not key.startswith("x-"):
                    yield Problem(below(pointer, key), f"{key!r} has no effect next to '$ref'.")

    def _object(self, kind: str, part: dict[str, Any], pointer: str) -> Iterator[Problem]:
        known = TABLE[kind]
        yield from _missing(_REQUIRED.get(kind, ()), part, pointer)
        for key, value in part.items():
            at, keyword = below(pointer, key), known.get(key) or known.get("*")
            if keyword is None and key.startswith("x-"):
                if self._own or get_close_matches(key, _EXTENSIONS, 1, 0.9):
                    yield Problem(at, _unknown(kind, key, [each for each in known if each[:2] == "x-"]))
            elif keyword is None:
                close = get_close_matches(key, known, 1)
                without_effect = kind == "Schema" and not any(known[each].verdict == "carried" for each in close)
                yield Problem(at, _unknown(kind, key, list(known)), without_effect)
            elif keyword.verdict in self._refused and value not in _DIALECTS:
                yield Problem(at, f"{key!r} is not supported: {keyword.note}.")
            elif value is not None or keyword.type not in _VALUES:
                yield from self.of(keyword.type, value, at)
        if kind == "Schema":
            yield from self._schema(part, pointer)
        elif kind == "Server":
            for name in re.findall("{([^{}]*)}", str(part.get("url"))):
                if name not in self._names(f"{pointer}/variables"):
                    yield Problem(below(pointer, "url"), f"The variable {name!r} isn't described in 'variables'.")
        elif kind == "SecurityScheme" and part.get("type") == "apiKey":
            yield from _missing(("name", "in"), part, pointer)
        elif kind == "SecurityRequirement":
            schemes = self._names("/components/securitySchemes")
            for name in part.keys() - {*schemes}:
                text = f"There is no security scheme {name!r}.{_suggestion(name, schemes)}"
                yield Problem(below(pointer, name), text)

    def _names(self, pointer: str) -> list[str]:
        """Return the names in the object at `pointer`."""
        found = self._document.at(pointer)
        return list(found) if isinstance(found, dict) else []

    def _schema(self, schema: dict[str, Any], pointer: str) -> Iterator[Problem]:
        types = schema.get("type", [])
        kinds = types if isinstance(types, list) else [types]
        if "discriminator" in schema and ((kinds and "object" not in kinds) or "items" in schema):
            text = "Only has an effect on objects: write it next to their union."
            yield Problem(below(pointer, "discriminator"), text, without_effect=True)
        for each in kinds:
            if each not in TYPES:
                yield Problem(below(pointer, "type"), f"Unknown type {each!r}.{_suggestion(str(each), TYPES)}")
        for key in ("anyOf", "enum", "oneOf", "type"):
            if schema.get(key) == []:
                yield Problem(below(pointer, key), "Must not be empty.")
        if types == "array" and "items" not in schema:
            yield Problem(pointer, "An array must have 'items'.")
        properties, required = schema.get("properties"), schema.get("required")
        is_whole = not schema.keys() & {"allOf", "anyOf", "oneOf", "$ref"} and "/allOf/" not in pointer
        if is_whole and isinstance(properties, dict) and isinstance(required, list):
            for number, name in enumerate(required):
                # In other documents, a name that isn't a typo is a rule for the server.
                typo = self._own or get_close_matches(str(name), properties, 1, 0.8)
                if isinstance(name, str) and name not in properties and typo:
                    text = f"The required property {name!r} doesn't exist.{_suggestion(name, properties)}"
                    yield Problem(f"{pointer}/required/{number}", text)


def _missing(names: Iterable[str], part: dict[str, Any], pointer: str) -> Iterator[Problem]:
    return (Problem(pointer, f"The keyword {name!r} is missing.") for name in names if part.get(name) is None)


def _unknown(kind: str, key: str, known: list[str]) -> str:
    owners = [each for each, keywords in TABLE.items() if key in keywords]
    hint = _suggestion(key, known)
    if not hint and owners:
        hint = f" It belongs to {' or '.join(owners)}."
    return f"Unknown keyword {key!r} of {kind}.{hint}"


def _suggestion(name: str, known: Any) -> str:
    close = get_close_matches(name, list(known), 1)
    return f" Did you mean {close[0]!r}?" if close else ""
