from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import define as _define
from attrs import field as _field

from interactor_client.base import Model as _Model
from interactor_client.types import UNSET, Unset
from interactor_client.wire import ABSENT, as_object, as_str, names_only, to_json


@_define(kw_only=True)
class RoomToolCallCompletedData(_Model):
    """The call that got its result.

    Attributes:
        tool_call_id: The call (`tc_...`).
        room_id: The room (`room_...`).
        tool_id: The tool that was run (`tool_...`).
        tool_name: Name of the tool.
        status: `pending` waits for `tools.submit_result`, `completed` has its result, `failed` has none and
            never will.
        result: The result of the tool.
        namespace: The tenant that it belongs to.
    """

    tool_call_id: str
    """The call (`tc_...`)."""
    room_id: str
    """The room (`room_...`)."""
    tool_id: str | Unset = UNSET
    """The tool that was run (`tool_...`)."""
    tool_name: str | Unset = UNSET
    """Name of the tool."""
    status: ToolCallStatus | Unset = UNSET
    """`pending` waits for `tools.submit_result`, `completed` has its result, `failed` has none and never will."""
    result: Any | Unset = UNSET
    """The result of the tool."""
    namespace: str | Unset = UNSET
    """The tenant that it belongs to."""
    additional_properties: dict[str, Any] = _field(factory=dict, repr=names_only)
    """Undocumented fields."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON object, without UNSET fields."""
        _json: dict[str, Any] = to_json(self.additional_properties)
        _json["tool_call_id"] = self.tool_call_id
        _json["room_id"] = self.room_id
        if self.tool_id is not UNSET and self.tool_id is not None:
            _json["tool_id"] = self.tool_id
        if self.tool_name is not UNSET and self.tool_name is not None:
            _json["tool_name"] = self.tool_name
        if self.status is not UNSET and self.status is not None:
            _json["status"] = self.status
        if self.result is not UNSET:
            _json["result"] = to_json(self.result)
        if self.namespace is not UNSET and self.namespace is not None:
            _json["namespace"] = self.namespace
        return _json

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        """The model of a JSON object. Undocumented fields go to `additional_properties`.

        Raises:
            DecodeError: a field is missing, or has the wrong type.
        """
        if cls is not RoomToolCallCompletedData:
            return cls._of(RoomToolCallCompletedData.from_dict(src_dict))
        _json = src_dict.copy() if type(src_dict) is dict else as_object("RoomToolCallCompletedData", src_dict)
        tool_call_id = _json.pop("tool_call_id", ABSENT)
        if type(tool_call_id) is not str:
            tool_call_id = as_str("RoomToolCallCompletedData", "tool_call_id", tool_call_id)
        room_id = _json.pop("room_id", ABSENT)
        if type(room_id) is not str:
            room_id = as_str("RoomToolCallCompletedData", "room_id", room_id)
        tool_id = _json.pop("tool_id", ABSENT)
        if type(tool_id) is not str and tool_id is not UNSET:
            tool_id = UNSET if tool_id is None else as_str("RoomToolCallCompletedData", "tool_id", tool_id)
        tool_name = _json.pop("tool_name", ABSENT)
        if type(tool_name) is not str and tool_name is not UNSET:
            tool_name = UNSET if tool_name is None else as_str("RoomToolCallCompletedData", "tool_name", tool_name)
        status = _json.pop("status", ABSENT)
        if type(status) is not str and status is not UNSET:
            status = UNSET if status is None else as_str("RoomToolCallCompletedData", "status", status)
        result = _json.pop("result", ABSENT)
        namespace = _json.pop("namespace", ABSENT)
        if type(namespace) is not str and namespace is not UNSET:
            namespace = UNSET if namespace is None else as_str("RoomToolCallCompletedData", "namespace", namespace)
        _self = cls.__new__(cls)
        _self.tool_call_id = tool_call_id
        _self.room_id = room_id
        _self.tool_id = tool_id
        _self.tool_name = tool_name
        _self.status = status
        _self.result = result
        _self.namespace = namespace
        _self.additional_properties = _json
        return _self


# At the foot, where models that contain each other find this one defined.
from .tool_call_status import ToolCallStatus  # noqa: E402

RoomToolCallCompletedData.__init__.__globals__.update(
    globals()
)  # attrs copied them before, and `typing.get_type_hints` looks there
