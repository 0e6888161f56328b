from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any, Self

from attrs import define as _define
from attrs import field as _field

from interactor_client.base import Model as _Model
from interactor_client.types import UNSET
from interactor_client.wire import ABSENT, as_datetime, as_object, as_str, names_only, raise_decode_error, to_json


@_define(kw_only=True)
class UnknownWebhookEvent(_Model):
    """An event of a type that is newer than this contract, or one that does not fit what the contract says.

    Attributes:
        id: Id of the event (`evt_...`).
        event: The type of the event.
        timestamp: When it happened. Order events by it. Null if a delivery has no readable time.
        idempotency_key: The same in every delivery of the event: handle each key once.
        namespace: The tenant that it happened to; null for the default one.
        data: What the event carries, in most cases an object.
    """

    id: str
    """Id of the event (`evt_...`)."""
    event: str
    """The type of the event."""
    timestamp: datetime.datetime | None
    """When it happened. Order events by it. Null if a delivery has no readable time."""
    idempotency_key: str
    """The same in every delivery of the event: handle each key once."""
    namespace: str | None
    """The tenant that it happened to; null for the default one."""
    data: Any
    """What the event carries, in most cases an object."""
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
        if cls is not UnknownWebhookEvent:
            return cls._of(UnknownWebhookEvent.from_dict(src_dict))
        _json = src_dict.copy() if type(src_dict) is dict else as_object("UnknownWebhookEvent", src_dict)
        id = _json.pop("id", ABSENT)
        if type(id) is not str:
            id = as_str("UnknownWebhookEvent", "id", id)
        event = _json.pop("event", ABSENT)
        if type(event) is not str:
            event = as_str("UnknownWebhookEvent", "event", event)
        timestamp = _json.pop("timestamp", ABSENT)
        if timestamp is not None:
            timestamp = as_datetime("UnknownWebhookEvent", "timestamp", timestamp)
        idempotency_key = _json.pop("idempotency_key", ABSENT)
        if type(idempotency_key) is not str:
            idempotency_key = as_str("UnknownWebhookEvent", "idempotency_key", idempotency_key)
        namespace = _json.pop("namespace", ABSENT)
        if namespace is not None:
            if type(namespace) is not str:
                namespace = as_str("UnknownWebhookEvent", "namespace", namespace)
        data = _json.pop("data", ABSENT)
        if data is UNSET:
            raise_decode_error("UnknownWebhookEvent", "data", "any value", data)
        _self = cls.__new__(cls)
        _self.id = id
        _self.event = event
        _self.timestamp = timestamp
        _self.idempotency_key = idempotency_key
        _self.namespace = namespace
        _self.data = data
        _self.additional_properties = _json
        return _self
