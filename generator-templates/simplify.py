"""Rewrites the parts of a document that the parser would misread, and notes for each schema where it is.

Notes for specification.py are extensions: `x-at` (the JSON pointer of a schema), `x-properties` (its properties as
written, those of `allOf` included), `x-tags` (for a variant of a union, the values of the discriminator) and `x-media`
(the media type of a body or response as written).
"""

from __future__ import annotations

import copy
from typing import Any

from document import Document, Json, Problem, below
from keywords import TABLE

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
# In order of preference; "+" is any other media type of JSON.
BODIES = (
    "application/json",
    "+",
    "application/x-www-form-urlencoded",
    "multipart/form-data",
    "application/octet-stream",
)
RESPONSES = ("application/json", "+", "text/event-stream", "text/plain", "text/", "application/octet-stream")
# Keywords next to a schema that leave its shape unchanged, apart from those that only the server checks.
_DECORATION = {
    "title",
    "description",
    "default",
    "nullable",
    "readOnly",
    "writeOnly",
    "deprecated",
    "type",
    "discriminator",
}
_OF_ONE_SCHEMA = {
    "title",
    "description",
    "discriminator",
    "x-at",
    "x-event-family",
    "x-bare",
    "x-ensured-by",
    "x-request",
}


def simplify(document: Document) -> tuple[Json, list[Problem]]:
    """Return a copy of the document for the parser, and what can't be carried into code."""
    copied = _Copy(document)
    return copied.data, copied.problems


