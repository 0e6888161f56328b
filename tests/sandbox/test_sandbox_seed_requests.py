"""Requests of the platform's own Python clients: null for what the caller leaves out, and the status
of a flow without a namespace. The sandbox answers them as the platform does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.sandbox_caller import Caller

pytest_plugins = ["tests.support.sandbox_fixtures"]


def test_secret_of_webhook_is_made_where_reference_client_sends_null(caller: Caller) -> None:
    hook = caller.make("/webhooks", url="https://example.com/x", events=["credential.expired"], secret=None)
    assert hook["secret"].startswith("whsec_")


def test_nulls_of_workflow_states_are_left_out(caller: Caller) -> None:
    start = {"name": "start", "type": "halting", "actions": None, "presentation": None}
    states = [
        {**start, "transitions": [{"to": "end", "condition": None, "event": None}]},
        {"name": "end", "type": "terminal", "actions": None, "transitions": None},
    ]
    workflow = caller.make("/workflows", name="Order", description=None, states=states, initial_state="start")
    assert workflow["description"] == ""
    assert workflow["states"][0] == {"name": "start", "type": "halting", "transitions": [{"to": "end"}]}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/tools", {"name": "t", "description": "d", "parameters": {}, "callback_url": None}),
        ("/data-sources", {"name": "d", "type": "url", "config": {}, "semantic_mappings": None}),
        (
            "/assistants",
            {"name": "a", "model": "m", "system_prompt": "", "tools": None, "data_sources": None}
            | {"temperature": None, "max_tokens": None},
        ),
        ("/webhooks", {"url": "https://example.com", "events": ["credential.error"], "secret": None, "active": None}),
        ("/oauth/initiate", {"provider": "google", "service_id": None, "scopes": None, "redirect_uri": "app://back"}),
    ],
)
def test_null_in_optional_field_is_ignored(caller: Caller, path: str, body: dict[str, Any]) -> None:
    with_null = caller.make(path, **body)
    without = caller.make(path, **{name: value for name, value in body.items() if value is not None})
    varying = {"id", "created_at", "updated_at", "secret", "state", "flow_id", "authorization_url"}
    assert with_null.keys() == without.keys()
    assert {name: with_null[name] for name in with_null.keys() - varying} == {
        name: without[name] for name in without.keys() - varying
    }


def test_null_in_patch_keeps_field(caller: Caller) -> None:
    bot = caller.assistant(name="Bot", temperature=0.5)
    changed = caller.patch(
        f"/assistants/{bot['id']}", json={"name": None, "system_prompt": "Be brief.", "tools": None}
    ).json()["data"]
    assert (changed["name"], changed["system_prompt"], changed["tools"]) == ("Bot", "Be brief.", [])


def test_free_json_keeps_nulls(caller: Caller) -> None:
    bot = caller.assistant()
    room = caller.make("/rooms", assistant_id=bot["id"], metadata={"email": None, "tags": [None]})
    assert room["metadata"] == {"email": None, "tags": [None]}


def test_oauth_flow_is_found_without_namespace(caller: Caller, another: Callable[..., Caller]) -> None:
    flow = caller.make("/oauth/initiate", provider="google", redirect_uri="app://back")
    path = f"/oauth/status/{flow['flow_id']}"
    assert another(None).read(path) == caller.read(path) == {"flow_id": flow["flow_id"], "status": "pending"}
    assert another("user_2").get(path).status_code == 404
    assert another(None).get("/oauth/status/flow_none").status_code == 404
