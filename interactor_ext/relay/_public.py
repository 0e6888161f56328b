"""What browsers get: only the listed fields of the platform's models."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from interactor_client import models
from interactor_ext._engine.arguments import require_flags
from interactor_ext._engine.errors import ConfigurationError, ResponseValidationError

ROOM_NAME = "room_name"
"""The metadata key for the name that a user gave a room."""
TOOL_NAME = "tool_name"
_ROLES = ("user", "assistant")
_REPORTED = "The platform reported an error."
_FIELDS: dict[type, tuple[str, ...]] = {
    models.Room: ("id", "assistant_id", "created_at"),
    models.Message: ("id", "room_id", "role", "created_at", "content", "tool_calls"),
    models.ToolCall: ("id", "tool_id", "status"),
    models.WorkflowInstance: ("id", "workflow_id", "current_state", "status", "created_at", "updated_at"),
    models.HaltingPresentation: ("type", "config", "title", "description", "fields"),
    models.PresentationField: ("name", "type", "label", "required"),
    models.MessageDelta: ("type", "content"),
    models.MessageComplete: ("type", "message"),
    models.ToolCallStart: ("type", "tool_call"),
    models.ToolCallComplete: ("type", "tool_call"),
    models.WorkflowStateChanged: ("type", "state"),
    models.WorkflowHalted: ("type", "presentation"),
}
_PARTS: dict[str, type] = {
    "message": models.Message,
    "tool_call": models.ToolCall,
    "tool_calls": models.ToolCall,
    "presentation": models.HaltingPresentation,
    "fields": models.PresentationField,
}
_EVENTS = {event: getattr(models, name) for event, name in models.EVENT_MODELS["StreamEvent"].items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Show:
    """What a browser gets, in histories and streams, in addition to what every chat needs.

    By default: texts of users and assistants, ids, times, the names and states of tools, the questions of halted
    workflows, and the state and status of a workflow instance. `tool_arguments` and `tool_results` add the arguments
    and results of tool calls, and `context` names the visible keys of a workflow instance's context.
    """

    tool_arguments: bool = False
    tool_results: bool = False
    context: tuple[str, ...] | list[str] = ()

    def __post_init__(self) -> None:
        require_flags(tool_arguments=self.tool_arguments, tool_results=self.tool_results)
        if isinstance(self.context, str) or not all(isinstance(key, str) for key in self.context):
            raise ConfigurationError(f'context= must be a list of keys, such as ["order_id"], not {self.context!r}.')


def public_json(model: Any, show: Show) -> dict[str, Any] | None:
    """Return the JSON object of a model; None if browsers don't get such models."""
    return _public(type(model), model.to_dict(), show) if type(model) in _FIELDS else None


def public_event(event: Any, show: Show) -> dict[str, Any] | None:
    """Return an event as browsers get it. An event that doesn't fit its model keeps the same fields, as sent."""
    if isinstance(event, models.StreamErrorEvent):
        return {"type": event.type, "error": _REPORTED}
    sent = event.item if isinstance(event, ResponseValidationError) else event.to_dict()
    kind = _EVENTS.get(sent["type"])
    return _public(kind, sent, show) if kind in _FIELDS else None


def _public(kind: Any, sent: dict[str, Any], show: Show) -> dict[str, Any] | None:
    said = sent.get("message") if kind is models.MessageComplete else sent if kind is models.Message else None
    # A complete message without a role is the assistant's.
    if isinstance(said, dict) and (said.get("role") or ("" if kind is models.Message else "assistant")) not in _ROLES:
        return None
    document: dict[str, Any] = _object(kind, sent, show)
    return document


def _object(kind: Any, sent: Any, show: Show) -> Any:
    if isinstance(sent, list):
        return [_object(kind, each, show) for each in sent]
    if not isinstance(sent, dict):
        return None
    document = {
        name: _object(_PARTS[name], sent[name], show) if name in _PARTS else sent[name]
        for name in _FIELDS[kind]
        if name in sent
    }
    if kind is models.Room:
        document |= _text(sent.get("metadata"), ROOM_NAME, "name")
    elif kind is models.ToolCall:
        document |= _text(sent, TOOL_NAME, TOOL_NAME)
        shown = {"arguments": show.tool_arguments, "result": show.tool_results}
        document |= {name: sent[name] for name, is_shown in shown.items() if is_shown and name in sent}
    elif kind in (models.WorkflowInstance, models.WorkflowStateChanged):
        context = sent.get("context")
        known = context if isinstance(context, dict) else {}
        document["context"] = {key: known[key] for key in show.context if key in known}
    return document


def _text(values: Any, name: str, shown_as: str) -> dict[str, str]:
    """Return the text under its new name, if there is one."""
    return {shown_as: values[name]} if isinstance(values, dict) and isinstance(values.get(name), str) else {}


def dump(document: Any) -> str:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))
