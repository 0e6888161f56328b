from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from attrs import define as _define
from attrs import field as _field

from interactor_client.base import Model as _Model
from interactor_client.errors import DecodeError
from interactor_client.wire import ABSENT, as_const, as_object, names_only, to_json


@_define(kw_only=True)
class ToolCallComplete(_Model):
    """A tool call has its result.

    Attributes:
        type: Always `tool_call.complete`.
        tool_call: An assistant's request to run a tool.
    """

    type: Literal["tool_call.complete"] = "tool_call.complete"
    """Always `tool_call.complete`."""
    tool_call: ToolCall
    """An assistant's request to run a tool."""
    additional_properties: dict[str, Any] = _field(factory=dict, repr=names_only)
    """Undocumented fields."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON object, without UNSET fields."""
        _json: dict[str, Any] = to_json(self.additional_properties)
        _json["type"] = self.type
        _json["tool_call"] = to_json(self.tool_call)
        return _json

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        """The model of a JSON object. Undocumented fields go to `additional_properties`.

        Raises:
            DecodeError: a field is missing, or has the wrong type.
        """
        if cls is not ToolCallComplete:
            return cls._of(ToolCallComplete.from_dict(src_dict))
        _json = src_dict.copy() if type(src_dict) is dict else as_object("ToolCallComplete", src_dict)
        if "tool_call" not in _json:
            # Some servers send what belongs into it in its place.
            _json = {"type": _json.pop("type", ABSENT), "tool_call": _json}
        type_ = _json.pop("type", ABSENT)
        if type_ != "tool_call.complete":
            type_ = as_const("ToolCallComplete", "type", type_, "tool_call.complete")
        tool_call = _json.pop("tool_call", ABSENT)
        try:
            tool_call = ToolCall.from_dict(tool_call)
        except DecodeError as _error:
            raise _error.at("ToolCallComplete", "tool_call") from None
        _self = cls.__new__(cls)
        _self.type = type_
        _self.tool_call = tool_call
        _self.additional_properties = _json
        return _self


# At the foot, where models that contain each other find this one defined.
from .tool_call import ToolCall  # noqa: E402

ToolCallComplete.__init__.__globals__.update(
    globals()
)  # attrs copied them before, and `typing.get_type_hints` looks there
