"""Types of values: how the JSON of a schema is checked and converted, and how the variants of a union are told apart.

Only this module, models.py, operations.py and specification.py import the parser, whose classes aren't a public API.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

from document import Problem
from openapi_python_client.parser import properties as parsed
from openapi_python_client.strings import in_double_quote_literal as quoted
from plan import Objects, Type, Variants

_KINDS: dict[type, str] = {
    parsed.AnyProperty: "any",
    parsed.BooleanProperty: "bool",
    parsed.ConstProperty: "const",
    parsed.DateProperty: "date",
    parsed.DateTimeProperty: "datetime",
    parsed.FileProperty: "bytes",
    parsed.FloatProperty: "number",
    parsed.IntProperty: "int",
    parsed.ListProperty: "list",
    parsed.NoneProperty: "null",
    parsed.StringProperty: "str",
    parsed.UnionProperty: "union",
    parsed.UuidProperty: "str",
}
# Values that are kept unchanged: their Python types by kind, and in words.
_PLAIN = {"bool": ["bool"], "bytes": ["bytes"], "int": ["int"], "number": ["int", "float"], "str": ["str"]}
_WORDS = {"bool": "a boolean", "bytes": "bytes", "float": "a number", "int": "an integer", "str": "a string"}

# The models by name. The parser copies a model wherever it is used, often before knowing its properties.
MODELS: dict[str, parsed.ModelProperty] = {}


class RefusedError(Exception):
    """A part of the document can't be carried into code."""

    def __init__(self, pointer: str, text: str) -> None:
        super().__init__(text)
        self.problem = Problem(pointer, text)


def place_of(model: parsed.ModelProperty) -> str:
    return str(extra_of(model.data).get("x-at", ""))


def extra_of(data: Any) -> dict[str, Any]:
    """The `x-...` of a part of the document."""
    return getattr(data, "model_extra", None) or {}


def kind_of(prop: Any) -> str:
    if isinstance(prop, parsed.LiteralEnumProperty):
        return prop.value_type.__name__
    if isinstance(prop, parsed.ModelProperty):
        return "model" if not is_free(prop) else "map" if values_of(prop) else "dict"
    return _KINDS[type(prop)]


def is_free(model: parsed.ModelProperty) -> bool:
    return not model.data.properties and not model.data.allOf


def values_of(model: parsed.ModelProperty) -> Any:
    """Return the property of a map's values, or of a model's undocumented fields; None if they may be anything."""
    values = canonical(model).additional_properties
    return None if isinstance(values, parsed.AnyProperty) else values


def canonical(model: parsed.ModelProperty) -> parsed.ModelProperty:
    """Return the copy of a model that knows its properties."""
    return MODELS[str(model.class_info.name)]


def properties_of(model: parsed.ModelProperty) -> list[Any]:
    return [*(model.required_properties or []), *(model.optional_properties or [])]


def type_of(prop: Any, *, sent: bool = False) -> Type:
    kind = kind_of(prop)
    if kind == "list":
        item = type_of(prop.inner_property, sent=sent)
        return Type(kind=kind, annotation=f"list[{item.annotation}]", imports=item.imports, item=item)
    if kind == "map":
        try:
            item = type_of(values_of(prop), sent=sent)
        except RecursionError:
            raise RefusedError(place_of(prop), "A map that contains itself is not supported.") from None
        return Type(kind=kind, annotation=f"dict[str, {item.annotation}]", imports=item.imports, item=item)
    if kind == "union":
        return _union(prop.inner_properties, sent)
    if isinstance(prop, parsed.LiteralEnumProperty | parsed.ModelProperty):
        is_closed = sent and isinstance(prop, parsed.LiteralEnumProperty)
        name = f"Known{prop.class_info.name}" if is_closed else str(prop.class_info.name)
        return Type(kind=kind, annotation=name, imports=frozenset({(str(prop.class_info.module_name), name)}))
    if isinstance(prop, parsed.FileProperty | parsed.UuidProperty):
        return Type(kind=kind, annotation=kind)
    return Type(
        kind=kind,
        annotation=prop.get_type_string(no_optional=True).as_unembedded_code(),
        nullable=kind in ("any", "null"),
        const=prop.value.python_code.as_unembedded_code() if kind == "const" else "",
    )


