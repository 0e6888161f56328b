"""Types of values: how their JSON is checked and converted, and how the variants of a union are told apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations

from document import Json, Problem
from normal import Normal, referenced
from openapi_python_client.strings import in_double_quote_literal as quoted
from plan import Objects, Type, Variants

_KINDS = {"array": "list", "boolean": "bool", "integer": "int", "null": "null", "number": "number"}
_KINDS_OF_TEXT = {"binary": "bytes", "date": "date", "date-time": "datetime"}
_TIMES = {"date": "datetime.date", "datetime": "datetime.datetime"}
_ANNOTATIONS = {"any": "Any", "null": "None", "number": "float", **_TIMES}
# Values that are kept unchanged: their Python types by kind, and in words.
_PLAIN = {"bool": ["bool"], "bytes": ["bytes"], "int": ["int"], "number": ["int", "float"], "str": ["str"]}
_WORDS = {"bool": "a boolean", "bytes": "bytes", "float": "a number", "int": "an integer", "str": "a string"}
_JSON_TYPES = {"dict": "object", "int": "number", "map": "object", "model": "object", "const": "any", "union": "any"}


class RefusedError(Exception):
    """A part of the document can't be carried into code."""

    def __init__(self, pointer: str, text: str) -> None:
        super().__init__(text)
        self.problem = Problem(pointer, text)


