"""Rewrites a document into what the generator reads, with the same meaning.

Afterwards each `$ref` is the name of a component, `allOf` is merged, objects and enums are components whose
classes and modules have different names, and each `content` has the one media type that the client uses.

Notes for the modules after it are extensions: `x-at` (the JSON pointer of a schema, parameter or operation), `x-media`
(the media type of a body or response), `x-content` (that of a parameter) and `x-rest` (the variant for other values).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from document import Document, Json, Problem, below, reachable, steps
from keywords import TABLE
from openapi_python_client.strings import ClassName, PythonIdentifier, pascal_case

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
COMPONENT = "/components/schemas"
# They say something of the place where a schema is used, not of its values.
_ANNOTATIONS = {
    *("default", "deprecated", "description", "example", "examples", "externalDocs", "nullable", "readOnly", "title"),
    *("writeOnly", "xml", "x-at", "x-renamed-from"),
}
# Only the server checks them.
_RULES = {"required"} | {name for name, each in TABLE["Schema"].items() if each.verdict == "server"}
# What another schema says of itself only.
_OF_ONE_SCHEMA = {
    *("title", "description", "discriminator", "example", "examples"),
    *("x-at", "x-bare", "x-ensured-by", "x-event-family", "x-request"),
}
_STYLES = {
    "cookie": ("form",),
    "header": ("simple",),
    "path": ("simple",),
    "query": ("form", "spaceDelimited", "pipeDelimited", "deepObject"),
}

# The names that generated modules import.
OF_CODE = {
    name
    for template in Path(__file__).parent.glob("*.py.jinja")
    for line in template.read_text("utf-8").splitlines()
    if line.startswith("from ") and "__future__" not in line
    for name in line.partition(" import ")[2].split(", ")
    if re.fullmatch("[A-Za-z_]+", name)
}


class Normal:
    """A document in its normal form."""

    def __init__(self, document: Document) -> None:
        self._source = document
        self._modules: set[str] = set()
        self._names: dict[str, str] = {}
        """By the pointer to a schema, the component that it becomes."""
        self._begun: set[str] = set()
        self.schemas: dict[str, Json] = {}
        """By their names: those of objects and enums are the names of their classes."""
        self.tags: dict[str, dict[str, list[str]]] = {}
        """By the class of a variant of a union: the values of each discriminator that belong to it."""
        self.operations: dict[str, Json] = {}
        """By their Python names."""
        self.problems: list[Problem] = []
        """What can't be carried into code."""
        schemas = [(below(COMPONENT, key), key) for key in document.at(COMPONENT) or {}]
        for pointer, key in schemas:
            self._name(pointer, key)
        self._variants: set[str] = set()
        """The pointers to the variants of bases."""
        for pointer, discriminators, extensions in bases_of(document):
            self._base(pointer, discriminators, extensions)
        for pointer, _ in schemas:
            self._component(pointer)
        for path, item in document.data["paths"].items():
            if path[:2] != "x-":
                self._item(path, item)

    def received(self) -> set[str]:
        """The names of the schemas that responses contain."""
        responses = [each["responses"] for each in self.operations.values()]
        return {name for _, name in reachable(responses, self.schemas.get) if name in self.schemas}

    def _component(self, pointer: str) -> None:
        if (name := self._names.get(pointer)) and name not in self._begun:
            self._begun.add(name)
            self.schemas[name] = self._inner(self._source.at(pointer), "", name, pointer)

    def _base(self, base: str, discriminators: dict[str, Json], extensions: list[str]) -> None:
        """Makes the union that a reference to a base stands for: its variants, and itself for all other values."""
        at, discriminator = next(iter(discriminators.items()))
        mapped = _mapping(discriminator).values()
        variants = [each for each in extensions if f"#{each}" in mapped or not self._alias(self._source.at(each))]
        if not variants:
            return
        self._variants |= {*variants}
        if any(each["propertyName"] != discriminator["propertyName"] for each in discriminators.values()):
            self._refuse(f"{at}/discriminator", "A schema that this one extends has another discriminator.")
        named = [{"$ref": self._names[each]} for each in (*variants, base)]
        if f"{at}/".startswith(f"{base}/"):  # otherwise inherited: the variants here are also those of the other base
            self._tag(self._source.at(at), [{"$ref": f"#{each}"} for each in (*variants, base)], named, at)
        union = [*named[:-1], {**named[-1], "x-rest": True}]
        self.schemas[base] = {**_annotations(self._source.at(base)), "oneOf": union, "x-at": base}

    def _name(self, pointer: str, wanted: str) -> str:
        """A name for a component whose class and module nothing else has."""
        wanted = f"{wanted}Model" if ClassName(wanted, "field_") in OF_CODE else wanted
        name, number = wanted, 1
        while (module := module_of(ClassName(name, "field_"))) in self._modules:
            number += 1
            name = f"{wanted}{number}"
        self._modules.add(module)
        self._names[pointer] = str(ClassName(name, "field_"))
        return self._names[pointer]

    def _refuse(self, pointer: str, text: str) -> None:
        self.problems.append(Problem(pointer, text))

    # Operations

    def _item(self, path: str, written: Json) -> None:
        item, pointer = self._source.resolve(written, below("/paths", path))
        common = list(self._parameters(item, pointer))
        for method in METHODS:
            if method in item:
                self._operation(path, method, {"servers": item.get("servers"), **item[method]}, pointer, common)

    def _parameters(self, part: Json, pointer: str) -> Iterator[tuple[Json, str]]:
        for index, each in enumerate(part.get("parameters") or ()):
            yield self._source.resolve(each, f"{pointer}/parameters/{index}")

    def _operation(self, path: str, method: str, operation: Json, item: str, common: list[tuple[Json, str]]) -> None:
        pointer, place = below(item, method), below(below("/paths", path), method)
        words = path.replace("{", "").replace("}", "").strip("/").replace("/", "_")
        name = str(PythonIdentifier(operation.get("operationId") or f"{method}_{words}", "field_"))
        if name in self.operations:
            at = below(place, "operationId") if "operationId" in operation else place
            other = self.operations[name]["x-at"]
            self._refuse(at, f"Two operations have the Python name {name!r}: the other is {other}.")
        own = list(self._parameters(operation, pointer))
        here = {(each["name"], each["in"]) for each, _ in own}
        taken = own + [(each, at) for each, at in common if (each["name"], each["in"]) not in here]
        result = {**operation, "parameters": [self._parameter(each, name, at) for each, at in taken], "x-at": place}
        if "requestBody" in operation:
            body, at = self._source.resolve(operation["requestBody"], f"{pointer}/requestBody")
            result["requestBody"] = self._content(body, name, "body", at, BODIES)
        result["responses"] = {
            status: self._response(each, name, status, below(f"{pointer}/responses", status))
            for status, each in operation.get("responses", {}).items()
            if status[:2] != "x-"
        }
        self.operations[name] = result

    def _parameter(self, parameter: Json, operation: str, pointer: str) -> Json:
        """A parameter with `content` is a text of JSON."""
        place, schema, more = f"{pointer}/schema", parameter.get("schema"), {}
        if content := parameter.get("content"):
            media = next(iter(content))
            place, schema = below(f"{pointer}/content", media) + "/schema", content[media].get("schema")
            more = {"x-content": media}
            if kind_of(media) != "json":
                self._refuse(f"{pointer}/content", f"The media type {media!r} of a parameter is not supported.")
        if parameter.get("style", _STYLES[parameter["in"]][0]) not in _STYLES[parameter["in"]]:
            text = f"The style {parameter['style']!r} of a parameter in {parameter['in']!r} is not supported."
            self._refuse(f"{pointer}/style", text)
        schema = self._schema(schema or {}, operation, parameter["name"], place)
        return {**parameter, "schema": schema, "x-at": pointer, **more}

    def _response(self, written: Json, operation: str, status: str, pointer: str) -> Json:
        response, pointer = self._source.resolve(written, pointer)
        shared = steps(pointer)[2] if pointer.startswith("/components/") else operation
        name = f"response_{status}" if shared == operation else "response"
        return self._content(response, shared, name, pointer, ANSWERS)

    def _content(self, part: Json, parent: str, name: str, pointer: str, order: tuple[str, ...]) -> Json:
        """A body or a response with the media type that the client uses."""
        if not (content := part.get("content")):
            return part
        kinds = {each: kind_of(each) for each in content}
        forms = [each for each in content if order is BODIES and kinds[each] == "multipart"]
        with_files = [each for each in forms if self._has_files(content[each])]
        written = min(with_files or content, key=lambda each: order.index(kinds[each]))
        kind, media, place = kind_of(written), content[written], below(f"{pointer}/content", written)
        if order is BODIES and (kind in ("events", "lines") or (kind == "multipart" and "/form-data" not in written)):
            self._refuse(place, f"The media type {written!r} of a request is not supported.")
        if kind in ("multipart", "form") and order is ANSWERS:
            self._refuse(place, f"The media type {written!r} of a response is not supported.")
        schema = _TEXTS.get(kind) or self._schema(media.get("schema") or {}, parent, name, f"{place}/schema")
        return {**part, "content": {written: {**media, "schema": schema}}, "x-media": written}

    def _has_files(self, media: Json) -> bool:
        return any(part.get("format") == "binary" for part, _ in reachable(media, self._source.target))

    # Schemas

    def _schema(self, schema: Any, parent: str, name: str, pointer: str) -> Json:
        """A schema in its place: what becomes a class is a reference to a component."""
        if pointer in self._names:
            return {"$ref": pointer if pointer in self.schemas else self._names[pointer]}
        inner = self._inner(schema, parent, name, pointer)
        if "enum" not in inner and inner.get("type") != "object":
            return inner
        hoisted = self._hoisted(inner, pointer, _joined(parent, schema.get("title") or name))
        return {"allOf": [hoisted], **_annotations(inner)}

    def _hoisted(self, schema: Json, pointer: str, wanted: str) -> Json:
        """A reference to a schema that becomes a component."""
        name = self._name(pointer, wanted)
        self.schemas[name] = schema
        return {"$ref": name}

    def _inner(self, schema: Any, parent: str, name: str, pointer: str) -> Json:
        """A schema whose parts are in their normal form."""
        if not isinstance(schema, dict):
            return {"x-at": pointer}
        if "$ref" in schema or "allOf" in schema:
            if pointer not in self._variants:
                if alias := self._alias(schema):
                    return self._use(*alias)
                if any(
                    self._source.resolve(each)[1] in self.schemas for each in (schema, *(schema.get("allOf") or ()))
                ):
                    text = "It extends a schema with a discriminator: write it under '#/components/schemas'."
                    self._refuse(pointer, text)
            schema = self._merged(schema, pointer, ())
        nullable = schema.get("nullable") is True
        schema = {key: value for key, value in schema.items() if key not in ("title", "nullable")}
        schema = self._union({**schema, "x-at": pointer}, pointer)
        kinds = schema.get("type")
        if isinstance(kinds, list):
            nullable |= "null" in kinds
            kinds = [each for each in kinds if each != "null"] or ["null"]
            schema["type"] = kinds[0] if len(kinds) == 1 else kinds
            if len(kinds) > 1 and {"object", "array"} & {*kinds}:
                shape = {key: value for key, value in schema.items() if key not in _ANNOTATIONS}
                schema = {**_annotations(schema), "anyOf": [{**shape, "type": each} for each in kinds]}
        if "const" in schema and (schema["const"] is None or not _fits(schema["const"], schema.get("type"))):
            schema["enum"] = [schema.pop("const")]
        if "enum" in schema:
            nullable |= None in schema["enum"]
            schema = _enumerated(schema)
        elif "type" not in schema and ("properties" in schema or _is_base(schema)):
            schema["type"] = "object"
        schema = self._parts(schema, parent, name, pointer)
        return self._nullable(schema, parent, name, pointer) if nullable else schema

    def _alias(self, schema: Json) -> tuple[str, Json] | None:
        """The reference of a schema that only repeats another one, and what is said of it here; None for others."""
        beside = {key: value for key, value in schema.items() if key not in ("$ref", "allOf")}
        parts = [*([{"$ref": schema["$ref"]}] if "$ref" in schema else []), *(schema.get("allOf") or ())]
        if "$ref" in schema and "allOf" not in schema and self._narrows(beside, schema["$ref"]):
            beside = {key: beside[key] for key in beside if _is_annotation(key)}
        parts = [each for each in parts if isinstance(each, dict)]
        only = [each for each in parts if not each.keys() <= _ANNOTATIONS]
        said = [*(each for each in parts if each not in only), beside]
        about = {key: value for each in said for key, value in each.items()}
        is_alias = len(only) == 1 and only[0].keys() == {"$ref"} and all(map(_is_annotation, about))
        return (only[0]["$ref"], about) if is_alias else None

    def _narrows(self, beside: Json, reference: str) -> bool:
        """Whether the keywords next to a reference only add rules for the known properties of its schema."""
        target = self._source.resolve({"$ref": reference}, "")[0]
        known = target.get("properties", {}).keys() if isinstance(target, dict) else ()
        return _is_rule({**beside, "properties": {}}) and all(key in known for key in beside.get("properties", ()))

    def _use(self, reference: str, about: Json) -> Json:
        target, pointer = self._source.resolve({"$ref": reference})
        words = [each for each in steps(pointer) if each not in ("properties", "schema", "items", "components")]
        placed = self._schema(target, "", "_".join(words[-2:]), pointer)
        if about.pop("nullable", False) is True:
            return {"anyOf": [placed, {"type": "null"}], **_annotations(about)}
        return {**({"allOf": [placed]} if about and "$ref" in placed else placed), **_annotations(about)}

    def _parts(self, schema: Json, parent: str, name: str, pointer: str) -> Json:
        result = {key: value for key, value in schema.items() if key != "x-places"}
        # The parts of a schema are named after the class that it becomes.
        owner = str(ClassName(_joined(parent, name), "field_"))
        if "properties" in schema:
            places = schema.get("x-places") or {}
            result["properties"] = {
                key: self._schema(each, owner, key, places.get(key) or below(f"{pointer}/properties", key))
                for key, each in schema["properties"].items()
            }
        if isinstance(values := schema.get("additionalProperties"), dict):
            place = f"{pointer}/additionalProperties"
            result["additionalProperties"] = self._schema(values, owner, "AdditionalProperty", place)
        if schema.get("type") == "array" or "items" in schema:
            result["items"] = self._schema(schema.get("items") or {}, parent, f"{name}_item", f"{pointer}/items")
        for key in ("anyOf", "oneOf"):
            if key in schema:
                titles = [each.get("title") if isinstance(each, dict) else None for each in schema[key]]
                result[key] = [
                    self._schema(each, parent, f"{name}_{title or f'type_{index}'}", f"{pointer}/{key}/{index}")
                    for index, (each, title) in enumerate(zip(schema[key], titles, strict=True))
                ]
                self._tag(schema, schema[key], result[key], pointer)
        return result

    def _tag(self, schema: Json, written: list[Any], variants: list[Json], pointer: str) -> None:
        """Notes for the variants of a union which values of the discriminator belong to them."""
        if not isinstance(discriminator := schema.get("discriminator"), dict):
            return
        mapping = _mapping(discriminator)
        references = [_references_of(each) for each in written]
        for target in {*mapping.values()} - {each for some in references for each in some}:
            self._refuse(f"{pointer}/discriminator/mapping", f"{target!r} isn't a variant.")
        for some, variant in zip(references, variants, strict=True):
            values = [key for key, target in mapping.items() if target in some]
            values = values or [each.rpartition("/")[2] for each in some]
            if values and (name := referenced(variant)):
                known = self.tags.setdefault(name, {}).setdefault(discriminator["propertyName"], [])
                known += [each for each in values if each not in known]

    def _nullable(self, schema: Json, parent: str, name: str, pointer: str) -> Json:
        union = "anyOf" if "anyOf" in schema else "oneOf"
        if union in schema:
            return {**schema, union: [*schema[union], {"type": "null"}]}
        if "enum" in schema or schema.get("type") == "object":
            hoisted = self._hoisted(schema, f"{pointer}/-", f"{_joined(parent, name)}_type_0")
            return {"anyOf": [hoisted, {"type": "null"}], **_annotations(schema)}
        kinds = schema.get("type")
        if kinds in (None, "null"):
            return schema
        return {**schema, "type": [*(kinds if isinstance(kinds, list) else [kinds]), "null"]}

    def _union(self, schema: Json, pointer: str) -> Json:
        """Properties next to a union belong to each of its variants. Variants that only add rules make none."""
        for key in ("anyOf", "oneOf"):
            variants = schema.get(key)
            if variants is None:
                continue
            rest = {each: value for each, value in schema.items() if each not in (key, "discriminator")}
            if all(isinstance(each, dict) and _is_rule(each) for each in variants) and rest.keys() - _ANNOTATIONS:
                return rest
            if "properties" in rest:
                rest = _placed(rest, pointer)
                about = {each: rest.pop(each) for each in [*rest] if each in _ANNOTATIONS}
                about |= {"discriminator": schema["discriminator"]} if "discriminator" in schema else {}
                return {**about, key: [{"allOf": [rest, each]} for each in variants]}
        return schema

    def _merged(self, schema: Json, pointer: str, seen: tuple[str, ...]) -> Json:
        """One schema in place of an `allOf`, or of a reference with keywords next to it."""
        beside = {key: value for key, value in schema.items() if key not in ("$ref", "allOf")}
        parts = [({"$ref": schema["$ref"]}, pointer)] if "$ref" in schema else []
        parts += [(each, f"{pointer}/allOf/{index}") for index, each in enumerate(schema.get("allOf") or ())]
        parts.append((beside, pointer))
        result: Json = {}
        for each, place in parts:
            resolved, at = self._source.resolve(each, place)
            if not isinstance(resolved, dict):
                if resolved is False:
                    self._refuse(place, "No value is valid here.")
                continue
            if "$ref" in each and at in seen:
                self._refuse(pointer, "'allOf' contains itself.")
                continue
            if "$ref" in resolved or "allOf" in resolved:
                resolved = self._merged(resolved, at, (*seen, at))
            resolved = _placed(resolved, at)
            if "$ref" in each:
                self._component(at)  # first, for then its parts are named by it
                # What is said of the whole of another schema isn't said of this one.
                resolved = {key: value for key, value in resolved.items() if key not in _OF_ONE_SCHEMA}
            result = self._both(result, resolved, pointer)
        return result

    def _both(self, one: Json, other: Json, pointer: str) -> Json:
        result = {**one, **other}
        for key in one.keys() & other.keys():
            first, second = one[key], other[key]
            if first == second or key in _ANNOTATIONS:
                continue
            match key:
                case "properties":
                    result[key] = {**first, **second}
                    for name in first.keys() & second.keys():
                        if first[name] != second[name]:
                            result[key][name] = {"allOf": [first[name], second[name]]}
                case "required":
                    result[key] = list(dict.fromkeys([*first, *second]))
                case "enum":
                    result[key] = [each for each in first if each in second]
                case "items" if first == {"type": "object"} and isinstance(second, dict) and "$ref" in second:
                    pass  # which says more, and names the class
                case "additionalProperties" | "items":
                    if isinstance(first, dict) and isinstance(second, dict):
                        result[key] = {"allOf": [first, second]}
                    else:
                        result[key] = False if False in (first, second) else second if first is True else first
                case "type":
                    result[key] = _type_of_both(first, second)
                    if not result[key]:
                        self._refuse(pointer, f"'allOf' combines the types {first!r} and {second!r}.")
                case "x-places":
                    ours, theirs = one["properties"], other["properties"]
                    merged = {name for name in ours.keys() & theirs.keys() if ours[name] != theirs[name]}
                    result[key] = {name: at for name, at in {**first, **second}.items() if name not in merged}
                case "anyOf" | "oneOf":
                    if all(map(_is_rule, first)) or all(map(_is_rule, second)):
                        result[key] = second if all(map(_is_rule, first)) else first
                    else:
                        result[key] = [{"allOf": [left, right]} for left in first for right in second]
        return result


