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

Open: an unlisted value from a newer server is kept unchanged. Only send values of `KnownWebhookEventType`.
"""
