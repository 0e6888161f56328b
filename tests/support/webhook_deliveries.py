"""Signed webhook deliveries as the platform would send them."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import Any

from interactor_ext.webhooks import sign

SECRET = "whsec_5f1d3c"
OLD_SECRET = "whsec_before_rotation"
NOW = 1_700_000_000.0

DATA: dict[str, dict[str, Any]] = {
    "credential.connected": {
        "credential_id": "cred_1",
        "provider": "google",
        "scopes": ["calendar.read"],
        "metadata": {},
    },
    "room.message.created": {
        "message_id": "msg_1",
        "room_id": "room_1",
        "role": "assistant",
        "content": "Your meeting with Dana is on Tuesday at 10:00. Shall I send her the agenda as well?",
        "tool_calls": None,
    },
    "workflow.instance.halted": {
        "instance_id": "wfi_1",
        "workflow_id": "wf_1",
        "current_state": "awaiting_approval",
        "context": {"total": 599.99},
        "presentation": {"type": "form", "title": "Approval Required", "fields": []},
    },
}


def timestamp(age: float = 0) -> str:
    """For an event that happened `age` seconds ago."""
    return datetime.fromtimestamp(time.time() - age, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


# The same in every body of this process, because the bytes are signed.
JUST_NOW = timestamp()


def envelope(event: Any = "room.message.created", key: str = "idem_1", **changes: Any) -> dict[str, Any]:
    """An event's JSON. A change to `...` omits the field."""
    document = {
        "id": f"evt_{key}",
        "event": event,
        "timestamp": JUST_NOW,
        "idempotency_key": key,
        "namespace": "user_123",
        "data": DATA.get(str(event), {"anything": 1}),
    } | changes
    return {name: value for name, value in document.items() if value is not ...}


def body_of(event: Any = "room.message.created", key: str = "idem_1", **changes: Any) -> bytes:
    return json.dumps(envelope(event, key, **changes)).encode()


def delivery(event: str = "room.message.created", key: str = "idem_1", **changes: Any) -> tuple[bytes, dict[str, str]]:
    """Body and headers, signed now: a verifier with the real clock accepts them."""
    body = body_of(event, key, **changes)
    return body, sign(body, SECRET, event=event)
