from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import define as _define
from attrs import field as _field

from interactor_client.base import Model as _Model
from interactor_client.types import UNSET, Unset
from interactor_client.wire import ABSENT, as_dict, as_object, as_str, names_only, to_json


@_define(kw_only=True)
class CreateRoomRequest(_Model):
    """A new room.

    Attributes:
        assistant_id: The assistant to talk to (`asst_...`).
        metadata: Data that you store with the room. The platform does not read it.
    """

    assistant_id: str
    """The assistant to talk to (`asst_...`)."""
    metadata: JsonObject | None | Unset = UNSET
    """Data that you store with the room. The platform does not read it."""
    additional_properties: dict[str, Any] = _field(factory=dict, repr=names_only)
    """Undocumented fields."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON object, without UNSET fields."""
        _json: dict[str, Any] = to_json(self.additional_properties)
        _json["assistant_id"] = self.assistant_id
        if self.metadata is not UNSET and self.metadata is not None:
            _json["metadata"] = to_json(self.metadata)
        return _json

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        """The model of a JSON object. Undocumented fields go to `additional_properties`.

        Raises:
            DecodeError: a field is missing, or has the wrong type.
        """
        if cls is not CreateRoomRequest:
            return cls._of(CreateRoomRequest.from_dict(src_dict))
        _json = src_dict.copy() if type(src_dict) is dict else as_object("CreateRoomRequest", src_dict)
        assistant_id = _json.pop("assistant_id", ABSENT)
        if type(assistant_id) is not str:
            assistant_id = as_str("CreateRoomRequest", "assistant_id", assistant_id)
        metadata = _json.pop("metadata", ABSENT)
        if metadata is not UNSET and metadata is not None:
            if type(metadata) is not dict:
                metadata = as_dict("CreateRoomRequest", "metadata", metadata)
        _self = cls.__new__(cls)
        _self.assistant_id = assistant_id
        _self.metadata = metadata
        _self.additional_properties = _json
        return _self


# At the foot, where models that contain each other find this one defined.
from .json_object import JsonObject  # noqa: E402

CreateRoomRequest.__init__.__globals__.update(
    globals()
)  # attrs copied them before, and `typing.get_type_hints` looks there
