"""`interactor api OPERATION --describe`: shows an operation's parameters, body and example, read from the contract."""

from __future__ import annotations

import json
from typing import Any

from interactor_ext.cli.operations import Described, Json, inlined, resolve
from interactor_ext.cli.output import on_one_line, write, write_json, write_labeled

_INDENT = 20

_NULL = {"type": "null"}


def show(described: Described, *, as_json: bool) -> None:
    """Print an operation as text, or as one JSON object with the schemas of its parameters and body."""
    if as_json:
        write_json(as_json_of(described), compact=True, show_secrets=True)  # including secrets in examples
        return
    operation = described.operation
    write_labeled(operation.id, "bold cyan", f"  {operation.method} {operation.path}")
    write(described.summary)
    if described.description:
        write(on_one_line(described.description))
    for parameter in described.parameters:
        if parameter is described.parameters[0]:
            write("\nParameters, as name=value", "bold")
        _field(parameter["name"], parameter.get("schema", {}), parameter.get("description"), parameter.get("required"))
    if described.body is not None:
        write("\nBody, as -d JSON", "bold")
        for name, schema in described.body.get("properties", {}).items():
            _field(name, schema, None, name in described.body.get("required", ()))
        if described.body.get("additionalProperties") is not False:
            _field("...", {}, "Any other fields.", None)
    if described.scopes:
        write_labeled("\nScope ", "bold", " ".join(described.scopes))
    write_labeled("\nExample ", "bold", described.example())


def _field(name: str, schema: Json, description: str | None, required: bool | None) -> None:
    schema = resolve(schema)
    write_labeled(f"  {name:<{_INDENT}}", "cyan", f"{'required, ' if required else ''}{_type(schema)}")
    if text := description or schema.get("description"):
        write(f"{'':<{_INDENT + 2}}{on_one_line(text)}", "dim")


def _type(schema: Json) -> str:
    """Return the type of a schema as text: `string`, `one of a, b`, `array of string`. Omits null."""
    schema = resolve(schema)
    known = schema.get("x-extensible-enum") or schema.get("enum")
    if known or "const" in schema:
        return f"one of {', '.join(map(str, known))}" if known else json.dumps(schema["const"])
    for choice in ("anyOf", "oneOf"):
        if choice in schema:
            return " or ".join(dict.fromkeys(map(_type, filter(_NULL.__ne__, schema[choice]))))
    kind = schema.get("type", "any JSON")
    name = " or ".join(each for each in kind if each != "null") if isinstance(kind, list) else str(kind)
    return f"{name} of {_type(schema['items'])}" if "items" in schema else name


def as_json_of(described: Described) -> dict[str, Any]:
    operation = described.operation
    return {
        "operation": operation.id,
        "method": operation.method,
        "path": operation.path,
        "summary": described.summary,
        "namespaced": described.namespaced,
        "scopes": list(described.scopes),
        "parameters": inlined(list(described.parameters)),
        "body": inlined(described.body),
    }
