"""Rules for openapi.yaml on which the generator and the sandbox rely.

`make check` also runs openapi-spec-validator, for references that lead nowhere, operation ids that occur twice, and
parameters that are declared twice or don't match the path.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from tests.support.contract import EVENTS, platform_operations

Json = dict[str, Any]

OPENAPI = (Path(__file__).parents[2] / "openapi.yaml").read_text(encoding="utf-8")
SPEC: Json = yaml.load(OPENAPI, yaml.CSafeLoader)  # in a tenth of the time that `safe_load` takes
SCHEMAS: Json = SPEC["components"]["schemas"]
METHODS = ("get", "post", "put", "patch", "delete")

STATEFUL = {
    "get_credential_token",
    "refresh_credential",
    "submit_tool_result",
    "submit_workflow_input",
    "trigger_workflow_event",
    "cancel_workflow_instance",
    "send_workflow_thread_message",
}
EVERY_RESPONSE = {
    "X-Request-Id",
    *(f"X-RateLimit-{name}" for name in ("Limit", "Remaining", "Reset", "Scope")),
    *("Deprecation", "Sunset", "Link"),
}
LISTED = "openapi.yaml and EVENTS in tests/support/contract.py differ (for a stream, STREAM_EVENTS here): edit one"
STREAM_EVENTS = {
    *("message.delta", "message.complete", "tool_call.start", "tool_call.complete"),
    *("workflow.state_changed", "workflow.halted", "error"),
}


def resolve(item: Json) -> Json:
    while "$ref" in item:
        target: Any = SPEC
        for part in item["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        item = target
    return item


def walk(node: Any, path: str = "#") -> Iterator[tuple[str, Any]]:
    """All nodes outside of examples, with their JSON pointers."""
    yield path, node
    if isinstance(node, dict):
        for key, value in node.items():
            # A property may be called `example`; only the keyword holds free data.
            if key not in {"example", "examples"} or path.endswith("/properties"):
                yield from walk(value, f"{path}/{key}")
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from walk(value, f"{path}/{index}")


def operations(section: str) -> Iterator[tuple[str, Json, str, Json]]:
    for path, item in SPEC[section].items():
        for method in METHODS:
            if method in item:
                yield path, item, method, item[method]


CALLS = {operation["operationId"]: (path, item, operation) for path, item, _, operation in operations("paths")}
ACCOUNT = {name for name, (_, _, operation) in CALLS.items() if operation["tags"] == ["oauth"]}
SCOPES = set(SPEC["components"]["securitySchemes"]["bearerAuth"]["x-scopes"])


def parameters(name: str) -> dict[tuple[str, str], Json]:
    _, item, operation = CALLS[name]
    listed = [resolve(each) for each in (*item.get("parameters", ()), *operation.get("parameters", ()))]
    return {(each["in"], each["name"]): each for each in listed}


IDEMPOTENT = {name for name in CALLS if ("header", "Idempotency-Key") in parameters(name)}


def validator(schema: Json) -> Draft202012Validator:
    root = {**schema, "components": SPEC["components"]}
    return Draft202012Validator(root, format_checker=Draft202012Validator.FORMAT_CHECKER)


def component(name: str) -> Draft202012Validator:
    return validator({"$ref": f"#/components/schemas/{name}"})


# ---- Operations ------------------------------------------------------------------------------------------------------


def test_specification_is_version_two() -> None:
    assert SPEC["openapi"] == "3.1.0"
    assert SPEC["info"]["version"] == "2.0.0"
    assert [server["url"] for server in SPEC["servers"]] == [
        "https://core.interactor.com/api/v1",
        "https://sandbox-core.interactor.com/api/v1",
    ]


def test_specification_has_exactly_the_operations_of_the_platform() -> None:
    found = set()
    for path, _, method, operation in operations("paths"):
        successes = ",".join(status for status in operation["responses"] if status.startswith("2"))
        found.add((operation["tags"][0], operation["operationId"], method.upper(), path, successes))
    expected = {(each.tag, each.id, each.http_method, each.path, each.successes) for each in platform_operations()}
    assert found == expected, "openapi.yaml and tests/support/platform.txt differ: edit one"


def test_operation_is_described_and_has_a_rate_limit_tier(subtests: pytest.Subtests) -> None:
    for name in CALLS:
        with subtests.test(name=name):
            operation = CALLS[name][2]
            assert re.fullmatch(r"[A-Z][^\n]{8,88}\.", operation["summary"]), "the summary is a line of a docstring"
            assert operation.get("description", "Said.").endswith(".")
            assert operation["x-rate-limit-tier"] in SPEC["x-rate-limit-tiers"]
            assert (operation["x-rate-limit-tier"] == "streaming") == name.startswith("stream_")


def test_operation_has_the_server_and_the_scopes_of_its_part(subtests: pytest.Subtests) -> None:
    for name in CALLS:
        with subtests.test(name=name):
            _, item, operation = CALLS[name]
            if name in ACCOUNT:
                assert [server["url"] for server in item["servers"]] == [
                    "https://auth.interactor.com/api/v1",
                    "https://sandbox-auth.interactor.com/api/v1",
                ]
                assert operation["security"] == []
                assert all(
                    each["x-server"] == "account" for status, each in operation["responses"].items() if status[0] == "2"
                )
            else:
                assert "servers" not in item
                assert "security" not in operation
                assert set() < set(operation["x-scopes"]) <= SCOPES - {"admin"}


def test_operation_takes_the_parameters_of_its_kind(subtests: pytest.Subtests) -> None:
    for name in CALLS:
        with subtests.test(name=name):
            taken = parameters(name)
            assert all(each["schema"]["minLength"] == 1 for (place, _), each in taken.items() if place == "path")
            assert (("header", "X-Namespace") in taken) == (name not in ACCOUNT) == bool(taken)
            assert not taken.get(("header", "X-Namespace"), {}).get("required")
            of_streams = {("query", "token"), ("header", "Last-Event-ID")}
            assert taken.keys() & of_streams == (of_streams if name.startswith("stream_") else set())
            assert (("query", "namespace") in taken) == name.startswith(("list_", "stream_"))
            of_lists = {("query", "page"), ("query", "per_page")}
            assert taken.keys() & of_lists == (of_lists if name.startswith("list_") else set()), (
                "in openapi.yaml a list takes the parameters Page, PerPage, NamespaceFilter"
            )
            if name.startswith("list_"):
                page, per_page = (taken["query", each]["schema"] for each in ("page", "per_page"))
                assert (page["type"], page["minimum"]) == ("integer", 1)
                assert (per_page["type"], per_page["minimum"], per_page["maximum"]) == ("integer", 1, 100)
                assert str(50 if name == "list_messages" else 20) in per_page["description"]


def test_operation_documents_the_responses_and_errors_that_can_occur(subtests: pytest.Subtests) -> None:
    for name in CALLS:
        with subtests.test(name=name):
            path, _, operation = CALLS[name]
            errors = {"410", "429", "503", "default"}
            if name not in ACCOUNT:
                errors |= {"401", "403", "422"}
                errors |= {"404"} if "{" in path else set()
                errors |= {"409"} if name in IDEMPOTENT | STATEFUL else set()
            elif "requestBody" in operation:
                errors |= {"401", "422"} | ({"403"} if name == "create_token" else set())
            assert {status for status in operation["responses"] if not status.startswith("2")} == errors
            for status, response in operation["responses"].items():
                response = resolve(response)
                assert set(response["headers"]) == EVERY_RESPONSE | (
                    {"Retry-After"} if status in {"429", "503"} else set()
                )
                if status in errors:
                    schema = response["content"]["application/json"]["schema"]
                    assert schema == {"$ref": "#/components/schemas/ErrorResponse"}
                else:
                    is_empty = status == "204" or (name, status) == ("revoke_token", "200")
                    assert ("content" in response) != is_empty, status
                    is_stream = name.startswith("stream_") and status == "200"
                    assert response.get("x-event-stream", False) is is_stream
                    if is_stream:
                        schema = response["content"]["text/event-stream"]["schema"]
                        assert schema == {"$ref": "#/components/schemas/StreamEvent"}


def test_advice_is_for_codes_that_exist() -> None:
    assert SCHEMAS["ErrorCode"]["x-advice"].keys() <= set(SCHEMAS["ErrorCode"]["enum"])


def test_what_is_declared_is_used() -> None:
    tags = {tag["name"]: tag["description"] for tag in SPEC["tags"]}
    assert all(tags.values())
    assert {tuple(operation["tags"]) for *_, operation in CALLS.values()} == {(tag,) for tag in tags}
    assert {scope for *_, operation in CALLS.values() for scope in operation.get("x-scopes", ())} | {"admin"} == SCOPES
    used = {node["$ref"] for _, node in walk(SPEC) if isinstance(node, dict) and isinstance(node.get("$ref"), str)}
    kinds = ("schemas", "parameters", "headers", "responses")
    declared = {f"#/components/{kind}/{name}" for kind in kinds for name in SPEC["components"][kind]}
    # The union of all deliveries: each webhook below names its own variant.
    assert declared - used == {"#/components/schemas/WebhookEvent"}


# ---- Schemas ---------------------------------------------------------------------------------------------------------


def test_only_simple_values_and_lists_are_inline_schemas() -> None:
    """The generator would have to invent a class name for any other."""
    place = re.compile(r"((?!/allOf/).)*/(schema|items|properties/[^/]+|anyOf/\d+)")
    reference = "none yet"
    for path, node in walk(SPEC):
        if not isinstance(node, dict) or path.startswith(f"{reference}/"):
            continue
        if "$ref" in node:
            reference = path  # what stands beside it and below closes what it refers to
        elif place.fullmatch(path):
            assert not {"properties", "enum", "oneOf", "additionalProperties"} & set(node), path
            assert "object" not in node.get("type", ()), path
            assert len([each for each in node.get("anyOf", ()) if each != {"type": "null"}]) <= 1, path


def test_schema_is_described_and_has_valid_examples(subtests: pytest.Subtests) -> None:
    for name in SCHEMAS:
        with subtests.test(name=name):
            schema = SCHEMAS[name]
            fields = schema.get("properties", {})
            assert re.search(r"\S{2,}.*\.$", schema["description"])
            assert all("$ref" in each or each["description"].endswith(".") for each in fields.values())
            assert set(schema.get("required", ())) <= set(fields)
            assert schema["examples"]
            for example in schema["examples"]:
                component(name).validate(example)
                if fields:
                    # One shows how undocumented fields are kept.
                    assert set(example) - set(fields) <= ({"emoji"} if name == "UnknownEvent" else set())


def test_every_parameter_header_and_response_has_a_description() -> None:
    for kind in ("parameters", "headers", "responses"):
        for name, item in SPEC["components"][kind].items():
            assert item["description"].endswith("."), name
    for name, parameter in SPEC["components"]["parameters"].items():
        if parameter["in"] != "header" and "$ref" not in parameter["schema"]:
            # The generator reads the description of an argument from its schema.
            assert parameter["schema"]["description"] == parameter["description"], name


def test_no_schema_has_a_default() -> None:
    """The generated client would send defaults, and a PATCH with defaults overwrites fields."""
    assert not [path for path, node in walk(SPEC) if path.endswith("/default") and "/responses/" not in path]


def request_schemas() -> set[str]:
    bodies = [operation["requestBody"] for _, _, operation in CALLS.values() if "requestBody" in operation]
    return {body["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2] for body in bodies}


def test_request_schemas_are_closed_and_response_schemas_open() -> None:
    closed = {name for name, schema in SCHEMAS.items() if schema.get("additionalProperties") is False}
    assert closed == {name for name in SCHEMAS if name.endswith("Request")} == request_schemas() - {"JsonObject"}


def test_patch_requests_have_only_optional_fields() -> None:
    for name in SCHEMAS:
        if name.startswith("Update") and name != "UpdateRoomRequest":
            assert not SCHEMAS[name].get("required"), name
            created = SCHEMAS[name.replace("Update", "Create")]["properties"]
            assert set(SCHEMAS[name]["properties"]) < set(created) | {"active"}, name
    assert "model" not in SCHEMAS["UpdateAssistantRequest"]["properties"]


# ---- Events ----------------------------------------------------------------------------------------------------------


def family(name: str) -> dict[str, Json]:
    return {key: schema for key, schema in SCHEMAS.items() if schema.get("x-event-family") == name}


@pytest.mark.parametrize(
    ("union", "key", "fallback", "types"),
    [
        ("WebhookEvent", "event", "UnknownWebhookEvent", set(EVENTS)),
        ("StreamEvent", "type", "UnknownEvent", STREAM_EVENTS),
    ],
)
def test_event_family_is_discriminated_by_a_constant(union: str, key: str, fallback: str, types: set[str]) -> None:
    members = family(union)
    constants = [schema["properties"][key]["const"] for name, schema in members.items() if name != fallback]
    assert "const" not in members[fallback]["properties"][key]
    assert len(constants) == len(members) - 1
    assert set(constants) == types, f"each event has a schema with `x-event-family: {union}`; {LISTED}"
    assert all(key in schema["required"] for name, schema in members.items() if name != fallback)
    variants = [each["$ref"].rpartition("/")[2] for each in SCHEMAS[union]["anyOf"]]
    assert variants == list(members), f"`anyOf` of {union} in openapi.yaml names the schemas in their order"


def test_webhooks_are_the_events_that_can_be_subscribed_to() -> None:
    events = list(SPEC["webhooks"])
    assert events == EVENTS, LISTED
    assert events == SCHEMAS["WebhookEventType"]["enum"], "`webhooks` and WebhookEventType in openapi.yaml differ"
    for event, _, _, operation in operations("webhooks"):
        name = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
        assert SCHEMAS[name]["properties"]["event"]["const"] == event
        assert name == "".join(part.title() for part in re.split(r"[._]", event)) + "Event"
        assert SCHEMAS[name]["properties"]["data"]["$ref"].endswith("/" + name.replace("Event", "Data"))
        assert operation["security"] == []
        assert operation["operationId"] == f"on_{event.replace('.', '_')}"


# ---- Examples --------------------------------------------------------------------------------------------------------


def test_examples_of_parameters_headers_and_bodies_are_valid() -> None:
    found = 0
    for path, node in walk(SPEC):
        if isinstance(node, dict) and "example" in node and "schema" in node and "text/event-stream" not in path:
            validator(node["schema"]).validate(node["example"])
            found += 1
    assert found > len(SPEC["components"]["responses"])


def test_examples_of_streams_are_valid() -> None:
    for name in ("stream_room", "stream_workflow_instance"):
        text = CALLS[name][2]["responses"]["200"]["content"]["text/event-stream"]["example"]
        events = [yaml.safe_load(line) for line in re.findall(r"^data: (.*)$", text, re.MULTILINE)]
        types = {schema["properties"]["type"].get("const"): key for key, schema in family("StreamEvent").items()}
        assert events
        for event in events:
            component(types[event["type"]]).validate(event)