# Media types

BODIES = ("json", "multipart", "form", "bytes", "text", "events", "lines")
"""Which body is sent where several are documented: the first of these kinds."""
ANSWERS = ("json", "bytes", "text", "events", "lines", "multipart", "form")
# Their schemas, whatever the document says.
_TEXTS: dict[str, Json] = {"bytes": {"type": "string", "format": "binary"}, "text": {"type": "string"}}
_LINES = {f"application/{each}" for each in ("x-ndjson", "ndjson", "jsonl", "x-jsonlines", "stream+json")}


def kind_of(media_type: str) -> str:
    """json, events, lines, bytes, text, multipart or form."""
    bare = media_type.partition(";")[0].strip().lower()
    if bare in _LINES:
        return "lines"
    if bare in ("application/json", "text/json", "*/*", "application/*") or bare.endswith("+json"):
        return "json"
    if bare in ("application/xml", "application/text") or bare.endswith("+xml") or bare.startswith("text/"):
        return "events" if bare == "text/event-stream" else "text"
    if bare.startswith("multipart/"):
        return "multipart"
    return "form" if bare == "application/x-www-form-urlencoded" else "bytes"


def _placed(schema: Json, pointer: str) -> Json:
    """With the pointers to its properties, which it keeps when it is merged into another schema."""
    if "properties" not in schema or "x-places" in schema:
        return schema
    return {**schema, "x-places": {key: below(f"{pointer}/properties", key) for key in schema["properties"]}}