def _union(inner: list[Any], sent: bool) -> Type:
    types = [type_of(each, sent=sent) for each in inner]
    others = [each for each in types if each.kind != "null"]
    objects = _objects([each for each in inner if isinstance(each, parsed.ModelProperty)])
    annotations = [each.annotation for each in others]
    if objects and len(objects.models) > 1 and not objects.fallback:
        annotations.append("dict[str, Any]")
    nullable = any(each.nullable for each in types)
    is_checked = "Any" not in annotations
    if nullable and is_checked:
        annotations.append("None")
    only = others[0] if len(others) == 1 else None
    return Type(
        kind="union",
        annotation=" | ".join(dict.fromkeys(annotations)),
        imports=frozenset().union(*(each.imports for each in types)),
        nullable=nullable,
        only=only,
        variants=_variants(others, inner, objects) if is_checked and not only else None,
    )


def _variants(types: list[Type], inner: list[Any], objects: Objects | None) -> Variants:
    arrays = [each for each in types if each.kind == "list"]
    times = [each for each in types if each.kind in ("date", "datetime")]
    plain: dict[str, None] = {}
    for prop in inner:
        kind = kind_of(prop)
        plain |= dict.fromkeys([type(prop.value.raw_value).__name__] if kind == "const" else _PLAIN.get(kind, []))
    expected = ["an object"] * bool(objects) + ["an array"] * bool(arrays) + [_WORDS[each] for each in plain]
    return Variants(
        objects=objects,
        array=arrays[0] if arrays else None,
        time=times[0] if times and not plain else None,
        plain=tuple(plain),
        expected=" or ".join(expected),
    )


def _objects(variants: list[parsed.ModelProperty]) -> Objects | None:
    if not variants:
        return None
    models = {str(each.class_info.name): each for each in variants if not is_free(each)}
    maps = [each for each in variants if kind_of(each) == "map"]
    if maps and len(variants) > 1:
        raise RefusedError(place_of(maps[0]), "A map among other objects of a union is not supported.")
    tags = {name: tags_of(model) for name, model in models.items()}
    discriminator = _discriminator(tags)
    others = [name for name in models if discriminator not in tags[name]]
    if not discriminator and len(models) > 1:
        others = _by_demands(models)
    return Objects(
        models=tuple(others if len(others) == len(models) else models),
        free=len(models) < len(variants),
        discriminator=discriminator,
        by_constant={value: name for name in models if name not in others for value in tags[name][discriminator]},
        fallback=others[0] if discriminator and len(others) == 1 else "",
        map=type_of(maps[0]) if maps else None,
    )


def _discriminator(tags: dict[str, dict[str, list[str]]]) -> str:
    """Return the first property for which no two models share a value; "" if there is none."""
    for name in dict.fromkeys(name for each in tags.values() for name in each):
        values = Counter(value for each in tags.values() for value in each.get(name, ()))
        if sum(name in each for each in tags.values()) > 1 and set(values.values()) == {1}:
            return name
    return ""


def _by_demands(models: dict[str, parsed.ModelProperty]) -> list[str]:
    """Sort the models: the first that fits is the right one, because it requires something that no later one knows."""
    rest, ordered = dict(models), []
    if not any(extra_of(model.data).get("x-read") for model in models.values()):
        return list(models)  # the caller says which one it is
    while rest:
        for name, model in rest.items():
            required = {each.name for each in canonical(model).required_properties or ()}
            others = [other for key, other in rest.items() if key != name]
            if all(required - {each.name for each in properties_of(canonical(other))} for other in others):
                ordered.append(rest.pop(name) and name)
                break
        else:
            names = " and ".join(map(repr, rest))
            text = f"The variants {names} of a union can't be told apart. Add a discriminator or a constant property."
            raise RefusedError(place_of(next(iter(rest.values()))), text)
    return ordered


def tags_of(model: parsed.ModelProperty) -> dict[str, list[str]]:
    """Return, by name, the strings that properties of the model always have, starting with those that a discriminator
    names."""
    tags = {
        quoted(name): [quoted(each) for each in values]
        for name, values in extra_of(model.data).get("x-tags", {}).items()
    }
    for prop in properties_of(canonical(model)):
        if isinstance(prop, parsed.ConstProperty) and isinstance(prop.value.raw_value, str | bool):
            tags.setdefault(quoted(prop.name), [quoted(str(prop.value.raw_value))])
        elif isinstance(prop, parsed.LiteralEnumProperty) and prop.value_type is str:
            tags.setdefault(quoted(prop.name), [quoted(each) for each in sorted(map(str, prop.values))])
    return tags


def taking_files(of: Type) -> Type:
    """Return the type of a value of a form, where binary data is a file."""
    return replace(of, annotation=of.annotation.replace("bytes", "File")) if holds_binary(of) else of


def holds_binary(of: Type | None) -> bool:
    if of is None or of.variants is None:
        return of is not None and (of.kind == "bytes" or holds_binary(of.item) or holds_binary(of.only))
    return "bytes" in of.variants.plain or holds_binary(of.variants.array)