class _Copy:
    def __init__(self, document: Document) -> None:
        self.problems: list[Problem] = []
        self.data = copy.deepcopy(document.data)
        self._copied = Document(document.path, "", self.data)
        self._flat: set[int] = set()
        self._paths()
        self._note("OpenAPI", self.data, "")
        self._each("OpenAPI", self.data, "")

    def _paths(self) -> None:
        """Replaces references to path items, and drops what isn't a path."""
        paths = self.data["paths"]
        for path, item in list(paths.items()):
            if path.startswith("x-"):
                del paths[path]
            elif "$ref" in item:
                paths[path] = {**copy.deepcopy(self._copied.resolve(item)), **item}
                del paths[path]["$ref"]

    def _note(self, kind: str, part: Any, pointer: str) -> None:
        """Notes the pointer of each schema before any is moved, and drops what the code is correct without."""
        for key in _without_effect(kind) & part.keys() if isinstance(part, dict) else ():
            del part[key]
        for step, (type_, each) in _parts(kind, part):
            self._note(type_, each, below(pointer, step))
        if kind == "Schema" and isinstance(part, dict):
            part["x-at"] = pointer

    def _each(self, kind: str, part: Any, pointer: str) -> None:
        for step, (type_, each) in _parts(kind, part):
            if type_ == "Schema" and isinstance(each, bool):
                # The parser only supports booleans in `additionalProperties`.
                if step != "additionalProperties":
                    part[step] = {"x-at": below(pointer, step)}
            else:
                self._each(type_, each, below(pointer, step))
        if kind == "Schema" and isinstance(part, dict):
            self._schema(part)
        elif kind == "Parameter" and "$ref" not in part:
            self._parameter(part, pointer)
        elif kind in ("RequestBody", "Response") and isinstance(part.get("content"), dict) and part["content"]:
            self._media(part, BODIES if kind == "RequestBody" else RESPONSES, pointer)

    def _parameter(self, parameter: Json, pointer: str) -> None:
        """Turns a parameter with `content` into a text of JSON."""
        if content := parameter.get("content"):
            name, media = next(iter(content.items()))
            if _rank(name, BODIES) > 1:
                self.problems.append(
                    Problem(below(pointer, "content"), f"The media type {name!r} of a parameter is not supported.")
                )
            parameter["schema"], parameter["x-content"] = media.get("schema") or {}, name
        style = parameter.get("style")
        if style in ("label", "matrix"):
            self.problems.append(Problem(below(pointer, "style"), f"The style {style!r} is not supported."))

    # Media types

    def _media(self, part: Json, known: tuple[str, ...], pointer: str) -> None:
        """Keeps only the media type that the client sends or reads best."""
        ranked = {name: _rank(name, known) for name in part["content"]}
        best = min(ranked, key=ranked.__getitem__)
        if ranked[best] == len(known):
            names = ", ".join(map(repr, ranked))
            self.problems.append(Problem(below(pointer, "content"), f"No media type is supported among {names}."))
        part["x-media"] = best
        part["content"] = {best.replace("*/*", "application/json"): part["content"][best]}

    # Schemas

    def _schema(self, schema: Json) -> None:
        if id(schema) in self._flat:
            return
        self._flat.add(id(schema))
        if "$ref" in schema:
            self._beside(schema)
        if schema.get("allOf") and not _is_decorated_reference(schema):
            self._merge_all(schema)
        variants = "oneOf" if schema.get("oneOf") else "anyOf"
        if schema.get(variants):
            if all(_is_rule(each, schema.get("properties") or {}) for each in schema[variants]):
                del schema[variants]
            elif schema.get("properties") or schema.get("required"):
                base = {
                    key: schema.pop(key) for key in ("properties", "required", "additionalProperties") if key in schema
                }
                schema.pop("type", None)
                schema[variants] = [self._with(base, each) for each in schema[variants]]
            self._tag(schema, variants)
        if "default" in schema:
            schema["x-default"] = schema.pop("default")  # the parser would refuse some; none are sent
        if "properties" in schema:
            schema["x-properties"] = {name: self._as_written(each) for name, each in schema["properties"].items()}
            if "type" not in schema:
                schema["type"] = "object"

    def _as_written(self, schema: Json) -> Json:
        """Return a schema with the marks of the schema that it refers to."""
        target = schema["allOf"][0] if schema.get("allOf") else schema
        resolved = self._copied.resolve(target) or {}
        marks = {key: resolved[key] for key in ("format", "readOnly", "writeOnly", "deprecated") if key in resolved}
        return {**marks, **schema}

    def _beside(self, schema: Json) -> None:
        """Applies what is next to a reference, too."""
        beside = schema.keys() - {"$ref", "x-at"}
        if beside <= _DECORATION:
            if schema.get("nullable"):
                schema["allOf"] = [{"$ref": schema.pop("$ref")}]
        elif not _closes(schema):
            self.problems += [
                Problem(below(schema["x-at"], key), f"{key!r} is not supported beside '$ref'.")
                for key in sorted(beside)
            ]

    def _with(self, base: Json, variant: Json) -> Json:
        merged = {"allOf": [copy.deepcopy(base), variant], "x-at": variant["x-at"], **_title(variant)}
        self._schema(merged)
        return merged

    def _merge_all(self, schema: Json) -> None:
        own = {key: value for key, value in schema.items() if key != "allOf"}
        merged: Json = {}
        for part in schema.pop("allOf"):
            target = self._copied.resolve(part)
            if not isinstance(target, dict) or target is schema:
                self.problems.append(Problem(schema["x-at"], "'allOf' contains itself."))
                return
            self._schema(target)
            self._merge(
                merged, {key: value for key, value in target.items() if key not in _OF_ONE_SCHEMA}, schema["x-at"]
            )
        self._merge(merged, own, schema["x-at"])
        schema.clear()
        schema.update(merged)

    def _merge(self, into: Json, other: Json, at: str) -> None:
        for key, value in copy.deepcopy(other).items():
            if key not in into or key in ("x-properties", "x-at"):
                into[key] = value
            elif key == "properties":
                for name, each in value.items():
                    into[key][name] = self._both(into[key][name], each, at) if name in into[key] else each
            elif key in ("required", "x-secret"):
                into[key] = [*dict.fromkeys([*into[key], *value])]
            elif key in ("oneOf", "anyOf"):
                self.problems.append(Problem(at, f"More than one {key!r} within 'allOf' is not supported."))
            elif key == "type" and (types := _common(into[key], value)):
                into[key] = types
            elif key == "type":
                self.problems.append(Problem(at, f"'allOf' combines the types {into[key]!r} and {value!r}."))
            else:
                into[key] = value

    def _both(self, one: Json, other: Json, at: str) -> Json:
        """Merges a property that occurs twice in `allOf`."""
        if "$ref" not in one and "$ref" not in other:
            merged = copy.deepcopy(one)
            self._merge(merged, other, other.get("x-at", at))
            return merged
        return {**one, **other} if one.get("$ref") == other.get("$ref") else other

    def _tag(self, schema: Json, variants: str) -> None:
        """Notes in the variants of a union which values of the discriminator belong to them."""
        discriminator = schema.get("discriminator")
        if not isinstance(discriminator, dict):
            return
        name, mapping = discriminator.get("propertyName"), discriminator.get("mapping") or {}
        targets = {value if "/" in value else f"#/components/schemas/{value}": key for key, value in mapping.items()}
        listed = [each.get("$ref") for each in schema[variants]]
        for target in targets.keys() - set(listed):
            self.problems.append(Problem(f"{schema['x-at']}/discriminator/mapping", f"{target!r} isn't a variant."))
        for each in schema[variants]:
            variant = self._copied.resolve(each)
            if isinstance(variant, dict) and variant.get("type") != "null":
                reference = str(each.get("$ref", ""))
                values = [
                    key for key, value in mapping.items() if reference in (value, f"#/components/schemas/{value}")
                ]
                values = values or ([reference.rpartition("/")[2]] if reference else [])
                variant.setdefault("x-tags", {})[name] = values


