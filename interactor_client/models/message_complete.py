from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from attrs import define as _define
from attrs import field as _field

from interactor_client.base import Model as _Model
from interactor_client.errors import DecodeError
from interactor_client.wire import ABSENT, as_const, as_object, names_only, to_json


@_define(kw_only=True)
class MessageComplete(_Model):
    """The assistant's message is complete. It replaces the pieces sent so far.

    Attributes:
        type: Always `message.complete`.
        message: A message in a room.
    """

    type: Literal["message.complete"] = "message.complete"
    """Always `message.complete`."""
    message: Message
    """A message in a room."""
    additional_properties: dict[str, Any] = _field(factory=dict, repr=names_only)
    """Undocumented fields."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON object, without UNSET fields."""
        _json: dict[str, Any] = to_json(self.additional_properties)
        _json["type"] = self.type
        _json["message"] = to_json(self.message)
        return _json

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        """The model of a JSON object. Undocumented fields go to `additional_properties`.

        Raises:
            DecodeError: a field is missing, or has the wrong type.
        """
        if cls is not MessageComplete:
            return cls._of(MessageComplete.from_dict(src_dict))
        _json = src_dict.copy() if type(src_dict) is dict else as_object("MessageComplete", src_dict)
        if "message" not in _json:
            # Some servers send what belongs into it in its place.
            _json = {"type": _json.pop("type", ABSENT), "message": _json}
        type_ = _json.pop("type", ABSENT)
        if type_ != "message.complete":
            type_ = as_const("MessageComplete", "type", type_, "message.complete")
        message = _json.pop("message", ABSENT)
        try:
            message = Message.from_dict(message)
        except DecodeError as _error:
            raise _error.at("MessageComplete", "message") from None
        _self = cls.__new__(cls)
        _self.type = type_
        _self.message = message
        _self.additional_properties = _json
        return _self


# At the foot, where models that contain each other find this one defined.
from .message import Message  # noqa: E402

MessageComplete.__init__.__globals__.update(
    globals()
)  # attrs copied them before, and `typing.get_type_hints` looks there
