"""JSON Schema keywords that the contract may come to use, on documents of their own."""

from __future__ import annotations

from typing import Any

import pytest

from interactor_ext.sandbox.http.contract import Contract
from interactor_ext.sandbox.http.problems import Problem
from interactor_ext.sandbox.http.schemas import Schemas
from interactor_ext.sandbox.http.validation import MAX_DIGITS, Parameter, problems_of

DOCUMENT: dict[str, Any] = {
    "x-rate-limit-tiers": {"standard": {"requests_per_minute": 600, "burst": 100, "per": "client"}},
    "paths": {
        "/things": {
            "get": {
                "operationId": "list_things",
                "tags": ["things"],
                "parameters": [{"name": "deep", "in": "query", "required": True, "schema": {"type": "boolean"}}],
                "responses": {"default": {}, "200": {}},
            }
        }
    },
    "components": {
        "schemas": {
            "Tree": {
                "type": "object",
                "required": ["name"],
                "properties": {
                    "name": {"$ref": "#/components/schemas/Name", "maxLength": 5},
                    "children": {"type": "array", "items": {"$ref": "#/components/schemas/Tree"}},
                },
            },
            "Name": {"type": "string", "minLength": 2},
            "a/b~c": {"type": ["null", "number"]},
        }
    },
}


def found(schema: Any, value: Any) -> dict[str, str]:
    return dict(problems_of(Schemas(DOCUMENT).compile(schema), value))


def test_recursive_schema_validates() -> None:
    tree = {"name": "root", "children": [{"name": "leaf"}, {"name": "bad", "children": [{}]}]}
    assert found({"$ref": "#/components/schemas/Tree"}, tree) == {"children[1].children[0].name": "is required"}


def test_keywords_beside_ref_are_applied() -> None:
    named = {"$ref": "#/components/schemas/Tree"}
    assert found(named, {"name": "x"}) == {"name": "must have at least 2 characters"}
    assert found(named, {"name": "x" * 6}) == {"name": "must have at most 5 characters"}
    assert found({"$ref": "#/components/schemas/Name", "description": "A name."}, "ab") == {}


def test_ref_with_escapes_and_type_list_validates() -> None:
    assert found({"$ref": "#/components/schemas/a~1b~0c"}, "x") == {"": "must be null or a number"}


@pytest.mark.parametrize(
    ("schema", "value", "message"),
    [
        ({"oneOf": [{"type": "string"}, {"type": "integer"}]}, [], "fits none of the forms that are allowed here"),
        ({"multipleOf": 2}, 3, "breaks the rule multipleOf: 2"),
        ({"minItems": 2}, [1], "must have at least 2 items"),
        ({"const": 7}, 8, "must be 7"),
        ({"format": "uri"}, "nothing", "must be a valid uri"),
        ({"format": "uri"}, "a:", "must be a valid uri"),
        ({"format": "uri"}, "https://host:port", "must be a valid uri"),
    ],
)
def test_remaining_keywords_have_readable_messages(schema: Any, value: Any, message: str) -> None:
    assert found(schema, value) == {"": message}


def test_format_applies_to_strings_only() -> None:
    assert found({"format": "uri"}, 7) == {}
    assert found({"format": "uri"}, "mailto:a@b.test") == {}


def test_long_field_name_is_truncated_in_error() -> None:
    (field,) = found({"properties": {}, "additionalProperties": False}, {"x" * 5000: 1})
    assert len(field) == 100


def test_parameters_are_converted_by_schema() -> None:
    schemas = Schemas(DOCUMENT)
    flag = Parameter.compiled({"name": "deep", "in": "query", "schema": {"type": "boolean"}}, schemas)
    count = Parameter.compiled({"name": "n", "in": "query", "schema": {"type": "integer", "minimum": 0}}, schemas)
    assert (flag.read("true"), flag.read("false"), count.read("007")) == (True, False, 7)
    assert count.read("9" * MAX_DIGITS) > 0
    for parameter, text in ((flag, "yes"), (count, ""), (count, "-1"), (count, "\u0663"), (count, "9" * 5000)):
        with pytest.raises(Problem, match=parameter.name):
            parameter.read(text)


def test_missing_required_parameter_is_reported() -> None:
    operation, _ = Contract(DOCUMENT).match("GET", b"/api/v1/things")
    assert operation.status == 200
    assert operation.read_parameters("query", {"deep": "true"}) == {"deep": True}
    with pytest.raises(Problem, match="deep: is required"):
        operation.read_parameters("query", {})
