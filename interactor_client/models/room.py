from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any, Self

from attrs import define as _define
from attrs import field as _field

from ..base import Model as _Model
from ..types import UNSET
from ..wire import ABSENT, as_datetime, as_dict, as_object, as_str, names_only, to_json


@_define(kw_only=True)
class Room(_Model):
    """A conversation with one assistant.

    Attributes:
        id: Id of the room (`room_...`).
        assistant_id: The assistant that replies in it (`asst_...`).
        created_at: When it was opened.
        namespace: The tenant that the room belongs to. Empty for the default namespace.
        metadata: Data that you store with the room. The platform does not read it. May be empty.
    """

    id: str
    """Id of the room (`room_...`)."""
    assistant_id: str
    """The assistant that replies in it (`asst_...`)."""
    created_at: datetime.datetime
    """When it was opened."""
    namespace: str = ""
    """The tenant that the room belongs to. Empty for the default namespace."""
    metadata: JsonObject = _field(factory=dict)
    """Data that you store with the room. The platform does not read it. May be empty."""
    additional_properties: dict[str, Any] = _field(factory=dict, repr=names_only)
    """Undocumented fields."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON object, without UNSET fields."""
        _json: dict[str, Any] = to_json(self.additional_properties)
        _json["id"] = self.id
        _json["assistant_id"] = self.assistant_id
        _json["created_at"] = to_json(self.created_at)
        _json["namespace"] = to_json(self.namespace)
        _json["metadata"] = to_json(self.metadata)
        return _json

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        """The model of a JSON object. Undocumented fields go to `additional_properties`.

        Raises:
            DecodeError: a field is missing, or has the wrong type.
        """
        if cls is not Room:
            return cls._of(Room.from_dict(src_dict))
        _json = src_dict.copy() if type(src_dict) is dict else as_object("Room", src_dict)
        id = _json.pop("id", ABSENT)
        if type(id) is not str:
            id = as_str("Room", "id", id)
        assistant_id = _json.pop("assistant_id", ABSENT)
        if type(assistant_id) is not str:
            assistant_id = as_str("Room", "assistant_id", assistant_id)
        created_at = _json.pop("created_at", ABSENT)
        created_at = as_datetime("Room", "created_at", created_at)
        namespace = _json.pop("namespace", ABSENT)
        if namespace is None or namespace is UNSET:
            namespace = ""
        else:
            if type(namespace) is not str:
                namespace = as_str("Room", "namespace", namespace)
        metadata = _json.pop("metadata", ABSENT)
        if metadata is None or metadata is UNSET:
            metadata = {}
        else:
            if type(metadata) is not dict:
                metadata = as_dict("Room", "metadata", metadata)
        _self = cls.__new__(cls)
        _self.id = id
        _self.assistant_id = assistant_id
        _self.created_at = created_at
        _self.namespace = namespace
        _self.metadata = metadata
        _self.additional_properties = _json
        return _self


# At the foot, where models that contain each other find this one defined.
from .json_object import JsonObject  # noqa: E402
