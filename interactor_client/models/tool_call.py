from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import define as _define
from attrs import field as _field

from interactor_client.base import Model as _Model
from interactor_client.types import UNSET, Unset
from interactor_client.wire import ABSENT, as_dict, as_object, as_received, as_str, names_only, to_json


@_define(kw_only=True)
class ToolCall(_Model):
    """An assistant's request to run a tool.

    Attributes:
        id: Id of the call, for `tools.submit_result` (`tc_...`).
        tool_id: The tool to run (`tool_...`).
        arguments: What to run it with. A model wrote it, so check it against the tool's schema first.
        status: `pending` waits for `tools.submit_result`, `completed` has its result, `failed` has none and
            never will.
        result: The result of the tool, once it is completed.
    """

    id: str
    """Id of the call, for `tools.submit_result` (`tc_...`)."""
    tool_id: str | None = None
    """The tool to run (`tool_...`)."""
    arguments: JsonObject = _field(factory=dict)
    """What to run it with. A model wrote it, so check it against the tool's schema first."""
    status: ToolCallStatus | None = None
    """`pending` waits for `tools.submit_result`, `completed` has its result, `failed` has none and never will."""
    result: Any | Unset = UNSET
    """The result of the tool, once it is completed."""
    additional_properties: dict[str, Any] = _field(factory=dict, repr=names_only)
    """Undocumented fields."""
    left_out: dict[str, Unset | None] = _field(factory=dict, eq=False, repr=False)
    """Fields that were left out of the response (UNSET), or null (None), and read as empty."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON object, without UNSET fields."""
        _json: dict[str, Any] = to_json(self.additional_properties)
        _json["id"] = self.id
        if self.tool_id is not None:
            _json["tool_id"] = self.tool_id
        _json["arguments"] = to_json(self.arguments)
        if self.status is not None:
            _json["status"] = self.status
        if self.result is not UNSET:
            _json["result"] = to_json(self.result)
        return as_received(_json, self.left_out)

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        """The model of a JSON object. Undocumented fields go to `additional_properties`.

        Raises:
            DecodeError: a field is missing, or has the wrong type.
        """
        if cls is not ToolCall:
            return cls._of(ToolCall.from_dict(src_dict))
        _json = src_dict.copy() if type(src_dict) is dict else as_object("ToolCall", src_dict)
        _left_out: dict[str, Unset | None] = {}
        id = _json.pop("id", ABSENT)
        if type(id) is not str:
            id = as_str("ToolCall", "id", id)
        tool_id = _json.pop("tool_id", ABSENT)
        if tool_id is None or tool_id is UNSET:
            _left_out["tool_id"] = tool_id
            tool_id = None
        else:
            if type(tool_id) is not str:
                tool_id = as_str("ToolCall", "tool_id", tool_id)
        arguments = _json.pop("arguments", ABSENT)
        if arguments is None or arguments is UNSET:
            _left_out["arguments"] = arguments
            arguments = {}
        else:
            if type(arguments) is not dict:
                arguments = as_dict("ToolCall", "arguments", arguments)
        status = _json.pop("status", ABSENT)
        if status is None or status is UNSET:
            _left_out["status"] = status
            status = None
        else:
            if type(status) is not str:
                status = as_str("ToolCall", "status", status)
        result = _json.pop("result", ABSENT)
        _self = cls.__new__(cls)
        _self.id = id
        _self.tool_id = tool_id
        _self.arguments = arguments
        _self.status = status
        _self.result = result
        _self.additional_properties = _json
        _self.left_out = _left_out
        return _self


# At the foot, where models that contain each other find this one defined.
from .json_object import JsonObject  # noqa: E402
from .tool_call_status import ToolCallStatus  # noqa: E402

ToolCall.__init__.__globals__.update(globals())  # attrs copied them before, and `typing.get_type_hints` looks there