def _is_rule(variant: Json, properties: Json) -> bool:
    """Whether a variant only says which combinations of properties the server accepts."""
    rules = {"required", "properties", "type", "x-at", "x-properties", "title", "description"}
    return bool(properties) and not variant.keys() - rules and variant.get("properties", {}).keys() <= properties.keys()


def _common(one: Any, other: Any) -> Any:
    """Return the types that both allow; an empty list if there are none."""
    types, others = (each if isinstance(each, list) else [each] for each in (one, other))
    common = [each for each in types if each in others or (each == "integer" and "number" in others)]
    common += [each for each in others if each == "integer" and "number" in types and "integer" not in types]
    return common[0] if len(common) == 1 else common


def _title(variant: Json) -> Json:
    """Keeps the name of a variant that was a reference."""
    name = variant.get("title") or str(variant.get("$ref", "")).rpartition("/")[2]
    return {"title": name} if name else {}


def _parts(kind: str, part: Any) -> list[tuple[Any, tuple[str, Any]]]:
    """Yield what a part of the document consists of: key, type and value."""
    if kind == "-" or not isinstance(part, dict | list):
        return []
    if kind[0] in "[{":
        steps = enumerate(part) if isinstance(part, list) else part.items()
        return [(step, (kind[1:-1], each)) for step, each in steps]
    keywords = TABLE[kind]
    return [(key, (keywords[key].type, each)) for key, each in part.items() if key in keywords]


def _rank(media_type: str, known: tuple[str, ...]) -> int:
    name = media_type.partition(";")[0].strip().lower().replace("*/*", "application/json")
    kind = "+" if name.endswith("+json") else f"{name.partition('/')[0]}/"
    return known.index(name) if name in known else known.index(kind) if kind in known else len(known)


def _without_effect(kind: str) -> set[str]:
    # The parser demands a description of each response.
    return {
        name
        for name, keyword in TABLE.get(kind, {}).items()
        if keyword.verdict in ("server", "documentation") and (kind, name) != ("Response", "description")
    }


def _is_decorated_reference(schema: Json) -> bool:
    """Whether `allOf` is one reference that keeps its name, and nothing that changes its shape."""
    references = [each for each in schema["allOf"] if "$ref" in each]
    shaping = [
        key for each in (schema, *schema["allOf"]) for key in each.keys() - _DECORATION - {"$ref", "allOf", "x-at"}
    ]
    if len(references) == 1 and not shaping:
        for each in schema["allOf"]:
            for key in each.keys() & _DECORATION - {"type"}:
                schema.setdefault(key, each[key])
        schema["allOf"] = [{"$ref": references[0]["$ref"]}]
        schema.pop("type", None)
        return True
    return False


def _closes(schema: Json) -> bool:
    """Whether the keywords next to the reference only close it, for a request."""
    return schema.get("additionalProperties") is False or all(
        (isinstance(each, dict) and _closes(each)) or each is True for each in schema.get("properties", {}).values()
    )
