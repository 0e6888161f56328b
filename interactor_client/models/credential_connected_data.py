from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import define as _define
from attrs import field as _field

from interactor_client.base import Model as _Model
from interactor_client.types import UNSET, Unset
from interactor_client.wire import ABSENT, as_dict, as_list, as_object, as_received, as_str, names_only, to_json


@_define(kw_only=True)
class CredentialConnectedData(_Model):
    """The new credential.

    Attributes:
        credential_id: The credential (`cred_...`).
        provider: The service that the user connected, such as `google`.
        service_id: The service of the provider, such as `svc_google_calendar`.
        scopes: What the user granted, in the provider's own words.
        metadata: Data about the connection. May be empty.
        namespace: The tenant that it belongs to.
    """

    credential_id: str
    """The credential (`cred_...`)."""
    provider: str = ""
    """The service that the user connected, such as `google`."""
    service_id: str | Unset = UNSET
    """The service of the provider, such as `svc_google_calendar`."""
    scopes: list[str] | Unset = UNSET
    """What the user granted, in the provider's own words."""
    metadata: JsonObject | Unset = UNSET
    """Data about the connection. May be empty."""
    namespace: str | Unset = UNSET
    """The tenant that it belongs to."""
    additional_properties: dict[str, Any] = _field(factory=dict, repr=names_only)
    """Undocumented fields."""
    left_out: dict[str, Unset | None] = _field(factory=dict, eq=False, repr=False)
    """Fields that were left out of the response (UNSET), or null (None), and read as empty."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON object, without UNSET fields."""
        _json: dict[str, Any] = to_json(self.additional_properties)
        _json["credential_id"] = self.credential_id
        _json["provider"] = self.provider
        if self.service_id is not UNSET and self.service_id is not None:
            _json["service_id"] = self.service_id
        if self.scopes is not UNSET and self.scopes is not None:
            _json["scopes"] = to_json(self.scopes)
        if self.metadata is not UNSET and self.metadata is not None:
            _json["metadata"] = to_json(self.metadata)
        if self.namespace is not UNSET and self.namespace is not None:
            _json["namespace"] = self.namespace
        return as_received(_json, self.left_out)

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        """The model of a JSON object. Undocumented fields go to `additional_properties`.

        Raises:
            DecodeError: a field is missing, or has the wrong type.
        """
        if cls is not CredentialConnectedData:
            return cls._of(CredentialConnectedData.from_dict(src_dict))
        _json = src_dict.copy() if type(src_dict) is dict else as_object("CredentialConnectedData", src_dict)
        _left_out: dict[str, Unset | None] = {}
        credential_id = _json.pop("credential_id", ABSENT)
        if type(credential_id) is not str:
            credential_id = as_str("CredentialConnectedData", "credential_id", credential_id)
        provider = _json.pop("provider", ABSENT)
        if provider is None or provider is UNSET:
            _left_out["provider"] = provider
            provider = ""
        else:
            if type(provider) is not str:
                provider = as_str("CredentialConnectedData", "provider", provider)
        service_id = _json.pop("service_id", ABSENT)
        if type(service_id) is not str and service_id is not UNSET:
            service_id = UNSET if service_id is None else as_str("CredentialConnectedData", "service_id", service_id)
        scopes = _json.pop("scopes", ABSENT)
        if scopes is None:
            scopes = UNSET
        elif scopes is not UNSET:
            if type(scopes) is not list:
                scopes = as_list("CredentialConnectedData", "scopes", scopes)
            _scopes_items = scopes
            scopes = []
            for _scopes_item in _scopes_items:
                if type(_scopes_item) is not str:
                    _scopes_item = as_str("CredentialConnectedData", f"scopes[{len(scopes)}]", _scopes_item)
                scopes.append(_scopes_item)
        metadata = _json.pop("metadata", ABSENT)
        if type(metadata) is not dict and metadata is not UNSET:
            metadata = UNSET if metadata is None else as_dict("CredentialConnectedData", "metadata", metadata)
        namespace = _json.pop("namespace", ABSENT)
        if type(namespace) is not str and namespace is not UNSET:
            namespace = UNSET if namespace is None else as_str("CredentialConnectedData", "namespace", namespace)
        _self = cls.__new__(cls)
        _self.credential_id = credential_id
        _self.provider = provider
        _self.service_id = service_id
        _self.scopes = scopes
        _self.metadata = metadata
        _self.namespace = namespace
        _self.additional_properties = _json
        _self.left_out = _left_out
        return _self


# At the foot, where models that contain each other find this one defined.
from .json_object import JsonObject  # noqa: E402

CredentialConnectedData.__init__.__globals__.update(
    globals()
)  # attrs copied them before, and `typing.get_type_hints` looks there