class Types:
    """The types of a document's schemas."""

    def __init__(self, simple: Normal) -> None:
        self.schemas = simple.schemas
        self._tags = simple.tags
        self._received = simple.received()

    def target(self, schema: Json) -> tuple[str, Json]:
        """Return what a schema refers to in the end, and the name of that; "" if it refers to nothing."""
        names = [""]
        while (name := referenced(schema)) and name not in names:
            names.append(name)
            schema = self.schemas[name]
        return names[-1], schema

    def kind_of(self, schema: Json) -> str:
        kind = schema.get("type")
        if "enum" in schema:
            return "str" if kind == "string" else "int"
        if "anyOf" in schema or "oneOf" in schema or isinstance(kind, list):
            return "union"
        if schema.get("const") is not None and kind != "boolean":
            return "const"
        if kind == "object":
            return "model" if schema.get("properties") else "map" if self.values_of(schema) else "dict"
        return _KINDS_OF_TEXT.get(schema.get("format", ""), "str") if kind == "string" else _KINDS.get(str(kind), "any")

    def values_of(self, schema: Json) -> Json | None:
        """Return the schema of a map's values, or of a model's undocumented fields; None if they may be anything."""
        values = schema.get("additionalProperties")
        _, of = self.target(values) if isinstance(values, dict) else ("", {})
        return values if of.get("type") == "object" or self.kind_of(of) != "any" else None

    def properties_of(self, name: str) -> dict[str, Json]:
        """Return the schemas of a model's properties, starting with the required ones."""
        schema = self.schemas[name]
        required = schema.get("required", ())
        return dict(sorted(schema.get("properties", {}).items(), key=lambda each: each[0] not in required))

    def type_of(self, schema: Json, *, sent: bool = False, outer: tuple[str, ...] = ()) -> Type:
        """Return the type of a schema; `outer` are the lists, maps and unions that contain it."""
        name, schema = self.target(schema)
        if name in outer:
            schema = {}  # a list, map or union that contains itself, with no model between, holds any value there
        outer = (*outer, name) if name else outer
        kind = self.kind_of(schema)
        if kind in ("list", "map"):
            item = self.type_of(schema["items" if kind == "list" else "additionalProperties"], sent=sent, outer=outer)
            annotation = f"list[{item.annotation}]" if kind == "list" else f"dict[str, {item.annotation}]"
            return Type(kind=kind, annotation=annotation, item=item)
        if kind == "union":
            return self._union(schema, sent, outer)
        if "enum" in schema or kind in ("dict", "model"):
            annotation = f"Known{name}" if sent and "enum" in schema else name
            return Type(kind=kind, annotation=annotation)
        const = repr(schema["const"]) if kind == "const" else ""
        annotation = f"Literal[{const}]" if const else _ANNOTATIONS.get(kind, kind)
        return Type(kind=kind, annotation=annotation, nullable=kind in ("any", "null"), const=const)

    def variants_of(self, schema: Json) -> list[Json]:
        """Return the variants of a union, or the schema itself."""
        name, target = self.target(schema)
        return [*self._variants(target, (name,))] if self.kind_of(target) == "union" else [schema]

    def _variants(self, union: Json, outer: tuple[str, ...]) -> Iterator[Json]:
        kinds = union["type"] if isinstance(union.get("type"), list) else ()
        for each in [*union.get("anyOf", ()), *union.get("oneOf", ())] or [{**union, "type": kind} for kind in kinds]:
            name, target = self.target(each)
            if self.kind_of(target) == "union" and name not in outer:
                yield from self._variants(target, (*outer, name))
            else:
                yield each

    def _union(self, union: Json, sent: bool, outer: tuple[str, ...]) -> Type:
        schemas = [*self._variants(union, outer)]
        by_annotation: dict[str, tuple[Type, Json]] = {}
        rest = {self.target(each)[0] for each in schemas if "x-rest" in each}
        rest -= {self.target(each)[0] for each in schemas if "x-rest" not in each}
        for each in schemas:
            of = self.type_of(each, sent=sent, outer=outer)
            by_annotation.setdefault(of.annotation, (of, self.target(each)[1]))
        types = [of for of, _ in by_annotation.values()]
        others = [each for each in types if each.kind != "null"]
        if not others:
            return types[0]
        variants = [each for each in by_annotation.values() if each[0].kind in ("dict", "map", "model")]
        objects = self._objects(variants, rest, union.get("x-at", ""))
        annotations = [each.annotation for each in others]
        if objects and len(objects.models) > 1 and not objects.fallback and not objects.map:
            annotations.append("dict[str, Any]")
        arrays = [schema for each, schema in by_annotation.values() if each.kind == "list"]
        for one, other in combinations(arrays, 2):
            if _overlap(self._json_types(one), self._json_types(other)) and not self._exclude_each_other(one, other):
                raise RefusedError(other["x-at"], "Two lists of a union can't be told apart.")
        nullable = any(each.nullable for each in types)
        is_checked = "Any" not in annotations
        if nullable and is_checked:
            annotations.append("None")
        only = _time(others) if all(each.kind in _TIMES for each in others) else None
        only = others[0] if len(others) == 1 else only
        return Type(
            kind="union",
            annotation=" | ".join(annotations),
            nullable=nullable,
            only=only,
            variants=_variants([*by_annotation.values()], objects) if is_checked and not only else None,
        )

    def _objects(self, variants: list[tuple[Type, Json]], rest: set[str], at: str) -> Objects | None:
        if not variants:
            return None
        models = [each.annotation for each, _ in variants if each.kind == "model"]
        maps = [(each, schema) for each, schema in variants if each.kind == "map"]
        for each, schema in maps:
            values = self._json_types(schema["additionalProperties"])
            if len(models) < len(variants) - 1 or not all(self._excludes(name, values) for name in models):
                text = f"The variant '{each.annotation}' of a union can't be told apart from its other objects."
                raise RefusedError(schema["x-at"], text)
        tags = {name: {} if name in rest else self.tags_of(name) for name in models}
        discriminator = "" if maps else _discriminator(tags, 1 if rest else 2)
        if len(models) > 1 and not (discriminator or maps or rest):
            # One that the document names is of use even if some variants share a value.
            named = [self._tags.get(name, {}) for name in models]
            discriminator = next((quoted(key) for key in named[0] if all(key in each for each in named)), "")
        others = [name for name in models if discriminator not in tags[name]]
        if len(others) > 1:
            discriminator, others = "", self._by_demands(models, at)
        owners = [(value, name) for name, each in tags.items() for value in each.get(discriminator, ())]
        shared = Counter(value for value, _ in owners) - Counter({value for value, _ in owners})
        return Objects(
            models=tuple(others if len(others) == len(models) else models),
            free=len(models) + len(maps) < len(variants),
            discriminator=discriminator,
            by_constant={value: name for value, name in owners if value not in shared},
            fallback=others[0] if discriminator and len(others) == 1 else "",
            map=maps[0][0] if maps else None,
        )

    def _excludes(self, name: str, values: set[str]) -> bool:
        """Whether no object of a model is a map, because a value that it requires has none of the types `values`."""
        required = self.schemas[name].get("required", ())
        properties = self.properties_of(name)
        return any(not _overlap(self._json_types(properties[key]), values) for key in required if key in properties)

    def _exclude_each_other(self, *lists: Json) -> bool:
        """Whether the items of two lists are models of which each requires something that the other doesn't know."""
        items = [self.target(each["items"]) for each in lists]
        if any(self.kind_of(item) != "model" for _, item in items):
            return False
        known = [self.properties_of(name).keys() for name, _ in items]
        return all({*item.get("required", ())} - known[1 - place] for place, (_, item) in enumerate(items))

    def _json_types(self, schema: Json) -> set[str]:
        """Return the types of JSON that a schema allows, with those of the items of a list."""
        found = set[str]()
        for each in self.variants_of(schema):
            _, target = self.target(each)
            kind = self.kind_of(target)
            if kind == "list":
                found |= {f"list of {of}" for of in self._json_types(target["items"])}
            else:
                found.add("str" if target.get("type") == "string" else _JSON_TYPES.get(kind, kind))
        return found

    def _by_demands(self, models: list[str], at: str) -> list[str]:
        """Sort the models: the first that fits is the right one, because it requires something that no later one
        knows."""
        properties = {name: self.properties_of(name) for name in models}
        rest, ordered = [*models], []
        if not self._received.intersection(models):
            return models  # the caller says which one it is
        while rest:
            for name in rest:
                required = {key for key in properties[name] if key in self.schemas[name].get("required", ())}
                if all(required - properties[each].keys() for each in rest if each != name):
                    ordered.append(name)
                    rest.remove(name)
                    break
            else:
                text = f"The variants {' and '.join(map(repr, rest))} of a union can't be told apart."
                text += " Add a discriminator or a constant property."
                raise RefusedError(at or self.schemas[rest[0]]["x-at"], text)
        return ordered

    def tags_of(self, name: str) -> dict[str, list[str]]:
        """Return, by name, the strings that properties of the model always have, starting with those that a
        discriminator names."""
        tags = {quoted(key): [*map(quoted, values)] for key, values in self._tags.get(name, {}).items()}
        for key, schema in self.properties_of(name).items():
            _, of = self.target(schema)
            constants = [of["const"]] if self.kind_of(of) == "const" else sorted(of.get("enum", ()))
            if allowed := [quoted(str(each)) for each in constants if isinstance(each, str | bool)]:
                # A discriminator without a mapping names schemas, which need not be the values that the property has.
                tags[quoted(key)] = [each for each in tags.get(quoted(key), ()) if each in allowed] or allowed
        return tags


