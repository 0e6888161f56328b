from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import define as _define
from attrs import field as _field

from interactor_client.base import Model as _Model
from interactor_client.types import UNSET
from interactor_client.wire import ABSENT, as_object, as_str, names_only, raise_decode_error, to_json


@_define(kw_only=True)
class SubmitToolResultRequest(_Model):
    """The result of a tool.

    Attributes:
        tool_call_id: The call that the result belongs to (`tc_...`).
        result: Any JSON value, null included. The assistant reads it, so an error may be put in words.
    """

    tool_call_id: str
    """The call that the result belongs to (`tc_...`)."""
    result: Any
    """Any JSON value, null included. The assistant reads it, so an error may be put in words."""
    additional_properties: dict[str, Any] = _field(factory=dict, repr=names_only)
    """Undocumented fields."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON object, without UNSET fields."""
        _json: dict[str, Any] = to_json(self.additional_properties)
        _json["tool_call_id"] = self.tool_call_id
        _json["result"] = to_json(self.result)
        return _json

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        """The model of a JSON object. Undocumented fields go to `additional_properties`.

        Raises:
            DecodeError: a field is missing, or has the wrong type.
        """
        if cls is not SubmitToolResultRequest:
            return cls._of(SubmitToolResultRequest.from_dict(src_dict))
        _json = src_dict.copy() if type(src_dict) is dict else as_object("SubmitToolResultRequest", src_dict)
        tool_call_id = _json.pop("tool_call_id", ABSENT)
        if type(tool_call_id) is not str:
            tool_call_id = as_str("SubmitToolResultRequest", "tool_call_id", tool_call_id)
        result = _json.pop("result", ABSENT)
        if result is UNSET:
            raise_decode_error("SubmitToolResultRequest", "result", "any value", result)
        _self = cls.__new__(cls)
        _self.tool_call_id = tool_call_id
        _self.result = result
        _self.additional_properties = _json
        return _self
