"""Every operation of the contract once, and the behaviour of lists, updates and deletions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from interactor_ext.sandbox import Sandbox
from interactor_ext.sandbox.platform.contract import load_contract
from interactor_ext.sandbox.platform.handlers import handler_of
from tests.support import patient
from tests.support.contract import EVENTS
from tests.support.sandbox_caller import DOCUMENT, END, OPERATIONS, Caller, fetch_token, listening, problem, revoke

pytest_plugins = ["tests.support.sandbox_fixtures"]

WORKFLOW: dict[str, Any] = {
    "name": "Approval",
    "initial_state": "review",
    "states": [
        {"name": "review", "type": "halting", "transitions": [{"to": "done", "event": "skip"}]},
        {"name": "done", "type": "terminal"},
    ],
}
PATHS = {
    each["operationId"]: path for path, item in DOCUMENT["paths"].items() for each in item.values() if "tags" in each
}
URL = "https://app.test/hook"


def parameters(operation: str) -> Iterator[str]:
    """The names of its query parameters."""
    for each in OPERATIONS[operation][2].get("parameters", ()):
        parameter = DOCUMENT["components"]["parameters"][each["$ref"].rpartition("/")[2]]
        if parameter["in"] == "query":
            yield parameter["name"]


def body_schema(operation: str) -> dict[str, Any]:
    content = OPERATIONS[operation][2].get("requestBody", {"content": {}})["content"]
    name = content.get("application/json", {"schema": {"$ref": ""}})["schema"]["$ref"].rpartition("/")[2]
    return DOCUMENT["components"]["schemas"].get(name, {})


FILTERS = [
    (operation, name)
    for operation in OPERATIONS
    if operation.startswith("list_")
    for name in parameters(operation)
    if name not in ("page", "per_page", "order", "namespace")
]
# Optional fields of requests whose response does not show them.
NOT_SHOWN = {
    ("create_token", "scope"): "narrows the token",
    ("create_token", "resource"): "narrows the token",
    ("initiate_oauth", "provider"): "the credential shows it",
    ("initiate_oauth", "scopes"): "the credential shows them",
    ("initiate_oauth", "service_id"): "the credential shows it",
    ("send_message", "stream"): "says how the answer comes",
    ("trigger_workflow_event", "payload"): "goes into the context",
}
OPTIONAL = [
    (operation, name)
    for operation, (method, _, _) in OPERATIONS.items()
    for name in body_schema(operation).get("properties", {})
    if name not in body_schema(operation).get("required", ()) or method == "PATCH"
]


def another(schema: dict[str, Any]) -> Any:
    """A value that fits, other than what the sandbox would take by itself."""
    schema = schema.get("anyOf", [schema])[0]  # the other is null
    schema = {**DOCUMENT["components"]["schemas"].get(schema.get("$ref", "").rpartition("/")[2], {}), **schema}
    kind = schema["type"][0] if isinstance(schema["type"], list) else schema["type"]
    if kind == "array":
        return [another(schema["items"])]
    if "enum" in schema:
        return schema["enum"][-1]
    if kind == "object":
        return schema["examples"][0] if "properties" in schema else {"a": 1}
    text = f"{URL}/2" if schema.get("format") == "uri" else "Another"
    return {"boolean": False, "integer": 7, "number": 0.3, "string": text}[kind]


def test_every_operation_has_a_handler() -> None:
    operations = load_contract().operations
    assert set(OPERATIONS) == set(operations)
    for operation in operations.values():
        handler_of(operation)  # else: a function with @handles("its_operation_id") in interactor_ext/sandbox/platform/


def test_every_operation_returns_documented_response(sandbox: Sandbox, caller: Caller) -> None:
    """One walk through the whole contract; `Caller` holds each answer against it."""
    use_account_server(sandbox)
    use_credentials(sandbox, caller)
    use_agents(sandbox, caller)
    use_workflows(caller)
    use_webhooks(caller)
    used = {record.operation for record in sandbox.requests if record.status < 300}
    assert used == set(OPERATIONS), "one of the functions use_... of this file calls each operation"


def use_account_server(sandbox: Sandbox) -> None:
    keys = patient.get(f"{sandbox.account_server_url}/oauth/jwks")
    assert [key["alg"] for key in keys.json()["keys"]] == ["RS256"]
    revoked = revoke(sandbox, fetch_token(sandbox))
    assert (revoked.status_code, revoked.content) == (204, b"")


def use_credentials(sandbox: Sandbox, caller: Caller) -> None:
    flow = caller.make("/oauth/initiate", provider="google", redirect_uri="https://app.test/back", scopes=["calendar"])
    back = dict(parse_qsl(urlsplit(sandbox.decide(flow["flow_id"])).query))
    credential = caller.make("/oauth/callback", provider="google", **back)
    path = f"/credentials/{credential['id']}"
    assert caller.read(f"/oauth/status/{flow['flow_id']}")["credential_id"] == credential["id"]
    assert caller.read("/credentials?provider=google&status=active") == [caller.read(path)]
    assert caller.read(f"{path}/token")["scope"] == "calendar"
    assert caller.make(f"{path}/refresh")["status"] == "active"
    assert caller.delete(path).status_code == 204
    problem(caller.get(path), 404, "NOT_FOUND")


def use_agents(sandbox: Sandbox, caller: Caller) -> None:
    tool = caller.make("/tools", name="add", description="Adds.", parameters={"type": "object"})
    source = caller.make("/data-sources", name="Orders", type="url", config={"url": "https://shop.test"})
    room = caller.room(tools=[tool["id"]], data_sources=[source["id"]])
    assistant_path, room_path = f"/assistants/{room['assistant_id']}", f"/rooms/{room['id']}"
    tool_path, source_path = f"/tools/{tool['id']}", f"/data-sources/{source['id']}"
    with listening(caller, f"{room_path}/stream") as stream:
        asking = caller.make(f"{room_path}/messages", content='/tool add {"a": 1}')
        call_id = asking["tool_calls"][0]["id"]
        answer = caller.make(f"{room_path}/tool-results", tool_call_id=call_id, result=3)
        assert answer["content"] == "Bot here. add returned 3."
        stream.until("message.complete")
    assert caller.patch(room_path, json={"metadata": {"a": 1}}).json()["data"]["metadata"] == {"a": 1}
    assert caller.patch(assistant_path, json={"name": "Bob"}).json()["data"]["name"] == "Bob"
    assert caller.patch(tool_path, json={"name": "sum"}).json()["data"]["name"] == "sum"
    assert caller.patch(source_path, json={"name": "All"}).json()["data"]["name"] == "All"
    assert caller.post(f"{source_path}/sync").status_code == 202
    caller.sandbox.clock.advance(2)
    lists = {"/assistants": assistant_path, "/rooms": room_path, "/tools": tool_path, "/data-sources": source_path}
    for collection, path in lists.items():
        assert caller.read(collection) == [caller.read(path)]
    assert len(caller.read(f"{room_path}/messages")) == 4
    for path in lists.values():
        assert caller.delete(path).status_code == 204
        problem(caller.get(path), 404, "NOT_FOUND")


def use_workflows(caller: Caller) -> None:
    workflow = caller.make("/workflows", **WORKFLOW)
    instance = caller.make("/workflow-instances", workflow_id=workflow["id"])
    path = f"/workflow-instances/{instance['id']}"
    assert caller.read("/workflows") == [caller.read(f"/workflows/{workflow['id']}")]
    assert caller.read("/workflow-instances") == [caller.read(path)]
    assert caller.make(f"{path}/input", note="later")["status"] == "halted"
    caller.make(f"{path}/thread/messages", content="Why?")
    assert [message["role"] for message in caller.read(f"{path}/thread")["messages"]] == ["user", "workflow"]
    assert caller.make(f"{path}/events", event="skip")["status"] == "completed"
    assert caller.get(f"{path}/stream").status_code == 204
    other = caller.make("/workflow-instances", workflow_id=workflow["id"])
    assert caller.post(f"/workflow-instances/{other['id']}/cancel").status_code == 204
    assert caller.delete(f"/workflows/{workflow['id']}").status_code == 204


def use_webhooks(caller: Caller) -> None:
    created = caller.make("/webhooks", url="https://app.test/hook", events=["credential.connected"])
    path = f"/webhooks/{created['id']}"
    assert created["secret"].startswith("whsec_")
    assert created["active"] is True
    shown = {name: value for name, value in created.items() if name != "secret"}
    assert caller.read(path) == shown
    assert caller.read("/webhooks") == [shown]
    assert caller.patch(path, json={"active": False}).json()["data"] == {**shown, "active": False}
    given = caller.make("/webhooks", url="https://a.test", events=["credential.expired"], secret="mine", active=False)
    assert (given["secret"], given["active"]) == ("mine", False)
    rotated = caller.make(f"{path}/rotate-secret")
    assert rotated["secret"] not in {created["secret"], ""}
    assert caller.delete(path).status_code == 204


def test_lists_are_paginated(caller: Caller) -> None:
    ids = [caller.assistant(name=f"Bot {number}")["id"] for number in range(5)]
    first, third = (caller.get("/assistants", params={"page": page, "per_page": 2}).json() for page in (1, 3))
    assert first["meta"] == {"page": 1, "per_page": 2, "total": 5, "total_pages": 3, "has_more": True}
    assert third["meta"] == {"page": 3, "per_page": 2, "total": 5, "total_pages": 3, "has_more": False}
    assert [each["id"] for each in first["data"] + third["data"]] == [*ids[:2], ids[4]]
    beyond = caller.get("/assistants", params={"page": 10**17}).json()
    assert (beyond["data"], beyond["meta"]["has_more"]) == ([], False)
    empty = caller.get("/tools").json()["meta"]
    assert empty == {"page": 1, "per_page": 20, "total": 0, "total_pages": 0, "has_more": False}


def test_messages_list_supports_order_and_defaults_to_fifty(caller: Caller) -> None:
    room = caller.room()
    for number in range(51):
        caller.say(room, f"{number}", role="system")
    path = f"/rooms/{room['id']}/messages"
    assert [each["content"] for each in caller.read(path)] == [f"{number}" for number in range(50)]
    assert caller.read(f"{path}?order=desc&per_page=1")[0]["content"] == "50"
    assert caller.read(f"{path}?order=asc&per_page=1")[0]["content"] == "0"


class Unlike:
    """Two records of each kind that is listed, which differ in whatever a list can be filtered by."""

    def __init__(self, sandbox: Sandbox, caller: Caller) -> None:
        self.caller = caller
        sandbox.add_credential("google", namespace="user_1")
        sandbox.add_credential("github", namespace="user_1", status="revoked")
        rooms = [caller.room(), caller.room()]
        for role in ("user", "system"):
            caller.say(rooms[0], "Hello", role=role)
        sources = [caller.make("/data-sources", name=name, type=name, config={}) for name in ("file", "url")]
        instances = [caller.start(), caller.start(END)]
        hooks = [caller.make("/webhooks", url=URL, events=[event]) for event in EVENTS[:2]]
        self.ids = {
            "assistant_id": rooms[0]["assistant_id"],
            "room_id": rooms[0]["id"],
            "tool_id": caller.tool()["id"],
            "data_source_id": sources[0]["id"],
            "workflow_id": instances[0]["workflow_id"],
            "webhook_id": hooks[0]["id"],
        }

    def path(self, operation: str) -> str:
        return PATHS[operation].format_map(self.ids)


@pytest.fixture
def unlike(sandbox: Sandbox, caller: Caller) -> Unlike:
    return Unlike(sandbox, caller)


@pytest.mark.parametrize(("operation", "name"), FILTERS)
def test_query_filter_narrows_its_list(operation: str, name: str, unlike: Unlike) -> None:
    path = unlike.path(operation)
    items = unlike.caller.read(path)
    values = {item.get(name) for item in items}
    assert len(values) > 1, (
        f"have {Unlike.__name__} in this file make records of which {operation} shows two values of {name!r}; a filter "
        "that is no field of the items is for the handler in interactor_ext/sandbox/platform/, and its own test"
    )
    for value in values:
        narrowed = unlike.caller.read(f"{path}?{urlencode({name: value})}")
        assert narrowed == [item for item in items if item[name] == value], "list_page in handlers.py does it"


def test_optional_fields_that_no_response_shows_are_those_of_the_contract() -> None:
    assert NOT_SHOWN.keys() - set(OPTIONAL) == set()


def test_optional_field_of_a_request_comes_back(subtests: pytest.Subtests, unlike: Unlike) -> None:
    for operation, name in [each for each in OPTIONAL if each not in NOT_SHOWN]:
        with subtests.test(operation=operation):
            schema = body_schema(operation)
            body = {field: schema["examples"][0].get(field) for field in schema.get("required", ())}
            ids = {"tools": [unlike.ids["tool_id"]], "data_sources": [unlike.ids["data_source_id"]]}
            wanted = ids.get(name) or another(schema["properties"][name])
            response = unlike.caller.request(
                OPERATIONS[operation][0],
                unlike.path(operation),
                json={**body, **{field: unlike.ids[field] for field in body if field in unlike.ids}, name: wanted},
            )
            assert response.is_success, response.text
            assert response.json()["data"].get(name) == wanted, (
                f"the handler of {operation} in interactor_ext/sandbox/platform/ drops it: keep it, or give NOT_SHOWN "
                "in this file the reason"
            )


def test_patch_changes_only_given_fields(sandbox: Sandbox, caller: Caller) -> None:
    before = caller.assistant(temperature=0.5)
    sandbox.clock.advance(60)
    after = caller.patch(f"/assistants/{before['id']}", json={"system_prompt": "Be brief."}).json()["data"]
    assert after.pop("updated_at") > before.pop("updated_at")
    assert after == {**before, "system_prompt": "Be brief."}


def test_callback_url_of_a_tool_is_cleared_with_none(sandbox: Sandbox) -> None:
    with sandbox.client() as user:
        client = user.namespace("acme")
        tool = client.tools.create(name="a", description="b", parameters={}, callback_url=f"{URL}/1")
        assert client.tools.update(tool.id, name=None, description="c").callback_url == f"{URL}/1"
        cleared = client.tools.update(tool.id, callback_url=None)
    assert (cleared.name, cleared.callback_url or None) == ("a", None)


def test_deleted_tool_is_removed_from_assistants(caller: Caller) -> None:
    tools = [caller.tool(name)["id"] for name in ("a", "b")]
    assistant = caller.assistant(tools=tools)
    other = caller.assistant()
    caller.delete(f"/tools/{tools[0]}")
    assert caller.read(f"/assistants/{assistant['id']}")["tools"] == tools[1:]
    assert caller.read(f"/assistants/{other['id']}")["tools"] == []


def test_deleting_room_deletes_messages_but_deleting_assistant_keeps_room(caller: Caller) -> None:
    room = caller.room()
    caller.say(room, "Hello")
    caller.delete(f"/assistants/{room['assistant_id']}")
    problem(caller.post(f"/rooms/{room['id']}/messages", json={"content": "Still there?"}), 409, "CONFLICT")
    assert len(caller.read(f"/rooms/{room['id']}/messages")) == 2
    caller.delete(f"/rooms/{room['id']}")
    problem(caller.get(f"/rooms/{room['id']}/messages"), 404, "NOT_FOUND")
