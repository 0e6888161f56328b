"""The methods of the platform's own Python clients, and the requests that they make."""

from __future__ import annotations

from typing import Any, NamedTuple

PYTHON_ASYNC = """
    cancel_workflow_instance complete_oauth create_assistant create_data_source create_room create_tool create_webhook
    create_workflow delete_assistant delete_data_source delete_room delete_tool delete_webhook delete_workflow
    get_assistant get_credential_token get_data_source get_room get_room_stream_url get_tool get_webhook get_workflow
    get_workflow_instance get_workflow_stream_url get_workflow_thread initiate_oauth list_assistants list_credentials
    list_data_sources list_messages list_rooms list_tools list_webhooks list_workflow_instances list_workflows
    refresh_credential revoke_credential rotate_webhook_secret send_message send_workflow_thread_message
    start_workflow_instance submit_tool_result submit_workflow_input sync_data_source trigger_workflow_event
    update_assistant update_room update_webhook
"""
PYTHON_SYNC = """
    cancel_workflow_instance create_assistant create_room create_webhook create_workflow delete_assistant
    delete_credential delete_room delete_webhook get_assistant get_credential get_credential_token get_oauth_status
    get_room get_webhook get_workflow get_workflow_instance initiate_oauth list_assistants list_credentials
    list_messages list_rooms list_webhooks list_workflow_instances list_workflows send_message start_workflow_instance
    submit_workflow_input trigger_workflow_event update_assistant update_room update_webhook
"""


class Step(NamedTuple):
    """One call of a method. `sends` is the query of a GET and else the JSON body; None: no body.

    Words in braces are taken from what earlier steps kept. Each request has `Authorization`, `X-Namespace` unless
    said otherwise, and `Content-Type: application/json`, with a body or without.
    """

    method: str
    verb: str
    path: str
    sends: dict[str, Any] | None = None
    keep: str = ""
    namespace: bool = True


PAGE = {"page": 1, "per_page": 20}
BACK = "https://app.example.com/back"
HOOKS = "https://app.example.com/hooks"
SCHEMA = {"type": "object", "properties": {}}
MAPPING = {"field": "cust_nm", "description": "Who bought.", "type": "string"}
STATES = [
    {
        "name": "review",
        "type": "halting",
        "presentation": {"type": "approval", "config": {}},
        "transitions": [{"to": "done", "condition": "approved == true"}, {"to": "done", "event": "skip"}],
    },
    {"name": "done", "type": "terminal"},
]
BOT = {"name": "Support Bot", "model": "gpt-4", "system_prompt": "You are helpful."}

