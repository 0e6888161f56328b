from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any, Literal, Self

from attrs import define as _define
from attrs import field as _field

from interactor_client.base import Model as _Model
from interactor_client.errors import DecodeError
from interactor_client.wire import ABSENT, as_const, as_datetime, as_object, as_str, names_only, to_json


@_define(kw_only=True)
class RoomMessageCreatedEvent(_Model):
    """A message was added to a room, by anyone.

    Attributes:
        id: Id of the event (`evt_...`).
        event: Always `room.message.created`.
        timestamp: When it happened. Order events by it. Null if a delivery has no readable time.
        idempotency_key: The same in every delivery of the event: handle each key once.
        namespace: The tenant that it happened to; null for the default one.
        data: The new message.
    """

    id: str
    """Id of the event (`evt_...`)."""
    event: Literal["room.message.created"] = "room.message.created"
    """Always `room.message.created`."""
    timestamp: datetime.datetime | None
    """When it happened. Order events by it. Null if a delivery has no readable time."""
    idempotency_key: str
    """The same in every delivery of the event: handle each key once."""
    namespace: str | None
    """The tenant that it happened to; null for the default one."""
    data: RoomMessageCreatedData
    """The new message."""
    additional_properties: dict[str, Any] = _field(factory=dict, repr=names_only)
    """Undocumented fields."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON object, without UNSET fields."""
        _json: dict[str, Any] = to_json(self.additional_properties)
        _json["id"] = self.id
        _json["event"] = self.event
        _json["timestamp"] = to_json(self.timestamp)
        _json["idempotency_key"] = self.idempotency_key
        _json["namespace"] = to_json(self.namespace)
        _json["data"] = to_json(self.data)
        return _json

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        """The model of a JSON object. Undocumented fields go to `additional_properties`.

        Raises:
            DecodeError: a field is missing, or has the wrong type.
        """
        if cls is not RoomMessageCreatedEvent:
            return cls._of(RoomMessageCreatedEvent.from_dict(src_dict))
        _json = src_dict.copy() if type(src_dict) is dict else as_object("RoomMessageCreatedEvent", src_dict)
        id = _json.pop("id", ABSENT)
        if type(id) is not str:
            id = as_str("RoomMessageCreatedEvent", "id", id)
        event = _json.pop("event", ABSENT)
        if event != "room.message.created":
            event = as_const("RoomMessageCreatedEvent", "event", event, "room.message.created")
        timestamp = _json.pop("timestamp", ABSENT)
        if timestamp is not None:
            timestamp = as_datetime("RoomMessageCreatedEvent", "timestamp", timestamp)
        idempotency_key = _json.pop("idempotency_key", ABSENT)
        if type(idempotency_key) is not str:
            idempotency_key = as_str("RoomMessageCreatedEvent", "idempotency_key", idempotency_key)
        namespace = _json.pop("namespace", ABSENT)
        if namespace is not None:
            if type(namespace) is not str:
                namespace = as_str("RoomMessageCreatedEvent", "namespace", namespace)
        data = _json.pop("data", ABSENT)
        try:
            data = RoomMessageCreatedData.from_dict(data)
        except DecodeError as _error:
            raise _error.at("RoomMessageCreatedEvent", "data") from None
        _self = cls.__new__(cls)
        _self.id = id
        _self.event = event
        _self.timestamp = timestamp
        _self.idempotency_key = idempotency_key
        _self.namespace = namespace
        _self.data = data
        _self.additional_properties = _json
        return _self


# At the foot, where models that contain each other find this one defined.
from .room_message_created_data import RoomMessageCreatedData  # noqa: E402

RoomMessageCreatedEvent.__init__.__globals__.update(
    globals()
)  # attrs copied them before, and `typing.get_type_hints` looks there
