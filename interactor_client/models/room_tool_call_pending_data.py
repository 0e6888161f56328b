from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import define as _define
from attrs import field as _field

from interactor_client.base import Model as _Model
from interactor_client.types import UNSET, Unset
from interactor_client.wire import ABSENT, as_dict, as_object, as_received, as_str, names_only, to_json


@_define(kw_only=True)
class RoomToolCallPendingData(_Model):
    """The call to respond to with `tools.submit_result`.

    Attributes:
        tool_call_id: The call, for `tools.submit_result` (`tc_...`).
        room_id: The room (`room_...`).
        tool_id: The tool to run (`tool_...`).
        tool_name: Name of the tool.
        arguments: What to run it with. A model wrote it, so check it against the tool's schema first.
        namespace: The tenant that it belongs to.
    """

    tool_call_id: str
    """The call, for `tools.submit_result` (`tc_...`)."""
    room_id: str
    """The room (`room_...`)."""
    tool_id: str | None = None
    """The tool to run (`tool_...`)."""
    tool_name: str = ""
    """Name of the tool."""
    arguments: JsonObject = _field(factory=dict)
    """What to run it with. A model wrote it, so check it against the tool's schema first."""
    namespace: str | Unset = UNSET
    """The tenant that it belongs to."""
    additional_properties: dict[str, Any] = _field(factory=dict, repr=names_only)
    """Undocumented fields."""
    left_out: dict[str, Unset | None] = _field(factory=dict, eq=False, repr=False)
    """Fields that were left out of the response (UNSET), or null (None), and read as empty."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON object, without UNSET fields."""
        _json: dict[str, Any] = to_json(self.additional_properties)
        _json["tool_call_id"] = self.tool_call_id
        _json["room_id"] = self.room_id
        if self.tool_id is not None:
            _json["tool_id"] = self.tool_id
        _json["tool_name"] = self.tool_name
        _json["arguments"] = to_json(self.arguments)
        if self.namespace is not UNSET and self.namespace is not None:
            _json["namespace"] = self.namespace
        return as_received(_json, self.left_out)

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        """The model of a JSON object. Undocumented fields go to `additional_properties`.

        Raises:
            DecodeError: a field is missing, or has the wrong type.
        """
        if cls is not RoomToolCallPendingData:
            return cls._of(RoomToolCallPendingData.from_dict(src_dict))
        _json = src_dict.copy() if type(src_dict) is dict else as_object("RoomToolCallPendingData", src_dict)
        _left_out: dict[str, Unset | None] = {}
        tool_call_id = _json.pop("tool_call_id", ABSENT)
        if type(tool_call_id) is not str:
            tool_call_id = as_str("RoomToolCallPendingData", "tool_call_id", tool_call_id)
        room_id = _json.pop("room_id", ABSENT)
        if type(room_id) is not str:
            room_id = as_str("RoomToolCallPendingData", "room_id", room_id)
        tool_id = _json.pop("tool_id", ABSENT)
        if tool_id is None or tool_id is UNSET:
            _left_out["tool_id"] = tool_id
            tool_id = None
        else:
            if type(tool_id) is not str:
                tool_id = as_str("RoomToolCallPendingData", "tool_id", tool_id)
        tool_name = _json.pop("tool_name", ABSENT)
        if tool_name is None or tool_name is UNSET:
            _left_out["tool_name"] = tool_name
            tool_name = ""
        else:
            if type(tool_name) is not str:
                tool_name = as_str("RoomToolCallPendingData", "tool_name", tool_name)
        arguments = _json.pop("arguments", ABSENT)
        if arguments is None or arguments is UNSET:
            _left_out["arguments"] = arguments
            arguments = {}
        else:
            if type(arguments) is not dict:
                arguments = as_dict("RoomToolCallPendingData", "arguments", arguments)
        namespace = _json.pop("namespace", ABSENT)
        if type(namespace) is not str and namespace is not UNSET:
            namespace = UNSET if namespace is None else as_str("RoomToolCallPendingData", "namespace", namespace)
        _self = cls.__new__(cls)
        _self.tool_call_id = tool_call_id
        _self.room_id = room_id
        _self.tool_id = tool_id
        _self.tool_name = tool_name
        _self.arguments = arguments
        _self.namespace = namespace
        _self.additional_properties = _json
        _self.left_out = _left_out
        return _self


# At the foot, where models that contain each other find this one defined.
from .json_object import JsonObject  # noqa: E402

RoomToolCallPendingData.__init__.__globals__.update(
    globals()
)  # attrs copied them before, and `typing.get_type_hints` looks there