def _joined(parent: str, name: str) -> str:
    return f"{pascal_case(parent)}{pascal_case(name)}" if parent else name


def referenced(schema: Json) -> str:
    """The name of the schema that one stands for; "" if it says something itself."""
    only = [schema[key][0] for key in ("allOf", "anyOf", "oneOf") if len(schema.get(key, ())) == 1]
    return next((str(each["$ref"]) for each in (schema, *only) if "$ref" in each), "")


def module_of(name: str) -> str:
    return str(PythonIdentifier(name, ""))


def bases_of(document: Document) -> Iterator[tuple[str, dict[str, Json], list[str]]]:
    """The schemas with discriminators that others extend: the pointer to each, its discriminators by their pointers,
    starting with its own, and the pointers to what extends it."""
    pointers = [below(COMPONENT, key) for key in document.at(COMPONENT) or {}]
    lines = {pointer: _line(document, document.at(pointer), pointer, {}) for pointer in pointers}
    for base, line in lines.items():
        discriminators = {at: each["discriminator"] for at, each in line.items() if _is_base(each)}
        extensions = [each for each in pointers if discriminators and base in lines[each] and each != base]
        if extensions:
            yield base, discriminators, extensions


def _is_base(schema: Json) -> bool:
    return "discriminator" in schema and not schema.keys() & {"anyOf", "oneOf"}


