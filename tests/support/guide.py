"""What a server that follows the guide sends, by hand. A part whose key ends with `?` may be missing or null."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Path = tuple[str | int, ...]

_NOW = "2026-01-15T10:30:00Z"
_CREATED: dict[str, Any] = {"created_at?": _NOW}
_CHANGED = {**_CREATED, "updated_at?": _NOW}
TOKEN = {"access_token": "t_1", "token_type?": "Bearer", "expires_in?": 3600, "scope?": "rooms:read"}
KEYS = {"keys": [{"kty": "RSA", "kid?": "key_1", "use?": "sig", "alg?": "RS256", "n?": "AQAB", "e?": "AQAB"}]}
CREDENTIAL = {
    "id": "cred_1",
    "provider?": "google",
    "status?": "active",
    "scopes?": ["calendar.read"],
    **_CHANGED,
    "expires_at?": _NOW,
}
CREDENTIAL_TOKEN = {**TOKEN, "refresh_token?": "r_1"}
AUTHORIZATION = {"authorization_url": "https://accounts.example.com/a", "state?": "st_1", "flow_id?": "flow_1"}
FLOW = {"status": "failed", "flow_id?": "flow_1", "credential_id?": "cred_1", "error?": "refused"}
TOOL = {
    "id": "tool_1",
    "name?": "lookup",
    "description?": "Looks an order up.",
    "parameters?": {"type": "object"},
    "callback_url?": "https://app.example.com/tools",
}
MAPPING = {"field": "total", "description?": "In euros.", "type?": "number"}
DATA_SOURCE = {
    "id": "ds_1",
    "name?": "Orders",
    "type?": "url",
    "config?": {"url": "https://shop.example.com"},
    "semantic_mappings?": [MAPPING],
}
ASSISTANT = {
    "id": "asst_1",
    "name?": "Bot",
    "model?": "gpt-4",
    "system_prompt?": "You are helpful.",
    "tools?": [TOOL, "tool_2"],
    "data_sources?": [DATA_SOURCE, "ds_2"],
    **_CHANGED,
}
ROOM = {"id": "room_1", "assistant_id?": "asst_1", "namespace?": "user_123", "metadata?": {"a": 1}, **_CREATED}
TOOL_CALL = {
    "id": "tc_1",
    "tool_id?": "tool_1",
    "arguments?": {"order": "ord_1"},
    "status?": "completed",
    "result?": {"total": 5},
}
SAID = {"id": "msg_1", "role?": "assistant", "content?": "Hello!"}  # all that a stream's message.complete may hold
MESSAGE = {**SAID, "room_id?": "room_1", "tool_calls?": [TOOL_CALL], **_CREATED}
PRESENTATION = {
    "type?": "form",
    "config?": {"options": ["refund"]},
    "title?": "Approval",
    "description?": "A large order.",
    "fields?": [{"name": "approved", "type?": "boolean", "label?": "Approve?", "required?": True}],
}
STATE = {
    "name": "review",
    "type?": "halting",
    "actions?": [{"type": "http", "config?": {"method": "POST"}}],
    "transitions?": [{"to": "done", "condition?": "approved == true", "event?": "approve"}],
    "presentation?": PRESENTATION,
}
WORKFLOW = {
    "id": "wf_1",
    "name?": "Approval",
    "description?": "For large orders.",
    "states?": [STATE],
    "initial_state?": "review",
    **_CHANGED,
}
INSTANCE = {
    "id": "wfi_1",
    "workflow_id?": "wf_1",
    "namespace?": "user_123",
    "current_state?": "review",
    "context?": {"total": 599.99},
    "status?": "halted",
    **_CHANGED,
}
THREAD_MESSAGE = {"id": "msg_2", "role?": "workflow", "content?": "Please approve.", **_CREATED}
THREAD = {"id": "thr_1", "instance_id?": "wfi_1", "messages?": [THREAD_MESSAGE], **_CREATED}
WEBHOOK = {
    "id": "wh_1",
    "url?": "https://app.example.com/hook",
    "events?": ["room.message.created"],
    "secret?": "whsec_1",
    "active?": True,
    **_CREATED,
}
META = {"page?": 1, "per_page?": 20, "total?": 45, "total_pages?": 3, "has_more?": True}

# The `data` of the responses, by operations; None where there is none that counts.
RESPONSES: dict[str, Any] = {
    "create_token": TOKEN,
    "get_jwks": KEYS,
    "list_credentials": [CREDENTIAL],
    "get_credential refresh_credential complete_oauth": CREDENTIAL,
    "get_credential_token": CREDENTIAL_TOKEN,
    "initiate_oauth": AUTHORIZATION,
    "get_oauth_status": FLOW,
    "list_assistants": [ASSISTANT],
    "create_assistant get_assistant update_assistant": ASSISTANT,
    "list_rooms": [ROOM],
    "create_room get_room update_room": ROOM,
    "list_messages": [MESSAGE],
    "send_message submit_tool_result": MESSAGE,
    "list_tools": [TOOL],
    "create_tool get_tool update_tool": TOOL,
    "list_data_sources": [DATA_SOURCE],
    "create_data_source get_data_source update_data_source": DATA_SOURCE,
    "sync_data_source": {"id?": "ds_1", "sync_status?": "syncing"},
    "list_workflows": [WORKFLOW],
    "create_workflow get_workflow": WORKFLOW,
    "list_workflow_instances": [INSTANCE],
    "start_workflow_instance get_workflow_instance submit_workflow_input trigger_workflow_event": INSTANCE,
    "get_workflow_thread": THREAD,
    "send_workflow_thread_message": THREAD_MESSAGE,
    "list_webhooks": [WEBHOOK],
    "create_webhook get_webhook update_webhook": WEBHOOK,
    # The guide takes nothing but `secret` from this response.
    "rotate_webhook_secret": {"secret": "whsec_2", "id?": "wh_1", "url?": "https://app.example.com/hook"},
}

_CREDENTIAL_DATA = {"credential_id": "cred_1", "provider?": "google", "namespace?": "user_123"}
_MESSAGE_DATA = {
    "message_id": "msg_1",
    "room_id": "room_1",
    "role?": "assistant",
    "content?": "Hello!",
    "tool_calls?": [TOOL_CALL],
}
_CALL_DATA = {"tool_call_id": "tc_1", "room_id": "room_1", "tool_id?": "tool_1", "tool_name?": "lookup"}
_INSTANCE_DATA = {
    "instance_id": "wfi_1",
    "workflow_id?": "wf_1",
    "current_state?": "review",
    "context?": {"total": 599.99},
}
_FAILURE = {"code?": "API_ERROR", "message?": "The shop did not answer"}
_EVENT_DATA: dict[str, Any] = {
    "credential.connected": {
        **_CREDENTIAL_DATA,
        "service_id?": "svc_1",
        "scopes?": ["calendar.read"],
        "metadata?": {"a": 1},
    },
    "credential.refreshed": {**_CREDENTIAL_DATA, "expires_at?": _NOW},
    "credential.expired": _CREDENTIAL_DATA,
    "credential.revoked": _CREDENTIAL_DATA,
    "credential.error": {**_CREDENTIAL_DATA, "error?": _FAILURE},
    "room.message.created": _MESSAGE_DATA,
    "room.message.updated": _MESSAGE_DATA,
    "room.tool_call.pending": {**_CALL_DATA, "arguments?": {"order": "ord_1"}},
    "room.tool_call.completed": {**_CALL_DATA, "status?": "completed", "result?": {"total": 5}},
    "workflow.instance.started": _INSTANCE_DATA,
    "workflow.instance.state_changed": {**_INSTANCE_DATA, "previous_state?": "start"},
    "workflow.instance.halted": {**_INSTANCE_DATA, "presentation?": PRESENTATION},
    "workflow.instance.completed": _INSTANCE_DATA,
    "workflow.instance.failed": {**_INSTANCE_DATA, "error?": _FAILURE},
    "workflow.instance.cancelled": _INSTANCE_DATA,
}
WEBHOOK_EVENTS: dict[str, Any] = {
    event: {"id": "evt_1", "event": event, "timestamp?": _NOW, "idempotency_key?": "i", "namespace?": "u", "data": data}
    for event, data in _EVENT_DATA.items()
}
STREAM_EVENTS: list[dict[str, Any]] = [
    {"type": "message.delta", "content?": "Hel"},
    {"type": "message.complete", "message": MESSAGE},
    {"type": "message.complete", **SAID},
    {"type": "tool_call.start", "tool_call": TOOL_CALL},
    {"type": "tool_call.start", **TOOL_CALL},
    {"type": "tool_call.complete", "tool_call": TOOL_CALL},
    {"type": "workflow.state_changed", "state": "ship", "context?": {"total": 599.99}},
    {"type": "workflow.halted", "presentation?": PRESENTATION},
]


def variants(shape: Any) -> Iterator[tuple[Path, Any]]:
    """Bodies of the shape: whole, the least, and with each optional part missing once, and null once.

    Each has the path of that part.
    """
    optional = list(_optional(shape))
    yield (), _body(shape, {})
    yield (), _body(shape, {}, least=True)
    for path in optional:
        yield path, _body(shape, {path: ...})
        yield path, _body(shape, {path: None})


def _optional(shape: Any, path: Path = ()) -> Iterator[Path]:
    for key, part in shape.items() if isinstance(shape, dict) else enumerate(shape) if isinstance(shape, list) else ():
        here = (*path, key.removesuffix("?") if isinstance(key, str) else key)
        if isinstance(key, str) and key.endswith("?"):
            yield here
        yield from _optional(part, here)


def _body(shape: Any, changed: dict[Path, Any], path: Path = (), *, least: bool = False) -> Any:
    if isinstance(shape, list):
        return [_body(part, changed, (*path, index), least=least) for index, part in enumerate(shape)]
    if not isinstance(shape, dict):
        return shape
    body = {}
    for key, part in shape.items():
        name = key.removesuffix("?")
        here = (*path, name)
        if changed.get(here) is not ... and not (least and key.endswith("?")):
            body[name] = None if here in changed else _body(part, changed, here, least=least)
    return body
