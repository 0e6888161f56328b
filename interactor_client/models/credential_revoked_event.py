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
class CredentialRevokedEvent(_Model):
    """A credential was revoked, by you or by the user at the provider.

    Attributes:
        id: Id of the event (`evt_...`).
        event: Always `credential.revoked`.
        timestamp: When it happened. Order events by it. Null if a delivery has no readable time.
        idempotency_key: The same in every delivery of the event: handle each key once.
        namespace: The tenant that it happened to; null for the default one.
        data: The credential that was revoked.
    """

    id: str
    """Id of the event (`evt_...`)."""
    event: Literal["credential.revoked"] = "credential.revoked"
    """Always `credential.revoked`."""
    timestamp: datetime.datetime | None
    """When it happened. Order events by it. Null if a delivery has no readable time."""
    idempotency_key: str
    """The same in every delivery of the event: handle each key once."""
    namespace: str | None
    """The tenant that it happened to; null for the default one."""
    data: CredentialRevokedData
    """The credential that was revoked."""
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
        if cls is not CredentialRevokedEvent:
            return cls._of(CredentialRevokedEvent.from_dict(src_dict))
        _json = src_dict.copy() if type(src_dict) is dict else as_object("CredentialRevokedEvent", src_dict)
        id = _json.pop("id", ABSENT)
        if type(id) is not str:
            id = as_str("CredentialRevokedEvent", "id", id)
        event = _json.pop("event", ABSENT)
        if event != "credential.revoked":
            event = as_const("CredentialRevokedEvent", "event", event, "credential.revoked")
        timestamp = _json.pop("timestamp", ABSENT)
        if timestamp is not None:
            timestamp = as_datetime("CredentialRevokedEvent", "timestamp", timestamp)
        idempotency_key = _json.pop("idempotency_key", ABSENT)
        if type(idempotency_key) is not str:
            idempotency_key = as_str("CredentialRevokedEvent", "idempotency_key", idempotency_key)
        namespace = _json.pop("namespace", ABSENT)
        if namespace is not None:
            if type(namespace) is not str:
                namespace = as_str("CredentialRevokedEvent", "namespace", namespace)
        data = _json.pop("data", ABSENT)
        try:
            data = CredentialRevokedData.from_dict(data)
        except DecodeError as _error:
            raise _error.at("CredentialRevokedEvent", "data") from None
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
from .credential_revoked_data import CredentialRevokedData  # noqa: E402

CredentialRevokedEvent.__init__.__globals__.update(
    globals()
)  # attrs copied them before, and `typing.get_type_hints` looks there
