from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from attrs import define as _define
from attrs import field as _field

from interactor_client.base import Model as _Model
from interactor_client.types import UNSET, Unset
from interactor_client.wire import ABSENT, as_const, as_object, as_received, as_str, names_only, to_json


@_define(kw_only=True)
class MessageDelta(_Model):
    """The next piece of the message that the assistant is writing.

    Attributes:
        type: Always `message.delta`.
        content: What to append, unchanged. May be a part of a word.
    """

    type: Literal["message.delta"] = "message.delta"
    """Always `message.delta`."""
    content: str = ""
    """What to append, unchanged. May be a part of a word."""
    additional_properties: dict[str, Any] = _field(factory=dict, repr=names_only)
    """Undocumented fields."""
    left_out: dict[str, Unset | None] = _field(factory=dict, eq=False, repr=False)
    """Fields that were left out of the response (UNSET), or null (None), and read as empty."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON object, without UNSET fields."""
        _json: dict[str, Any] = to_json(self.additional_properties)
        _json["type"] = self.type
        _json["content"] = to_json(self.content)
        return as_received(_json, self.left_out)

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        """The model of a JSON object. Undocumented fields go to `additional_properties`.

        Raises:
            DecodeError: a field is missing, or has the wrong type.
        """
        if cls is not MessageDelta:
            return cls._of(MessageDelta.from_dict(src_dict))
        _json = src_dict.copy() if type(src_dict) is dict else as_object("MessageDelta", src_dict)
        _left_out: dict[str, Unset | None] = {}
        type_ = _json.pop("type", ABSENT)
        if type_ != "message.delta":
            type_ = as_const("MessageDelta", "type", type_, "message.delta")
        content = _json.pop("content", ABSENT)
        if content is None or content is UNSET:
            _left_out["content"] = content
            content = ""
        else:
            if type(content) is not str:
                content = as_str("MessageDelta", "content", content)
        _self = cls.__new__(cls)
        _self.type = type_
        _self.content = content
        _self.additional_properties = _json
        _self.left_out = _left_out
        return _self
