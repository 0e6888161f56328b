"""Invalid requests: each gets an error of the contract, and none makes the sandbox fail."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from interactor_ext.sandbox import Sandbox
from tests.support import patient
from tests.support.sandbox_caller import Caller, problem

ROWS = json.loads(Path(__file__).with_suffix(".json").read_text())

pytest_plugins = ["tests.support.sandbox_fixtures"]

BOT = {"name": "Bot", "model": "gpt-4", "system_prompt": ""}
HOOK = {"url": "https://app.test/hook", "events": ["credential.connected"]}
FLOW = {"provider": "google", "redirect_uri": "https://app.test"}
MAPPING_FLAW = "semantic_mappings[0].descripton"
MACHINE = {"name": "W", "initial_state": "a", "states": [{"name": "a", "type": "terminal"}]}


@pytest.mark.parametrize(
    ("path", "base", "body", "expected"),
    [
        *ROWS["invalid bodies"],
        ("/webhooks", "HOOK", {"events": HOOK["events"] * 2}, {"events": "the same item twice"}),
        ("/workflows", "MACHINE", {"states": MACHINE["states"] * 2}, {"states[1].name": "another state"}),
    ],
)
def test_invalid_body_returns_422_with_each_field(
    caller: Caller, path: str, base: str, body: Any, expected: dict[str, str]
) -> None:
    """`base` names what the body changes."""
    body = {**globals()[base], **body} if base else body
    found = problem(caller.post(path, json=body), 422, "VALIDATION_ERROR")
    assert set(found) == set(expected)
    assert all(expected[field] in message for field, message in found.items())


def test_unknown_field_returns_422_at_any_depth(caller: Caller) -> None:
    """If accepted, each field would be ignored silently: a transition without its condition would be taken at once."""
    state = {
        "name": "a",
        "type": "halting",
        "actions": [{"type": "http", "config": {"anything": 1}, "confg": {}}],
        "transitions": [{"to": "a", "conditon": "approved == true"}],
        "presentation": {"type": "form", "titel": "T", "fields": [{"name": "n", "type": "text", "lable": "L"}]},
        "transitons": [],
    }
    mapping = {"field": "f", "description": "d", "type": "number", "descripton": "d"}
    source = {"name": "D", "type": "url", "config": {"anything": 1}}
    made = caller.make("/data-sources", **source)
    for response, places in (
        (
            caller.post("/workflows", json={**MACHINE, "states": [state]}),
            {
                "states[0].transitons",
                "states[0].actions[0].confg",
                "states[0].transitions[0].conditon",
                "states[0].presentation.titel",
                "states[0].presentation.fields[0].lable",
            },
        ),
        (caller.post("/data-sources", json={**source, "semantic_mappings": [mapping]}), {MAPPING_FLAW}),
        (caller.patch(f"/data-sources/{made['id']}", json={"semantic_mappings": [mapping]}), {MAPPING_FLAW}),
    ):
        found = problem(response, 422, "VALIDATION_ERROR")
        assert found == dict.fromkeys(places, "isn't a field of this request")


def test_error_never_quotes_request_values(sandbox: Sandbox) -> None:
    body = {"grant_type": "password", "client_id": 7, "client_secret": ["hunter2"], "hunter2": 1}
    response = patient.post(f"{sandbox.account_server_url}/oauth/token", json=body)
    assert set(problem(response, 422, "VALIDATION_ERROR")) == {"grant_type", "client_id", "client_secret", "hunter2"}
    assert "['hunter2']" not in response.text
    assert "password" not in response.text


def test_long_list_of_errors_is_truncated(caller: Caller) -> None:
    found = caller.post("/assistants", json={**BOT, **{f"field_{number}": 1 for number in range(200)}})
    assert len(problem(found, 422, "VALIDATION_ERROR")) == 50


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "needs a JSON body"),
        (b"{", "isn't valid JSON: .* line 1"),
        (b'{"name": NaN}', "isn't valid JSON"),
        (b'{"name": 1e999}', "isn't valid JSON"),
        (b'{"name": ' + b"9" * 5000 + b"}", "isn't valid JSON"),
        (b'"\xff"', "isn't valid JSON"),
        (b"[" * 100_000 + b"]" * 100_000, "nested too deeply"),
        (b'{"name": "\\ud800"}', "surrogates not allowed"),
    ],
)
def test_invalid_json_returns_422(caller: Caller, content: bytes, message: str) -> None:
    response = caller.post("/assistants", content=content, headers={"content-type": "application/json"})
    assert re.search(message, problem(response, 422, "VALIDATION_ERROR")[""])


@pytest.mark.parametrize("content", [b'{"name": NaN}', b'{"name": 1e999}', b'{"name": "\\ud800"}', b"[" * 50_000])
def test_rejected_body_is_recorded_in_requests(
    sandbox: Sandbox, caller: Caller, control: httpx.Client, content: bytes
) -> None:
    caller.post("/assistants", content=content, headers=JSON)
    caller.post("/assistants", content=b'{"a": 1}', headers=JSON)
    assert [record.body for record in sandbox.requests][-2:] == [None, {"a": 1}]
    assert [each["body"] for each in control.get("/requests").json()["requests"]][-2:] == [None, {"a": 1}]
    newest, rejected = control.get("/page/state").json()["requests"][:2]
    for listed, sent in ((newest, '{\n  "a": 1\n}'), (rejected, content.decode())):
        assert control.get(f"/page/requests/{listed['request_id']}").json()["request"]["text"] == sent


@pytest.mark.parametrize("namespace", ["a%0Ab", "%0A", "a%0Db"])
def test_multi_line_namespace_returns_422(another: Callable[..., Caller], namespace: str) -> None:
    answer = another(None).get(f"/tools?namespace={namespace}")
    assert set(problem(answer, 422, "VALIDATION_ERROR")) == {"namespace"}


def test_escaped_and_unicode_json_is_accepted(caller: Caller) -> None:
    room = caller.room()
    metadata = {"emoji": "\U0001f600", "many": [{"a": []}] * 100, "float": 1.5}
    patched = caller.patch(f"/rooms/{room['id']}", content=json.dumps({"metadata": metadata}), headers=JSON)
    assert patched.json()["data"]["metadata"] == metadata


JSON = {"content-type": "application/json"}


@pytest.mark.parametrize(
    ("media_type", "status"),
    [
        *((name, 415) for name in ("text/plain", "application/x-www-form-urlencoded", "application/jsonp", "")),
        *((name, 201) for name in ("application/json; charset=utf-8", "Application/JSON", "application/vnd.x+json")),
    ],
)
def test_only_json_media_types_are_accepted(caller: Caller, media_type: str, status: int) -> None:
    response = caller.post("/assistants", content=json.dumps(BOT), headers={"content-type": media_type})
    assert response.status_code == status


def test_body_of_operation_without_body_is_ignored(sandbox: Sandbox, caller: Caller) -> None:
    credential = sandbox.add_credential("google", namespace="user_1")
    assert caller.post(f"/credentials/{credential['id']}/refresh", content=b"{").status_code == 200


def test_body_over_eight_mebibytes_returns_413(caller: Caller) -> None:
    body = {**BOT, "system_prompt": "x" * 8 * 1024 * 1024}
    problem(caller.post("/assistants", json=body), 413, "API_ERROR")
    assert caller.read("/assistants") == []


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("page=0", "page"),
        ("page=one", "page"),
        ("page=", "page"),
        ("page=1.0", "page"),
        ("per_page=101", "per_page"),
        ("per_page=0", "per_page"),
        ("namespace=", "namespace"),
    ],
)
def test_invalid_query_returns_422(caller: Caller, query: str, field: str) -> None:
    assert set(problem(caller.get(f"/assistants?{query}"), 422, "VALIDATION_ERROR")) == {field}


def test_unknown_query_parameters_are_ignored(caller: Caller) -> None:
    assert caller.get("/assistants?color=red&page=1").status_code == 200


@pytest.mark.parametrize("path", ["/nothing", "/assistants/a/b", "/assistants/", "/rooms//stream", "/rooms/%ff", "/"])
def test_unknown_path_returns_404(caller: Caller, path: str) -> None:
    problem(caller.get(path), 404, "NOT_FOUND")


def test_path_outside_api_returns_404(sandbox: Sandbox, caller: Caller) -> None:
    origin = sandbox.core_api_url.removesuffix("/api/v1")
    for url in (origin, f"{origin}/", f"{origin}/auth", f"{origin}/_sandbox/nothing", f"{origin}/a%0Ab"):
        problem(caller.get(url), 404, "NOT_FOUND")


@pytest.mark.parametrize("method", ["PUT", "OPTIONS", "TRACE", "FROB"])
def test_wrong_method_returns_405_with_allow(caller: Caller, method: str) -> None:
    response = caller.request(method, "/assistants")
    problem(response, 405, "API_ERROR")
    assert response.headers["allow"] == "GET, POST"


def test_ids_may_contain_any_character(caller: Caller) -> None:
    for name in ("a%2Fb", "%00", "..%2f..", "%F0%9F%98%80", "a b", "x" * 3000):
        problem(caller.get(f"/assistants/{name}"), 404, "NOT_FOUND")


def test_repeated_or_non_utf8_headers_return_422(caller: Caller) -> None:
    for headers in (
        [("x-namespace", "a"), ("x-namespace", "b")],
        [("x-namespace", b"\xff")],
        [("x-namespace", "")],
        [("idempotency-key", "a"), ("idempotency-key", "a")],
        [("idempotency-key", b"\xff")],
    ):
        problem(caller.post("/assistants", json=BOT, headers=headers), 422, "VALIDATION_ERROR")
    assert caller.get("/assistants", headers=[("x-color", b"\xff")]).status_code == 200
