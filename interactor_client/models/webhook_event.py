"""The models of the family `WebhookEvent`, for packages that export them as well."""

from __future__ import annotations

from .credential_connected_event import CredentialConnectedEvent
from .credential_error_event import CredentialErrorEvent
from .credential_expired_event import CredentialExpiredEvent
from .credential_refreshed_event import CredentialRefreshedEvent
from .credential_revoked_event import CredentialRevokedEvent
from .room_message_created_event import RoomMessageCreatedEvent
from .room_message_updated_event import RoomMessageUpdatedEvent
from .room_tool_call_completed_event import RoomToolCallCompletedEvent
from .room_tool_call_pending_event import RoomToolCallPendingEvent
from .unknown_webhook_event import UnknownWebhookEvent
from .workflow_instance_cancelled_event import WorkflowInstanceCancelledEvent
from .workflow_instance_completed_event import WorkflowInstanceCompletedEvent
from .workflow_instance_failed_event import WorkflowInstanceFailedEvent
from .workflow_instance_halted_event import WorkflowInstanceHaltedEvent
from .workflow_instance_started_event import WorkflowInstanceStartedEvent
from .workflow_instance_state_changed_event import WorkflowInstanceStateChangedEvent

WebhookEvent = (
    CredentialConnectedEvent
    | CredentialRefreshedEvent
    | CredentialExpiredEvent
    | CredentialRevokedEvent
    | CredentialErrorEvent
    | RoomMessageCreatedEvent
    | RoomMessageUpdatedEvent
    | RoomToolCallPendingEvent
    | RoomToolCallCompletedEvent
    | WorkflowInstanceStartedEvent
    | WorkflowInstanceStateChangedEvent
    | WorkflowInstanceHaltedEvent
    | WorkflowInstanceCompletedEvent
    | WorkflowInstanceFailedEvent
    | WorkflowInstanceCancelledEvent
    | UnknownWebhookEvent
)
"""The models of the family `WebhookEvent`, including types that aren't listed."""

__all__ = [
    "WebhookEvent",
    "CredentialConnectedEvent",
    "CredentialRefreshedEvent",
    "CredentialExpiredEvent",
    "CredentialRevokedEvent",
    "CredentialErrorEvent",
    "RoomMessageCreatedEvent",
    "RoomMessageUpdatedEvent",
    "RoomToolCallPendingEvent",
    "RoomToolCallCompletedEvent",
    "WorkflowInstanceStartedEvent",
    "WorkflowInstanceStateChangedEvent",
    "WorkflowInstanceHaltedEvent",
    "WorkflowInstanceCompletedEvent",
    "WorkflowInstanceFailedEvent",
    "WorkflowInstanceCancelledEvent",
    "UnknownWebhookEvent",
]