# The order is one in which a platform can answer them all.
ASYNC_STEPS = [
    Step(
        "initiate_oauth",
        "POST",
        "/oauth/initiate",
        {"provider": "google", "scopes": ["calendar.read"], "redirect_uri": BACK},
        "flow",
    ),
    Step(
        "complete_oauth",
        "POST",
        "/oauth/callback",
        {"provider": "google", "code": "{code}", "state": "{flow[state]}"},
        "credential",
    ),
    Step("list_credentials", "GET", "/credentials", {**PAGE, "provider": "google", "status": "active"}),
    Step("get_credential_token", "GET", "/credentials/{credential[id]}/token"),
    Step("refresh_credential", "POST", "/credentials/{credential[id]}/refresh"),
    Step("revoke_credential", "DELETE", "/credentials/{credential[id]}"),
    Step(
        "create_tool",
        "POST",
        "/tools",
        {"name": "get_time", "description": "The time.", "parameters": SCHEMA, "callback_url": None},
        "tool",
    ),
    Step("get_tool", "GET", "/tools/{tool[id]}"),
    Step("list_tools", "GET", "/tools", PAGE),
    Step(
        "create_data_source",
        "POST",
        "/data-sources",
        {"name": "Orders", "type": "database", "config": {"dsn": "postgres://orders"}, "semantic_mappings": []},
        "source",
    ),
    Step(
        "create_data_source",
        "POST",
        "/data-sources",
        {"name": "FAQ", "type": "file", "config": {}, "semantic_mappings": [MAPPING]},
    ),
    Step("get_data_source", "GET", "/data-sources/{source[id]}"),
    Step("list_data_sources", "GET", "/data-sources", {**PAGE, "type": "database"}),
    Step("sync_data_source", "POST", "/data-sources/{source[id]}/sync"),
    Step(
        "create_assistant",
        "POST",
        "/assistants",
        {
            **BOT,
            "tools": ["{tool[id]}"],
            "data_sources": ["{source[id]}"],
            "temperature": 0.7,
            "max_tokens": 4096,
        },
        "bot",
    ),
    Step("get_assistant", "GET", "/assistants/{bot[id]}"),
    Step("update_assistant", "PATCH", "/assistants/{bot[id]}", {"system_prompt": "You are brief."}),
    Step("update_assistant", "PATCH", "/assistants/{bot[id]}", {}),
    Step("list_assistants", "GET", "/assistants", PAGE),
    Step("create_room", "POST", "/rooms", {"assistant_id": "{bot[id]}", "metadata": {}}, "room"),
    Step("get_room", "GET", "/rooms/{room[id]}"),
    Step("list_rooms", "GET", "/rooms", {**PAGE, "assistant_id": "{bot[id]}"}),
    Step("update_room", "PATCH", "/rooms/{room[id]}", {"metadata": {"user": "john@example.com"}}),
    Step(
        "send_message",
        "POST",
        "/rooms/{room[id]}/messages",
        {"content": "Hello!", "stream": False, "role": "user"},
    ),
    Step(
        "send_message",
        "POST",
        "/rooms/{room[id]}/messages",
        {"content": "/tool get_time", "stream": False, "role": "user"},
        "asking",
    ),
    Step(
        "submit_tool_result",
        "POST",
        "/rooms/{room[id]}/tool-results",
        {"tool_call_id": "{asking[tool_calls][0][id]}", "result": {"time": "noon"}},
    ),
    Step("list_messages", "GET", "/rooms/{room[id]}/messages", {"page": 1, "per_page": 50, "order": "asc"}),
    Step(
        "create_workflow",
        "POST",
        "/workflows",
        {"name": "Approval", "description": None, "states": STATES, "initial_state": "review"},
        "workflow",
    ),
    Step("get_workflow", "GET", "/workflows/{workflow[id]}"),
    Step("list_workflows", "GET", "/workflows", PAGE),
    *(
        Step(
            "start_workflow_instance",
            "POST",
            "/workflow-instances",
            {"workflow_id": "{workflow[id]}", "context": {}},
            keep,
        )
        for keep in ("first", "second", "third")
    ),
    Step("get_workflow_instance", "GET", "/workflow-instances/{first[id]}"),
    Step(
        "list_workflow_instances",
        "GET",
        "/workflow-instances",
        {**PAGE, "workflow_id": "{workflow[id]}", "status": "halted"},
    ),
    Step(
        "send_workflow_thread_message",
        "POST",
        "/workflow-instances/{first[id]}/thread/messages",
        {"content": "Why?"},
    ),
    Step("get_workflow_thread", "GET", "/workflow-instances/{first[id]}/thread"),
    Step("submit_workflow_input", "POST", "/workflow-instances/{first[id]}/input", {"approved": True}),
    Step(
        "trigger_workflow_event",
        "POST",
        "/workflow-instances/{second[id]}/events",
        {"event": "skip", "payload": {}},
    ),
    Step("cancel_workflow_instance", "POST", "/workflow-instances/{third[id]}/cancel"),
    Step(
        "create_webhook",
        "POST",
        "/webhooks",
        {"url": HOOKS, "events": ["credential.expired"], "secret": None},
        "hook",
    ),
    Step("get_webhook", "GET", "/webhooks/{hook[id]}"),
    Step("list_webhooks", "GET", "/webhooks", PAGE),
    Step("update_webhook", "PATCH", "/webhooks/{hook[id]}", {"url": f"{HOOKS}/2", "active": False}),
    Step("rotate_webhook_secret", "POST", "/webhooks/{hook[id]}/rotate-secret"),
    Step("delete_webhook", "DELETE", "/webhooks/{hook[id]}"),
    Step("delete_workflow", "DELETE", "/workflows/{workflow[id]}"),
    Step("delete_room", "DELETE", "/rooms/{room[id]}"),
    Step("delete_assistant", "DELETE", "/assistants/{bot[id]}"),
    Step("delete_data_source", "DELETE", "/data-sources/{source[id]}"),
    Step("delete_tool", "DELETE", "/tools/{tool[id]}"),
]
SYNC_STEPS = [
    Step(
        "initiate_oauth",
        "POST",
        "/oauth/initiate",
        {"service_id": "svc_google_calendar", "redirect_uri": BACK, "scopes": None},
        "flow",
    ),
    Step("get_oauth_status", "GET", "/oauth/status/{flow[flow_id]}", namespace=False),
    Step("list_credentials", "GET", "/credentials", {}),
    Step("get_credential", "GET", "/credentials/{connected[id]}"),
    Step("get_credential_token", "GET", "/credentials/{connected[id]}/token"),
    Step("delete_credential", "DELETE", "/credentials/{connected[id]}"),
    Step("create_assistant", "POST", "/assistants", BOT, "bot"),
    Step("get_assistant", "GET", "/assistants/{bot[id]}"),
    Step("update_assistant", "PATCH", "/assistants/{bot[id]}", {"name": "Renamed"}),
    Step("list_assistants", "GET", "/assistants", {}),
    Step("create_room", "POST", "/rooms", {"assistant_id": "{bot[id]}", "metadata": {}}, "room"),
    Step("get_room", "GET", "/rooms/{room[id]}"),
    Step("list_rooms", "GET", "/rooms", {"assistant_id": "{bot[id]}"}),
    Step("update_room", "PATCH", "/rooms/{room[id]}", {"metadata": {}}),
    Step("send_message", "POST", "/rooms/{room[id]}/messages", {"content": "Hello!", "role": "user"}),
    Step("list_messages", "GET", "/rooms/{room[id]}/messages", {"order": "desc"}),
    Step(
        "create_workflow",
        "POST",
        "/workflows",
        {"name": "Approval", "states": STATES, "initial_state": "review"},
        "workflow",
    ),
    Step("get_workflow", "GET", "/workflows/{workflow[id]}"),
    Step("list_workflows", "GET", "/workflows", {}),
    *(
        Step(
            "start_workflow_instance",
            "POST",
            "/workflow-instances",
            {"workflow_id": "{workflow[id]}", "context": {}},
            keep,
        )
        for keep in ("first", "second", "third")
    ),
    Step("get_workflow_instance", "GET", "/workflow-instances/{first[id]}"),
    Step("list_workflow_instances", "GET", "/workflow-instances", {"status": "halted"}),
    Step("submit_workflow_input", "POST", "/workflow-instances/{first[id]}/input", {"approved": True}),
    Step(
        "trigger_workflow_event",
        "POST",
        "/workflow-instances/{second[id]}/events",
        {"event": "skip", "payload": {}},
    ),
    Step("cancel_workflow_instance", "POST", "/workflow-instances/{third[id]}/cancel"),
    Step("list_webhooks", "GET", "/webhooks"),
    Step("get_webhook", "GET", "/webhooks/{hooked[id]}"),
    Step("update_webhook", "PATCH", "/webhooks/{hooked[id]}", {"url": f"{HOOKS}/2", "events": ["credential.error"]}),
    Step("delete_webhook", "DELETE", "/webhooks/{hooked[id]}"),
    Step("delete_room", "DELETE", "/rooms/{room[id]}"),
    Step("delete_assistant", "DELETE", "/assistants/{bot[id]}"),
]
