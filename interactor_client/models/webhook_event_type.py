"""A type of event that a webhook can subscribe to."""

from __future__ import annotations

from typing import Literal

KnownWebhookEventType = Literal[
    "credential.connected",
    "credential.error",
    "credential.expired",
    "credential.refreshed",
    "credential.revoked",
    "room.message.created",
    "room.message.updated",
    "room.tool_call.completed",
    "room.tool_call.pending",
    "workflow.instance.cancelled",
    "workflow.instance.completed",
    "workflow.instance.failed",
    "workflow.instance.halted",
    "workflow.instance.started",
    "workflow.instance.state_changed",
]
"""A type of event that a webhook can subscribe to."""
WebhookEventType = KnownWebhookEventType | str
"""A type of event that a webhook can subscribe to.

Open: a value that is not listed, from a server that knows more of them, is kept as it came. What is sent is one of
`KnownWebhookEventType`.
"""