def _variants(types: list[tuple[Type, Json]], objects: Objects | None) -> Variants:
    arrays = tuple(each for each, _ in types if each.kind == "list")
    times = [each for each, _ in types if each.kind in _TIMES]
    plain: dict[str, None] = {}
    for each, schema in types:
        plain |= dict.fromkeys([type(schema["const"]).__name__] if each.const else _PLAIN.get(each.kind, []))
    expected = ["an object"] * bool(objects) + ["an array"] * bool(arrays) + [_WORDS[each] for each in plain]
    return Variants(
        objects=objects,
        arrays=arrays,
        time=_time(times) if times and "str" not in plain else None,
        plain=tuple(plain),
        expected=" or ".join(expected),
    )


def _time(times: list[Type]) -> Type:
    """Return the type of what is a date, a time, or either."""
    return times[0] if len({each.kind for each in times}) == 1 else replace(times[0], kind="date_or_datetime")


def _discriminator(tags: dict[str, dict[str, list[str]]], least: int) -> str:
    """Return the first property that at least so many models have, and no two share a value of; "" if there is none."""
    for name in dict.fromkeys(name for each in tags.values() for name in each):
        values = Counter(value for each in tags.values() for value in each.get(name, ()))
        if sum(name in each for each in tags.values()) >= least and set(values.values()) == {1}:
            return name
    return ""


def _overlap(one: set[str], other: set[str]) -> bool:
    """Whether a value can have a type of both; "list of any" is that of any list."""

    def includes(a: str, b: str) -> bool:
        return a == b or (a.endswith("any") and b.startswith(a.removesuffix("any")))

    return any(includes(a, b) or includes(b, a) for a in one for b in other)


def taking_files(of: Type) -> Type:
    """Return the type of a value of a form, where binary data is a file."""
    if not holds_binary(of):
        return of
    item, only, variants = of.item and taking_files(of.item), of.only and taking_files(of.only), of.variants
    if variants:
        plain = tuple(each.replace("bytes", "File") for each in variants.plain)
        variants = replace(variants, plain=plain, arrays=tuple(map(taking_files, variants.arrays)))
    annotation = of.annotation.replace("bytes", "File")
    return replace(of, annotation=annotation, item=item, only=only, variants=variants)


def holds_binary(of: Type | None) -> bool:
    if of is None or of.variants is None:
        return of is not None and (of.kind == "bytes" or holds_binary(of.item) or holds_binary(of.only))
    return not {"bytes", "File"}.isdisjoint(of.variants.plain) or any(map(holds_binary, of.variants.arrays))
