"""The TypeScript declarations for the browser, from schemas of every kind."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

TEMPLATES = Path(__file__).parents[2] / "generator-templates"


@pytest.fixture(scope="module")
def browser_types() -> Callable[[dict[str, Any]], str]:
    sys.path.insert(0, str(TEMPLATES))
    try:
        function: Callable[[dict[str, Any]], str] = importlib.import_module("browser_types").browser_types
    finally:
        sys.path.remove(str(TEMPLATES))
    return function


def reference(name: str, **beside: Any) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}", **beside}


SCHEMAS = {
    "Free": {"type": "object", "description": "Not named in TypeScript."},
    "Unasked": {"type": "object", "properties": {"a": {"type": "string"}}},
    "Level": {"description": "How */ high.", "type": "string", "enum": ["low", 'a "b"']},
    "Reason": {"anyOf": [reference("Part"), {"type": "string"}]},
    "Part": {"type": "object", "properties": {"parts": {"type": "array", "items": reference("Part")}}},
    "MessageResponse": {
        "type": "object",
        "description": "Long " * 40,
        "required": ["level", "namespace"],
        "properties": {
            "level": reference("Level", description="Beside the reference."),
            "namespace": {"type": "string"},
            "with-dash": {"type": ["integer", "null"]},
            "free": {"anyOf": [reference("Free"), {"type": "null"}]},
            "anything": {},
            "reason": reference("Reason"),
            "lists": {"type": "array", "items": {"type": "array", "items": {"type": ["number", "string"]}}},
            "when": {"type": "string", "format": "date-time"},
            "yes": {"type": "boolean"},
        },
    },
    "One": {"type": "object", "required": ["type"], "properties": {"type": {"type": "string", "const": "one"}}},
    "Two": {"type": "object", "properties": {"type": {"type": "string", "const": "two"}}},
    "Unknown": {"type": "object", "properties": {"type": {"type": "string"}}},
    "StreamEvent": {"anyOf": [reference("One"), reference("Two"), reference("Unknown")]},
}


def test_declarations_of_every_kind_of_schema(browser_types: Callable[[dict[str, Any]], str]) -> None:
    assert (
        browser_types({"components": {"schemas": SCHEMAS}})
        == f"""\
// Generated from openapi.yaml by `make generate`. Do not edit.

/** How *\\/ high. */
export type Level = "low" | "a \\"b\\"" | (string & {{}});

export type Reason = Part | string;

export interface Part {{
  parts?: Part[];
}}

/**
 * {("Long " * 23).strip()}
 * {("Long " * 17).strip()}
 */
export interface MessageResponse {{
  /** Beside the reference. */
  level: Level;
  "with-dash"?: number | null;
  free?: Record<string, unknown> | null;
  anything?: unknown;
  reason?: Reason;
  lists?: ((number | string)[])[];
  when?: string;
  yes?: boolean;
}}

export interface One {{
  type: "one";
}}

export interface Two {{
  type?: "two";
}}

export type StreamEvent = One | Two;
"""
    )


def test_document_without_events_gives_no_declarations(browser_types: Callable[[dict[str, Any]], str]) -> None:
    declarations = browser_types({"components": {"schemas": {"Free": {"type": "object"}}}})
    assert declarations == "// Generated from openapi.yaml by `make generate`. Do not edit.\n"