def _line(document: Document, schema: Any, pointer: str, found: dict[str, Json]) -> dict[str, Json]:
    """Adds a schema and what it extends to `found`, by their pointers."""
    schema, pointer = document.resolve(schema, pointer)
    if isinstance(schema, dict) and pointer not in found:
        found[pointer] = schema
        for index, each in enumerate(schema["allOf"] if isinstance(schema.get("allOf"), list) else ()):
            _line(document, each, f"{pointer}/allOf/{index}", found)
    return found


def _mapping(discriminator: Json) -> dict[str, str]:
    mapping = discriminator.get("mapping") or {}
    return {key: to if "/" in to else f"#{COMPONENT}/{to}" for key, to in mapping.items()}


def _references_of(variant: Any) -> list[str]:
    """The schemas that a variant of a union refers to. It may be merged with the keywords next to the union."""
    if not isinstance(variant, dict) or "$ref" in variant:
        return [variant["$ref"]] if isinstance(variant, dict) else []
    return [reference for each in variant.get("allOf", ()) for reference in _references_of(each)]


def _is_annotation(key: str) -> bool:
    return key in _ANNOTATIONS or key[:2] == "x-"


def _annotations(schema: Json) -> Json:
    return {key: schema[key] for key in schema if _is_annotation(key) and key not in ("title", "nullable")}


