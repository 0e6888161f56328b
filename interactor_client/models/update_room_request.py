from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import define as _define
from attrs import field as _field

from interactor_client.base import Model as _Model
from interactor_client.wire import ABSENT, as_dict, as_object, names_only, to_json


@_define(kw_only=True)
class UpdateRoomRequest(_Model):
    """The new metadata of a room.

    Attributes:
        metadata: Replaces it as a whole.
    """

    metadata: JsonObject
    """Replaces it as a whole."""
    additional_properties: dict[str, Any] = _field(factory=dict, repr=names_only)
    """Undocumented fields."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON object, without UNSET fields."""
        _json: dict[str, Any] = to_json(self.additional_properties)
        _json["metadata"] = to_json(self.metadata)
        return _json

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        """The model of a JSON object. Undocumented fields go to `additional_properties`.

        Raises:
            DecodeError: a field is missing, or has the wrong type.
        """
        if cls is not UpdateRoomRequest:
            return cls._of(UpdateRoomRequest.from_dict(src_dict))
        _json = src_dict.copy() if type(src_dict) is dict else as_object("UpdateRoomRequest", src_dict)
        metadata = _json.pop("metadata", ABSENT)
        if type(metadata) is not dict:
            metadata = as_dict("UpdateRoomRequest", "metadata", metadata)
        _self = cls.__new__(cls)
        _self.metadata = metadata
        _self.additional_properties = _json
        return _self


# At the foot, where models that contain each other find this one defined.
from .json_object import JsonObject  # noqa: E402

UpdateRoomRequest.__init__.__globals__.update(
    globals()
)  # attrs copied them before, and `typing.get_type_hints` looks there
