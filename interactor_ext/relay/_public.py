"""What a browser gets: of the platform's models only the fields listed here; and the modules that show them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

from interactor_client.models import (
    HaltingPresentation,
    Message,
    MessageComplete,
    MessageDelta,
    PresentationField,
    Room,
    ToolCall,
    ToolCallComplete,
    ToolCallStart,
    WorkflowHalted,
    WorkflowInstance,
    WorkflowStateChanged,
)
from interactor_client.types import UNSET
from interactor_client.wire import to_json
from interactor_ext._errors import ConfigurationError

FOLDER = Path(__file__).with_name("static")
_NAMES = frozenset(path.name for path in FOLDER.glob("*.js"))
ROOM_NAME = "room_name"
"""Where a room's metadata has the name that its user gave it."""
TOOL_NAME = "tool_name"
_ROLES = frozenset({"user", "assistant"})
_FIELDS: dict[type, tuple[str, ...]] = {
    Room: ("id", "assistant_id", "created_at"),
    Message: ("id", "room_id", "role", "created_at", "content", "tool_calls"),
    ToolCall: ("id", "tool_id", "status"),
    WorkflowInstance: ("id", "workflow_id", "current_state", "status", "created_at", "updated_at"),
    HaltingPresentation: ("type", "config", "title", "description", "fields"),
    PresentationField: ("name", "type", "label", "required"),
    MessageDelta: ("type", "content"),
    MessageComplete: ("type", "message"),
    ToolCallStart: ("type", "tool_call"),
    ToolCallComplete: ("type", "tool_call"),
    WorkflowStateChanged: ("type", "state"),
    WorkflowHalted: ("type", "presentation"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Show:
    """What a browser gets in addition to what each chat needs, in the history and in streams.

    By default: texts of users and assistants, ids, times, the names and states of tools, what a halted workflow asks,
    and the state and status of a workflow instance. `tool_arguments` and `tool_results` add the arguments and results
    of tool calls, and `context` names the visible keys of a workflow instance's context.
    """

    tool_arguments: bool = False
    tool_results: bool = False
    context: tuple[str, ...] | list[str] = ()

    def __post_init__(self) -> None:
        if isinstance(self.context, str) or not all(isinstance(key, str) for key in self.context):
            raise ConfigurationError(f'context= must be a list of keys, such as ["order_id"], not {self.context!r}.')


def public_json(model: Any, show: Show) -> dict[str, Any] | None:
    """The JSON object of a model; None for what no browser gets."""
    said = getattr(model, "message", model)
    if type(model) not in _FIELDS or (isinstance(said, Message) and said.role not in _ROLES):
        return None
    fields = _FIELDS[type(model)]
    document = {name: _public(getattr(model, name), show) for name in fields if getattr(model, name) is not UNSET}
    match model:
        case Room():
            document |= _text(model.metadata, ROOM_NAME, "name")
        case ToolCall():
            document |= _text(model.additional_properties, TOOL_NAME, TOOL_NAME)
            if show.tool_arguments:
                document["arguments"] = model.arguments
            if show.tool_results and model.result is not UNSET:
                document["result"] = model.result
        case WorkflowInstance() | WorkflowStateChanged():
            document["context"] = {key: model.context[key] for key in show.context if key in model.context}
    return document


def _public(value: Any, show: Show) -> Any:
    if isinstance(value, list):
        return [_public(each, show) for each in value]
    return public_json(value, show) if type(value) in _FIELDS else to_json(value)


def _text(values: dict[str, Any], name: str, shown_as: str) -> dict[str, str]:
    """A text that may be there."""
    return {shown_as: values[name]} if isinstance(values.get(name), str) else {}


def dump(document: Any) -> str:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


class StaticFile(NamedTuple):
    body: bytes
    etag: str


@cache
def static_file(name: str) -> StaticFile | None:
    if name not in _NAMES:
        return None
    body = (FOLDER / name).read_bytes()
    return StaticFile(body, f'"{blake2b(body, digest_size=12).hexdigest()}"')
