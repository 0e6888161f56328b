from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import define as _define
from attrs import field as _field

from interactor_client.base import Model as _Model
from interactor_client.types import UNSET, Unset
from interactor_client.wire import ABSENT, as_bool, as_object, as_str, names_only, to_json


@_define(kw_only=True)
class SendMessageRequest(_Model):
    """A message to send.

    Attributes:
        content: What to say.
        stream: True to return at once and send the reply through the room's stream. By default the call
            waits for it.
        role: Who speaks. Defaults to the user.
    """

    content: str
    """What to say."""
    stream: bool | None | Unset = UNSET
    """True to return at once and send the reply through the room's stream. By default the call waits for it."""
    role: KnownMessageRole | None | Unset = UNSET
    """Who speaks. Defaults to the user."""
    additional_properties: dict[str, Any] = _field(factory=dict, repr=names_only)
    """Undocumented fields."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON object, without UNSET fields."""
        _json: dict[str, Any] = to_json(self.additional_properties)
        _json["content"] = self.content
        if self.stream is not UNSET and self.stream is not None:
            _json["stream"] = to_json(self.stream)
        if self.role is not UNSET and self.role is not None:
            _json["role"] = to_json(self.role)
        return _json

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        """The model of a JSON object. Undocumented fields go to `additional_properties`.

        Raises:
            DecodeError: a field is missing, or has the wrong type.
        """
        if cls is not SendMessageRequest:
            return cls._of(SendMessageRequest.from_dict(src_dict))
        _json = src_dict.copy() if type(src_dict) is dict else as_object("SendMessageRequest", src_dict)
        content = _json.pop("content", ABSENT)
        if type(content) is not str:
            content = as_str("SendMessageRequest", "content", content)
        stream = _json.pop("stream", ABSENT)
        if stream is not UNSET and stream is not None:
            if type(stream) is not bool:
                stream = as_bool("SendMessageRequest", "stream", stream)
        role = _json.pop("role", ABSENT)
        if role is not UNSET and role is not None:
            if type(role) is not str:
                role = as_str("SendMessageRequest", "role", role)
        _self = cls.__new__(cls)
        _self.content = content
        _self.stream = stream
        _self.role = role
        _self.additional_properties = _json
        return _self


# At the foot, where models that contain each other find this one defined.
from .message_role import KnownMessageRole  # noqa: E402

SendMessageRequest.__init__.__globals__.update(
    globals()
)  # attrs copied them before, and `typing.get_type_hints` looks there
