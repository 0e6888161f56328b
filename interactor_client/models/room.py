from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any, Literal, Self

from attrs import define as _define
from attrs import field as _field

from interactor_client.base import Model as _Model
from interactor_client.types import UNSET, Unset
from interactor_client.wire import ABSENT, as_datetime, as_dict, as_object, as_received, as_str, names_only, to_json


@_define(kw_only=True)
class Room(_Model):
    """A conversation with one assistant.

    Attributes:
        id: Id of the room (`room_...`).
        assistant_id: The assistant that replies in it (`asst_...`).
        namespace: The tenant that the room belongs to. Empty for the default namespace.
        metadata: Data that you store with the room. The platform does not read it. May be empty.
        created_at: When it was opened.
    """

    id: str
    """Id of the room (`room_...`)."""
    assistant_id: str | None = None
    """The assistant that replies in it (`asst_...`)."""
    namespace: str = ""
    """The tenant that the room belongs to. Empty for the default namespace."""
    metadata: JsonObject = _field(factory=dict)
    """Data that you store with the room. The platform does not read it. May be empty."""
    created_at: datetime.datetime | None = None
    """When it was opened."""
    additional_properties: dict[str, Any] = _field(factory=dict, repr=names_only)
    """Undocumented fields."""
    left_out: dict[str, Unset | None] = _field(factory=dict, eq=False, repr=False)
    """Fields that were left out of the response (UNSET), or null (None), and read as empty."""
    outcome: Literal["created", "updated", "unchanged"] | None = _field(default=None, eq=False, repr=False)
    """What `ensure` did; None if another method returned it."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON object, without UNSET fields."""
        _json: dict[str, Any] = to_json(self.additional_properties)
        _json["id"] = self.id
        if self.assistant_id is not None:
            _json["assistant_id"] = self.assistant_id
        _json["namespace"] = to_json(self.namespace)
        _json["metadata"] = to_json(self.metadata)
        if self.created_at is not None:
            _json["created_at"] = to_json(self.created_at)
        return as_received(_json, self.left_out)

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        """The model of a JSON object. Undocumented fields go to `additional_properties`.

        Raises:
            DecodeError: a field is missing, or has the wrong type.
        """
        if cls is not Room:
            return cls._of(Room.from_dict(src_dict))
        _json = src_dict.copy() if type(src_dict) is dict else as_object("Room", src_dict)
        _left_out: dict[str, Unset | None] = {}
        id = _json.pop("id", ABSENT)
        if type(id) is not str:
            id = as_str("Room", "id", id)
        assistant_id = _json.pop("assistant_id", ABSENT)
        if assistant_id is None or assistant_id is UNSET:
            _left_out["assistant_id"] = assistant_id
            assistant_id = None
        else:
            if type(assistant_id) is not str:
                assistant_id = as_str("Room", "assistant_id", assistant_id)
        namespace = _json.pop("namespace", ABSENT)
        if namespace is None or namespace is UNSET:
            _left_out["namespace"] = namespace
            namespace = ""
        else:
            if type(namespace) is not str:
                namespace = as_str("Room", "namespace", namespace)
        metadata = _json.pop("metadata", ABSENT)
        if metadata is None or metadata is UNSET:
            _left_out["metadata"] = metadata
            metadata = {}
        else:
            if type(metadata) is not dict:
                metadata = as_dict("Room", "metadata", metadata)
        created_at = _json.pop("created_at", ABSENT)
        if created_at is None or created_at is UNSET:
            _left_out["created_at"] = created_at
            created_at = None
        else:
            created_at = as_datetime("Room", "created_at", created_at)
        _self = cls.__new__(cls)
        _self.id = id
        _self.assistant_id = assistant_id
        _self.namespace = namespace
        _self.metadata = metadata
        _self.created_at = created_at
        _self.additional_properties = _json
        _self.left_out = _left_out
        _self.outcome = None
        return _self


# At the foot, where models that contain each other find this one defined.
from .json_object import JsonObject  # noqa: E402

Room.__init__.__globals__.update(globals())  # attrs copied them before, and `typing.get_type_hints` looks there
