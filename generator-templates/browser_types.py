"""TypeScript declarations of the relay's data: the events of its stream, and the models in its responses."""

from __future__ import annotations

import json
import textwrap
from itertools import compress
from typing import Any

ROOTS = ("StreamEvent", "MessageListResponse", "MessageResponse", "WorkflowInstanceResponse")
# The relay doesn't pass it on, because a page doesn't need the names of tenants.
WITHHELD = {"namespace"}
HEADER = "// Generated from openapi.yaml by `make generate`. Do not edit.\n"
WIDTH = 120

Schema = dict[str, Any]


def browser_types(document: Schema) -> str:
    """Return the declarations. A document may lack some of the roots."""
    made = _Declarations(document["components"]["schemas"])
    declared = {name: made.declaration(name) for name in made.names}  # grows during the loop
    return "\n".join([HEADER, *(declared[name] for name in made.schemas if name in declared)])


class _Declarations:
    def __init__(self, schemas: dict[str, Schema]) -> None:
        self.schemas = schemas
        self.names = [name for name in ROOTS if name in schemas]
        """What is declared: the roots, and what their declarations name."""

    def declaration(self, name: str) -> str:
        schema = self.schemas[name]
        lines = _comment(schema.get("description", ""), "")
        if "properties" not in schema:
            variants = [self._type(each) for each in self._events(schema)] or [self._type(schema)]
            one_line = f"export type {name} = {' | '.join(variants)};"
            if len(one_line) <= WIDTH:
                lines.append(one_line)
            else:
                lines += [f"export type {name} =", *(f"  | {variant}" for variant in variants)]
                lines[-1] += ";"
            return "\n".join([*lines, ""])
        lines.append(f"export interface {name} {{")
        for key, value in schema["properties"].items():
            if key in WITHHELD:
                continue
            lines += _comment(value.get("description", ""), "  ")
            mark = "" if key in schema.get("required", []) else "?"
            lines.append(f"  {key if key.isidentifier() else json.dumps(key)}{mark}: {self._type(value)};")
        return "\n".join([*lines, "}", ""])

    def _type(self, schema: Schema) -> str:
        if name := _referenced(schema):
            target = self.schemas[name]
            if not target.keys() & {"properties", "enum", "anyOf"}:
                return self._type(target)  # free objects and values have no declarations
            if name not in self.names:
                self.names.append(name)
            return name
        if "const" in schema:
            return json.dumps(schema["const"])
        if "enum" in schema:
            # Open, because a server may know more of them; the literals remain for the editor's completion.
            return " | ".join([*map(json.dumps, schema["enum"]), "(string & {})"])
        if "anyOf" in schema:
            return " | ".join(self._type(each) for each in schema["anyOf"])
        kinds = schema.get("type", "unknown")
        return " | ".join(self._of_kind(kind, schema) for kind in ([kinds] if isinstance(kinds, str) else kinds))

    def _of_kind(self, kind: str, schema: Schema) -> str:
        if kind == "object":
            return "Record<string, unknown>"
        if kind != "array":
            return "number" if kind == "integer" else kind
        item = self._type(schema["items"])
        return f"({item})[]" if " " in item else f"{item}[]"

    def _events(self, schema: Schema) -> list[Schema]:
        """Return the variants of a union. Events are told apart by a constant, so the variant for unknown ones is left
        out."""
        variants: list[Schema] = schema.get("anyOf", [])
        models = [self.schemas.get(_referenced(each), {}).get("properties", {}) for each in variants]
        told_apart = [any("const" in field for field in model.values()) for model in models]
        return [*compress(variants, told_apart)] or variants


def _referenced(schema: Schema) -> str:
    return schema.get("$ref", "").rpartition("/")[2]


def _comment(text: str, indent: str) -> list[str]:
    text = " ".join(text.replace("*/", "*\\/").split())
    one_line = f"{indent}/** {text} */"
    if not text or len(one_line) <= WIDTH:
        return [one_line] if text else []
    wrapped = textwrap.wrap(text, WIDTH - len(indent) - 3, break_long_words=False, break_on_hyphens=False)
    return [f"{indent}/**", *(f"{indent} * {line}" for line in wrapped), f"{indent} */"]
