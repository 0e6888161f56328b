"""The data models, each imported on first use."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from interactor_client.advised import missing_name

if TYPE_CHECKING:
    from .access_token import AccessToken
    from .access_token_response import AccessTokenResponse
    from .assistant import Assistant
    from .assistant_list_response import AssistantListResponse
    from .assistant_response import AssistantResponse
    from .complete_o_auth_request import CompleteOAuthRequest
    from .create_assistant_request import CreateAssistantRequest
    from .create_data_source_request import CreateDataSourceRequest
    from .create_room_request import CreateRoomRequest
    from .create_token_request import CreateTokenRequest
    from .create_tool_request import CreateToolRequest
    from .create_webhook_request import CreateWebhookRequest
    from .create_workflow_request import CreateWorkflowRequest
    from .credential import Credential
    from .credential_connected_data import CredentialConnectedData
    from .credential_connected_event import CredentialConnectedEvent
    from .credential_error_data import CredentialErrorData
    from .credential_error_event import CredentialErrorEvent
    from .credential_expired_data import CredentialExpiredData
    from .credential_expired_event import CredentialExpiredEvent
    from .credential_list_response import CredentialListResponse
    from .credential_refreshed_data import CredentialRefreshedData
    from .credential_refreshed_event import CredentialRefreshedEvent
    from .credential_response import CredentialResponse
    from .credential_revoked_data import CredentialRevokedData
    from .credential_revoked_event import CredentialRevokedEvent
    from .credential_status import CredentialStatus, KnownCredentialStatus
    from .credential_token import CredentialToken
    from .credential_token_response import CredentialTokenResponse
    from .data_source import DataSource
    from .data_source_list_response import DataSourceListResponse
    from .data_source_response import DataSourceResponse
    from .data_source_sync import DataSourceSync
    from .data_source_sync_response import DataSourceSyncResponse
    from .data_source_type import DataSourceType, KnownDataSourceType
    from .error_body import ErrorBody
    from .error_code import ErrorCode, KnownErrorCode
    from .error_detail import ErrorDetail
    from .error_response import ErrorResponse
    from .failure_detail import FailureDetail
    from .halting_presentation import HaltingPresentation
    from .halting_presentation_type import HaltingPresentationType, KnownHaltingPresentationType
    from .initiate_o_auth_request import InitiateOAuthRequest
    from .json_object import JsonObject
    from .json_web_key import JsonWebKey
    from .json_web_key_set import JsonWebKeySet
    from .message import Message
    from .message_complete import MessageComplete
    from .message_delta import MessageDelta
    from .message_list_response import MessageListResponse
    from .message_response import MessageResponse
    from .message_role import KnownMessageRole, MessageRole
    from .o_auth_authorization import OAuthAuthorization
    from .o_auth_authorization_response import OAuthAuthorizationResponse
    from .o_auth_flow import OAuthFlow
    from .o_auth_flow_response import OAuthFlowResponse
    from .o_auth_flow_status import KnownOAuthFlowStatus, OAuthFlowStatus
    from .pagination_meta import PaginationMeta
    from .presentation_field import PresentationField
    from .revoke_token_request import RevokeTokenRequest
    from .room import Room
    from .room_list_response import RoomListResponse
    from .room_message_created_data import RoomMessageCreatedData
    from .room_message_created_event import RoomMessageCreatedEvent
    from .room_message_updated_data import RoomMessageUpdatedData
    from .room_message_updated_event import RoomMessageUpdatedEvent
    from .room_response import RoomResponse
    from .room_tool_call_completed_data import RoomToolCallCompletedData
    from .room_tool_call_completed_event import RoomToolCallCompletedEvent
    from .room_tool_call_pending_data import RoomToolCallPendingData
    from .room_tool_call_pending_event import RoomToolCallPendingEvent
    from .semantic_mapping import SemanticMapping
    from .send_message_request import SendMessageRequest
    from .send_workflow_thread_message_request import SendWorkflowThreadMessageRequest
    from .sort_order import KnownSortOrder, SortOrder
    from .start_workflow_instance_request import StartWorkflowInstanceRequest
    from .stream_error_event import StreamErrorEvent
    from .stream_event import StreamEvent
    from .submit_tool_result_request import SubmitToolResultRequest
    from .thread_message import ThreadMessage
    from .thread_message_response import ThreadMessageResponse
    from .thread_message_role import KnownThreadMessageRole, ThreadMessageRole
    from .tool import Tool
    from .tool_call import ToolCall
    from .tool_call_complete import ToolCallComplete
    from .tool_call_start import ToolCallStart
    from .tool_call_status import KnownToolCallStatus, ToolCallStatus
    from .tool_list_response import ToolListResponse
    from .tool_response import ToolResponse
    from .trigger_workflow_event_request import TriggerWorkflowEventRequest
    from .unknown_event import UnknownEvent
    from .unknown_webhook_event import UnknownWebhookEvent
    from .update_assistant_request import UpdateAssistantRequest
    from .update_data_source_request import UpdateDataSourceRequest
    from .update_room_request import UpdateRoomRequest
    from .update_tool_request import UpdateToolRequest
    from .update_webhook_request import UpdateWebhookRequest
    from .webhook import Webhook
    from .webhook_event import WebhookEvent
    from .webhook_event_type import KnownWebhookEventType, WebhookEventType
    from .webhook_list_response import WebhookListResponse
    from .webhook_response import WebhookResponse
    from .workflow import Workflow
    from .workflow_action import WorkflowAction
    from .workflow_action_type import KnownWorkflowActionType, WorkflowActionType
    from .workflow_halted import WorkflowHalted
    from .workflow_instance import WorkflowInstance
    from .workflow_instance_cancelled_data import WorkflowInstanceCancelledData
    from .workflow_instance_cancelled_event import WorkflowInstanceCancelledEvent
    from .workflow_instance_completed_data import WorkflowInstanceCompletedData
    from .workflow_instance_completed_event import WorkflowInstanceCompletedEvent
    from .workflow_instance_failed_data import WorkflowInstanceFailedData
    from .workflow_instance_failed_event import WorkflowInstanceFailedEvent
    from .workflow_instance_halted_data import WorkflowInstanceHaltedData
    from .workflow_instance_halted_event import WorkflowInstanceHaltedEvent
    from .workflow_instance_list_response import WorkflowInstanceListResponse
    from .workflow_instance_response import WorkflowInstanceResponse
    from .workflow_instance_started_data import WorkflowInstanceStartedData
    from .workflow_instance_started_event import WorkflowInstanceStartedEvent
    from .workflow_instance_state_changed_data import WorkflowInstanceStateChangedData
    from .workflow_instance_state_changed_event import WorkflowInstanceStateChangedEvent
    from .workflow_instance_status import KnownWorkflowInstanceStatus, WorkflowInstanceStatus
    from .workflow_list_response import WorkflowListResponse
    from .workflow_response import WorkflowResponse
    from .workflow_state import WorkflowState
    from .workflow_state_changed import WorkflowStateChanged
    from .workflow_state_type import KnownWorkflowStateType, WorkflowStateType
    from .workflow_thread import WorkflowThread
    from .workflow_thread_response import WorkflowThreadResponse
    from .workflow_transition import WorkflowTransition

EVENT_MODELS: dict[str, dict[str, str]] = {
    "StreamEvent": {
        "message.delta": "MessageDelta",
        "message.complete": "MessageComplete",
        "tool_call.start": "ToolCallStart",
        "tool_call.complete": "ToolCallComplete",
        "workflow.state_changed": "WorkflowStateChanged",
        "workflow.halted": "WorkflowHalted",
        "error": "StreamErrorEvent",
        "": "UnknownEvent",
    },
    "WebhookEvent": {
        "credential.connected": "CredentialConnectedEvent",
        "credential.refreshed": "CredentialRefreshedEvent",
        "credential.expired": "CredentialExpiredEvent",
        "credential.revoked": "CredentialRevokedEvent",
        "credential.error": "CredentialErrorEvent",
        "room.message.created": "RoomMessageCreatedEvent",
        "room.message.updated": "RoomMessageUpdatedEvent",
        "room.tool_call.pending": "RoomToolCallPendingEvent",
        "room.tool_call.completed": "RoomToolCallCompletedEvent",
        "workflow.instance.started": "WorkflowInstanceStartedEvent",
        "workflow.instance.state_changed": "WorkflowInstanceStateChangedEvent",
        "workflow.instance.halted": "WorkflowInstanceHaltedEvent",
        "workflow.instance.completed": "WorkflowInstanceCompletedEvent",
        "workflow.instance.failed": "WorkflowInstanceFailedEvent",
        "workflow.instance.cancelled": "WorkflowInstanceCancelledEvent",
        "": "UnknownWebhookEvent",
    },
}
"""By family of events, the name of the model for each type of event; under "" the model for types not listed."""

_MODULES: dict[str, str] = {
    "AccessToken": "access_token",
    "AccessTokenResponse": "access_token_response",
    "Assistant": "assistant",
    "AssistantListResponse": "assistant_list_response",
    "AssistantResponse": "assistant_response",
    "CompleteOAuthRequest": "complete_o_auth_request",
    "CreateAssistantRequest": "create_assistant_request",
    "CreateDataSourceRequest": "create_data_source_request",
    "CreateRoomRequest": "create_room_request",
    "CreateTokenRequest": "create_token_request",
    "CreateToolRequest": "create_tool_request",
    "CreateWebhookRequest": "create_webhook_request",
    "CreateWorkflowRequest": "create_workflow_request",
    "Credential": "credential",
    "CredentialConnectedData": "credential_connected_data",
    "CredentialConnectedEvent": "credential_connected_event",
    "CredentialErrorData": "credential_error_data",
    "CredentialErrorEvent": "credential_error_event",
    "CredentialExpiredData": "credential_expired_data",
    "CredentialExpiredEvent": "credential_expired_event",
    "CredentialListResponse": "credential_list_response",
    "CredentialRefreshedData": "credential_refreshed_data",
    "CredentialRefreshedEvent": "credential_refreshed_event",
    "CredentialResponse": "credential_response",
    "CredentialRevokedData": "credential_revoked_data",
    "CredentialRevokedEvent": "credential_revoked_event",
    "CredentialStatus": "credential_status",
    "CredentialToken": "credential_token",
    "CredentialTokenResponse": "credential_token_response",
    "DataSource": "data_source",
    "DataSourceListResponse": "data_source_list_response",
    "DataSourceResponse": "data_source_response",
    "DataSourceSync": "data_source_sync",
    "DataSourceSyncResponse": "data_source_sync_response",
    "DataSourceType": "data_source_type",
    "ErrorBody": "error_body",
    "ErrorCode": "error_code",
    "ErrorDetail": "error_detail",
    "ErrorResponse": "error_response",
    "FailureDetail": "failure_detail",
    "HaltingPresentation": "halting_presentation",
    "HaltingPresentationType": "halting_presentation_type",
    "InitiateOAuthRequest": "initiate_o_auth_request",
    "JsonObject": "json_object",
    "JsonWebKey": "json_web_key",
    "JsonWebKeySet": "json_web_key_set",
    "KnownCredentialStatus": "credential_status",
    "KnownDataSourceType": "data_source_type",
    "KnownErrorCode": "error_code",
    "KnownHaltingPresentationType": "halting_presentation_type",
    "KnownMessageRole": "message_role",
    "KnownOAuthFlowStatus": "o_auth_flow_status",
    "KnownSortOrder": "sort_order",
    "KnownThreadMessageRole": "thread_message_role",
    "KnownToolCallStatus": "tool_call_status",
    "KnownWebhookEventType": "webhook_event_type",
    "KnownWorkflowActionType": "workflow_action_type",
    "KnownWorkflowInstanceStatus": "workflow_instance_status",
    "KnownWorkflowStateType": "workflow_state_type",
    "Message": "message",
    "MessageComplete": "message_complete",
    "MessageDelta": "message_delta",
    "MessageListResponse": "message_list_response",
    "MessageResponse": "message_response",
    "MessageRole": "message_role",
    "OAuthAuthorization": "o_auth_authorization",
    "OAuthAuthorizationResponse": "o_auth_authorization_response",
    "OAuthFlow": "o_auth_flow",
    "OAuthFlowResponse": "o_auth_flow_response",
    "OAuthFlowStatus": "o_auth_flow_status",
    "PaginationMeta": "pagination_meta",
    "PresentationField": "presentation_field",
    "RevokeTokenRequest": "revoke_token_request",
    "Room": "room",
    "RoomListResponse": "room_list_response",
    "RoomMessageCreatedData": "room_message_created_data",
    "RoomMessageCreatedEvent": "room_message_created_event",
    "RoomMessageUpdatedData": "room_message_updated_data",
    "RoomMessageUpdatedEvent": "room_message_updated_event",
    "RoomResponse": "room_response",
    "RoomToolCallCompletedData": "room_tool_call_completed_data",
    "RoomToolCallCompletedEvent": "room_tool_call_completed_event",
    "RoomToolCallPendingData": "room_tool_call_pending_data",
    "RoomToolCallPendingEvent": "room_tool_call_pending_event",
    "SemanticMapping": "semantic_mapping",
    "SendMessageRequest": "send_message_request",
    "SendWorkflowThreadMessageRequest": "send_workflow_thread_message_request",
    "SortOrder": "sort_order",
    "StartWorkflowInstanceRequest": "start_workflow_instance_request",
    "StreamErrorEvent": "stream_error_event",
    "StreamEvent": "stream_event",
    "SubmitToolResultRequest": "submit_tool_result_request",
    "ThreadMessage": "thread_message",
    "ThreadMessageResponse": "thread_message_response",
    "ThreadMessageRole": "thread_message_role",
    "Tool": "tool",
    "ToolCall": "tool_call",
    "ToolCallComplete": "tool_call_complete",
    "ToolCallStart": "tool_call_start",
    "ToolCallStatus": "tool_call_status",
    "ToolListResponse": "tool_list_response",
    "ToolResponse": "tool_response",
    "TriggerWorkflowEventRequest": "trigger_workflow_event_request",
    "UnknownEvent": "unknown_event",
    "UnknownWebhookEvent": "unknown_webhook_event",
    "UpdateAssistantRequest": "update_assistant_request",
    "UpdateDataSourceRequest": "update_data_source_request",
    "UpdateRoomRequest": "update_room_request",
    "UpdateToolRequest": "update_tool_request",
    "UpdateWebhookRequest": "update_webhook_request",
    "Webhook": "webhook",
    "WebhookEvent": "webhook_event",
    "WebhookEventType": "webhook_event_type",
    "WebhookListResponse": "webhook_list_response",
    "WebhookResponse": "webhook_response",
    "Workflow": "workflow",
    "WorkflowAction": "workflow_action",
    "WorkflowActionType": "workflow_action_type",
    "WorkflowHalted": "workflow_halted",
    "WorkflowInstance": "workflow_instance",
    "WorkflowInstanceCancelledData": "workflow_instance_cancelled_data",
    "WorkflowInstanceCancelledEvent": "workflow_instance_cancelled_event",
    "WorkflowInstanceCompletedData": "workflow_instance_completed_data",
    "WorkflowInstanceCompletedEvent": "workflow_instance_completed_event",
    "WorkflowInstanceFailedData": "workflow_instance_failed_data",
    "WorkflowInstanceFailedEvent": "workflow_instance_failed_event",
    "WorkflowInstanceHaltedData": "workflow_instance_halted_data",
    "WorkflowInstanceHaltedEvent": "workflow_instance_halted_event",
    "WorkflowInstanceListResponse": "workflow_instance_list_response",
    "WorkflowInstanceResponse": "workflow_instance_response",
    "WorkflowInstanceStartedData": "workflow_instance_started_data",
    "WorkflowInstanceStartedEvent": "workflow_instance_started_event",
    "WorkflowInstanceStateChangedData": "workflow_instance_state_changed_data",
    "WorkflowInstanceStateChangedEvent": "workflow_instance_state_changed_event",
    "WorkflowInstanceStatus": "workflow_instance_status",
    "WorkflowListResponse": "workflow_list_response",
    "WorkflowResponse": "workflow_response",
    "WorkflowState": "workflow_state",
    "WorkflowStateChanged": "workflow_state_changed",
    "WorkflowStateType": "workflow_state_type",
    "WorkflowThread": "workflow_thread",
    "WorkflowThreadResponse": "workflow_thread_response",
    "WorkflowTransition": "workflow_transition",
}


# Out of sight of type checkers, which would let every misspelt name pass.
if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        if name not in _MODULES:
            raise missing_name(__name__, name)
        value = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


__all__ = [
    "EVENT_MODELS",
    "AccessToken",
    "AccessTokenResponse",
    "Assistant",
    "AssistantListResponse",
    "AssistantResponse",
    "CompleteOAuthRequest",
    "CreateAssistantRequest",
    "CreateDataSourceRequest",
    "CreateRoomRequest",
    "CreateTokenRequest",
    "CreateToolRequest",
    "CreateWebhookRequest",
    "CreateWorkflowRequest",
    "Credential",
    "CredentialConnectedData",
    "CredentialConnectedEvent",
    "CredentialErrorData",
    "CredentialErrorEvent",
    "CredentialExpiredData",
    "CredentialExpiredEvent",
    "CredentialListResponse",
    "CredentialRefreshedData",
    "CredentialRefreshedEvent",
    "CredentialResponse",
    "CredentialRevokedData",
    "CredentialRevokedEvent",
    "CredentialStatus",
    "CredentialToken",
    "CredentialTokenResponse",
    "DataSource",
    "DataSourceListResponse",
    "DataSourceResponse",
    "DataSourceSync",
    "DataSourceSyncResponse",
    "DataSourceType",
    "ErrorBody",
    "ErrorCode",
    "ErrorDetail",
    "ErrorResponse",
    "FailureDetail",
    "HaltingPresentation",
    "HaltingPresentationType",
    "InitiateOAuthRequest",
    "JsonObject",
    "JsonWebKey",
    "JsonWebKeySet",
    "KnownCredentialStatus",
    "KnownDataSourceType",
    "KnownErrorCode",
    "KnownHaltingPresentationType",
    "KnownMessageRole",
    "KnownOAuthFlowStatus",
    "KnownSortOrder",
    "KnownThreadMessageRole",
    "KnownToolCallStatus",
    "KnownWebhookEventType",
    "KnownWorkflowActionType",
    "KnownWorkflowInstanceStatus",
    "KnownWorkflowStateType",
    "Message",
    "MessageComplete",
    "MessageDelta",
    "MessageListResponse",
    "MessageResponse",
    "MessageRole",
    "OAuthAuthorization",
    "OAuthAuthorizationResponse",
    "OAuthFlow",
    "OAuthFlowResponse",
    "OAuthFlowStatus",
    "PaginationMeta",
    "PresentationField",
    "RevokeTokenRequest",
    "Room",
    "RoomListResponse",
    "RoomMessageCreatedData",
    "RoomMessageCreatedEvent",
    "RoomMessageUpdatedData",
    "RoomMessageUpdatedEvent",
    "RoomResponse",
    "RoomToolCallCompletedData",
    "RoomToolCallCompletedEvent",
    "RoomToolCallPendingData",
    "RoomToolCallPendingEvent",
    "SemanticMapping",
    "SendMessageRequest",
    "SendWorkflowThreadMessageRequest",
    "SortOrder",
    "StartWorkflowInstanceRequest",
    "StreamErrorEvent",
    "StreamEvent",
    "SubmitToolResultRequest",
    "ThreadMessage",
    "ThreadMessageResponse",
    "ThreadMessageRole",
    "Tool",
    "ToolCall",
    "ToolCallComplete",
    "ToolCallStart",
    "ToolCallStatus",
    "ToolListResponse",
    "ToolResponse",
    "TriggerWorkflowEventRequest",
    "UnknownEvent",
    "UnknownWebhookEvent",
    "UpdateAssistantRequest",
    "UpdateDataSourceRequest",
    "UpdateRoomRequest",
    "UpdateToolRequest",
    "UpdateWebhookRequest",
    "Webhook",
    "WebhookEvent",
    "WebhookEventType",
    "WebhookListResponse",
    "WebhookResponse",
    "Workflow",
    "WorkflowAction",
    "WorkflowActionType",
    "WorkflowHalted",
    "WorkflowInstance",
    "WorkflowInstanceCancelledData",
    "WorkflowInstanceCancelledEvent",
    "WorkflowInstanceCompletedData",
    "WorkflowInstanceCompletedEvent",
    "WorkflowInstanceFailedData",
    "WorkflowInstanceFailedEvent",
    "WorkflowInstanceHaltedData",
    "WorkflowInstanceHaltedEvent",
    "WorkflowInstanceListResponse",
    "WorkflowInstanceResponse",
    "WorkflowInstanceStartedData",
    "WorkflowInstanceStartedEvent",
    "WorkflowInstanceStateChangedData",
    "WorkflowInstanceStateChangedEvent",
    "WorkflowInstanceStatus",
    "WorkflowListResponse",
    "WorkflowResponse",
    "WorkflowState",
    "WorkflowStateChanged",
    "WorkflowStateType",
    "WorkflowThread",
    "WorkflowThreadResponse",
    "WorkflowTransition",
]