def _is_rule(schema: Any) -> bool:
    """It allows and forbids values, and says nothing of their types."""
    if isinstance(schema, bool):
        return True
    parts = [*schema.get("properties", {}).values(), schema.get("additionalProperties", False)]
    return all(
        key in _RULES or _is_annotation(key) or key in ("properties", "additionalProperties") for key in schema
    ) and all(each is False or _is_rule(each) or each.keys() == {"type"} for each in parts)


def _enumerated(schema: Json) -> Json:
    """Values of one type are an enum. Of several types, or of numbers, Python has no literals. The type decides which
    strings, such as "true", YAML reads as something else."""
    values = [each for each in schema["enum"] if each is not None]
    rest = {key: value for key, value in schema.items() if key != "enum"}
    if not values:
        return {**rest, "type": "null"}
    if all(_fits(each, rest.get("type")) for each in values):
        if all(type(each) is str for each in values) or all(type(each) is int for each in values):
            return {**schema, "enum": list(dict.fromkeys(values)), "type": _JSON_TYPES[type(values[0])]}
        if len(values) == 1 and type(values[0]) is bool:
            return {key: value for key, value in rest.items() if key != "type"} | {"const": values[0]}
        kinds = list(dict.fromkeys(_JSON_TYPES.get(type(each), "object") for each in values))
        kinds = [each for each in kinds if not (each == "integer" and "number" in kinds)]
        rest["type"] = kinds[0] if len(kinds) == 1 else kinds
    about = f"{rest.get('description', '')}\n\nOne of {', '.join(map(repr, values))}.".strip()
    return {**rest, "description": about}


def _fits(value: Any, kinds: str | list[str] | None) -> bool:
    """Whether a value has one of these types, if there are any."""
    kind = _JSON_TYPES.get(type(value), "object")
    return not kinds or kind in kinds or (kind == "integer" and "number" in kinds)


_JSON_TYPES = {str: "string", bool: "boolean", int: "integer", float: "number", list: "array"}


def _type_of_both(first: Any, second: Any) -> Any:
    one, other = ([each] if isinstance(each, str) else each for each in (first, second))
    common = [each for each in one if each in other]
    if not common and "integer" in (*one, *other) and "number" in (*one, *other):
        common = ["integer"]
    return common[0] if len(common) == 1 else common
