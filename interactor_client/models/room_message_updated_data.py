from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import define as _define
from attrs import field as _field

from interactor_client.base import Model as _Model
from interactor_client.errors import DecodeError
from interactor_client.types import UNSET, Unset
from interactor_client.wire import ABSENT, as_list, as_object, as_received, as_str, names_only, to_json


@_define(kw_only=True)
class RoomMessageUpdatedData(_Model):
    """The message as it is now.

    Attributes:
        message_id: The message (`msg_...`).
        room_id: The room (`room_...`).
        role: Who speaks.
        content: What was said.
        tool_calls: Tools that the assistant calls; null or empty if there are none.
        namespace: The tenant that it belongs to.
    """

    message_id: str
    """The message (`msg_...`)."""
    room_id: str
    """The room (`room_...`)."""
    role: MessageRole | None = None
    """Who speaks."""
    content: str = ""
    """What was said."""
    tool_calls: list[ToolCall] | None | Unset = UNSET
    """Tools that the assistant calls; null or empty if there are none."""
    namespace: str | Unset = UNSET
    """The tenant that it belongs to."""
    additional_properties: dict[str, Any] = _field(factory=dict, repr=names_only)
    """Undocumented fields."""
    left_out: dict[str, Unset | None] = _field(factory=dict, eq=False, repr=False)
    """Fields that were left out of the response (UNSET), or null (None), and read as empty."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON object, without UNSET fields."""
        _json: dict[str, Any] = to_json(self.additional_properties)
        _json["message_id"] = self.message_id
        _json["room_id"] = self.room_id
        if self.role is not None:
            _json["role"] = self.role
        _json["content"] = self.content
        if self.tool_calls is not UNSET:
            _json["tool_calls"] = to_json(self.tool_calls)
        if self.namespace is not UNSET and self.namespace is not None:
            _json["namespace"] = self.namespace
        return as_received(_json, self.left_out)

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        """The model of a JSON object. Undocumented fields go to `additional_properties`.

        Raises:
            DecodeError: a field is missing, or has the wrong type.
        """
        if cls is not RoomMessageUpdatedData:
            return cls._of(RoomMessageUpdatedData.from_dict(src_dict))
        _json = src_dict.copy() if type(src_dict) is dict else as_object("RoomMessageUpdatedData", src_dict)
        _left_out: dict[str, Unset | None] = {}
        message_id = _json.pop("message_id", ABSENT)
        if type(message_id) is not str:
            message_id = as_str("RoomMessageUpdatedData", "message_id", message_id)
        room_id = _json.pop("room_id", ABSENT)
        if type(room_id) is not str:
            room_id = as_str("RoomMessageUpdatedData", "room_id", room_id)
        role = _json.pop("role", ABSENT)
        if role is None or role is UNSET:
            _left_out["role"] = role
            role = None
        else:
            if type(role) is not str:
                role = as_str("RoomMessageUpdatedData", "role", role)
        content = _json.pop("content", ABSENT)
        if content is None or content is UNSET:
            _left_out["content"] = content
            content = ""
        else:
            if type(content) is not str:
                content = as_str("RoomMessageUpdatedData", "content", content)
        tool_calls = _json.pop("tool_calls", ABSENT)
        if tool_calls is not UNSET and tool_calls is not None:
            if type(tool_calls) is not list:
                tool_calls = as_list("RoomMessageUpdatedData", "tool_calls", tool_calls)
            _tool_calls_items = tool_calls
            tool_calls = []
            for _tool_calls_item in _tool_calls_items:
                try:
                    _tool_calls_item = ToolCall.from_dict(_tool_calls_item)
                except DecodeError as _error:
                    raise _error.at("RoomMessageUpdatedData", f"tool_calls[{len(tool_calls)}]") from None
                tool_calls.append(_tool_calls_item)
        namespace = _json.pop("namespace", ABSENT)
        if type(namespace) is not str and namespace is not UNSET:
            namespace = UNSET if namespace is None else as_str("RoomMessageUpdatedData", "namespace", namespace)
        _self = cls.__new__(cls)
        _self.message_id = message_id
        _self.room_id = room_id
        _self.role = role
        _self.content = content
        _self.tool_calls = tool_calls
        _self.namespace = namespace
        _self.additional_properties = _json
        _self.left_out = _left_out
        return _self


# At the foot, where models that contain each other find this one defined.
from .message_role import MessageRole  # noqa: E402
from .tool_call import ToolCall  # noqa: E402

RoomMessageUpdatedData.__init__.__globals__.update(
    globals()
)  # attrs copied them before, and `typing.get_type_hints` looks there
