"""TypeScript declarations of the relay's data: the events of its stream, and the models in its responses."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from typing import Any

ROOTS = ("StreamEvent", "MessageListResponse", "MessageResponse", "WorkflowInstanceResponse")
# The relay doesn't pass it on, because a page doesn't need the names of tenants.
WITHHELD = {"namespace"}
HEADER = "// Generated from openapi.yaml by `make generate`. Do not edit.\n"
WIDTH = 120

Schema = dict[str, Any]


def browser_types(document: Schema) -> str:
    """Return the declarations. A document may lack some of the roots."""
    schemas: dict[str, Schema] = document["components"]["schemas"]
    names = [name for name in ROOTS if name in schemas]
    for name in names:  # grows during the loop
        names += [found for found in dict.fromkeys(_references(schemas[name], schemas)) if found not in names]
    return "\n".join([HEADER, *(_declaration(name, schemas) for name in schemas if name in names)])


def _references(schema: Schema, schemas: dict[str, Schema]) -> Iterator[str]:
    """Return the names of the schemas that this one's TypeScript names."""
    if name := _referenced(schema):
        if _is_named(schemas[name]):
            yield name
        return
    items = [schema["items"]] if "items" in schema else []
    for part in (*_properties(schema).values(), *_events(schema, schemas), *items):
        yield from _references(part, schemas)


def _referenced(schema: Schema) -> str:
    return schema.get("$ref", "").rpartition("/")[2]


def _is_named(schema: Schema) -> bool:
    """Whether it has its own declaration, unlike free objects and values."""
    return bool(schema.keys() & {"properties", "enum", "anyOf"})


def _properties(schema: Schema) -> dict[str, Schema]:
    return {name: value for name, value in schema.get("properties", {}).items() if name not in WITHHELD}


def _events(schema: Schema, schemas: dict[str, Schema]) -> list[Schema]:
    """Return the variants of a union. Events are told apart by a constant, so the variant for unknown ones is left
    out."""
    variants: list[Schema] = schema.get("anyOf", [])
    told_apart = [each for each in variants if _has_constant(schemas.get(_referenced(each), {}))]
    return told_apart or variants


def _has_constant(schema: Schema) -> bool:
    return any("const" in value for value in schema.get("properties", {}).values())


def _declaration(name: str, schemas: dict[str, Schema]) -> str:
    schema = schemas[name]
    lines = _comment(schema.get("description", ""), "")
    if "properties" not in schema:
        variants = [_type(each, schemas) for each in _events(schema, schemas)] or [_type(schema, schemas)]
        one_line = f"export type {name} = {' | '.join(variants)};"
        if len(one_line) <= WIDTH:
            lines.append(one_line)
        else:
            lines += [f"export type {name} =", *(f"  | {variant}" for variant in variants)]
            lines[-1] += ";"
        return "\n".join([*lines, ""])
    lines.append(f"export interface {name} {{")
    for key, value in _properties(schema).items():
        lines += _comment(value.get("description", ""), "  ")
        mark = "" if key in schema.get("required", []) else "?"
        lines.append(f"  {key if key.isidentifier() else json.dumps(key)}{mark}: {_type(value, schemas)};")
    return "\n".join([*lines, "}", ""])


def _type(schema: Schema, schemas: dict[str, Schema]) -> str:
    if name := _referenced(schema):
        return name if _is_named(schemas[name]) else _type(schemas[name], schemas)
    if "const" in schema:
        return json.dumps(schema["const"])
    if "enum" in schema:
        # Open, because a server may know more of them; the literals remain for the editor's completion.
        return " | ".join([*map(json.dumps, schema["enum"]), "(string & {})"])
    if "anyOf" in schema:
        return " | ".join(_type(each, schemas) for each in schema["anyOf"])
    kinds = schema.get("type", "unknown")
    return " | ".join(_of_kind(kind, schema, schemas) for kind in ([kinds] if isinstance(kinds, str) else kinds))


def _of_kind(kind: str, schema: Schema, schemas: dict[str, Schema]) -> str:
    if kind == "object":
        return "Record<string, unknown>"
    if kind != "array":
        return "number" if kind == "integer" else kind
    item = _type(schema["items"], schemas)
    return f"({item})[]" if " " in item else f"{item}[]"


def _comment(text: str, indent: str) -> list[str]:
    text = " ".join(text.replace("*/", "*\\/").split())
    one_line = f"{indent}/** {text} */"
    if not text or len(one_line) <= WIDTH:
        return [one_line] if text else []
    wrapped = textwrap.wrap(text, WIDTH - len(indent) - 3, break_long_words=False, break_on_hyphens=False)
    return [f"{indent}/**", *(f"{indent} * {line}" for line in wrapped), f"{indent} */"]
