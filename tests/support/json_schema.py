"""The components of the contract, and JSON Schemas of pydantic and FastAPI in the contract's notation."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

COMPONENTS: dict[str, dict[str, Any]] = json.loads(files("interactor_client").joinpath("openapi.json").read_bytes())[
    "components"
]["schemas"]
MODELS = [name for name, schema in COMPONENTS.items() if "properties" in schema]
EXAMPLES = [(name, example) for name in MODELS for example in COMPONENTS[name]["examples"]]


def in_the_contracts_notation(schema: Any) -> Any:
    """`type: [..., "null"]` for an anyOf with null, and references to the contract's components."""
    if isinstance(schema, list):
        return [in_the_contracts_notation(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    schema = {key: in_the_contracts_notation(value) for key, value in schema.items()}
    match schema:
        case {"anyOf": [{"type": str(kind), **first}, {"type": "null", **second}], **rest} if not second:
            return {**rest, **first, "type": [kind, "null"]}
        case {"$ref": str(target)}:
            return {**schema, "$ref": f"#/components/schemas/{target.rpartition('/')[2]}"}
    return schema
