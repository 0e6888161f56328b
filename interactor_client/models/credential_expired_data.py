from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import define as _define
from attrs import field as _field

from interactor_client.base import Model as _Model
from interactor_client.types import UNSET, Unset
from interactor_client.wire import ABSENT, as_object, as_str, names_only, to_json


@_define(kw_only=True)
class CredentialExpiredData(_Model):
    """The credential that expired.

    Attributes:
        credential_id: The credential (`cred_...`).
        provider: The service that the user connected, such as `google`.
        namespace: The tenant that it belongs to.
    """

    credential_id: str
    """The credential (`cred_...`)."""
    provider: str | Unset = UNSET
    """The service that the user connected, such as `google`."""
    namespace: str | Unset = UNSET
    """The tenant that it belongs to."""
    additional_properties: dict[str, Any] = _field(factory=dict, repr=names_only)
    """Undocumented fields."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON object, without UNSET fields."""
        _json: dict[str, Any] = to_json(self.additional_properties)
        _json["credential_id"] = self.credential_id
        if self.provider is not UNSET and self.provider is not None:
            _json["provider"] = self.provider
        if self.namespace is not UNSET and self.namespace is not None:
            _json["namespace"] = self.namespace
        return _json

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        """The model of a JSON object. Undocumented fields go to `additional_properties`.

        Raises:
            DecodeError: a field is missing, or has the wrong type.
        """
        if cls is not CredentialExpiredData:
            return cls._of(CredentialExpiredData.from_dict(src_dict))
        _json = src_dict.copy() if type(src_dict) is dict else as_object("CredentialExpiredData", src_dict)
        credential_id = _json.pop("credential_id", ABSENT)
        if type(credential_id) is not str:
            credential_id = as_str("CredentialExpiredData", "credential_id", credential_id)
        provider = _json.pop("provider", ABSENT)
        if type(provider) is not str and provider is not UNSET:
            provider = UNSET if provider is None else as_str("CredentialExpiredData", "provider", provider)
        namespace = _json.pop("namespace", ABSENT)
        if type(namespace) is not str and namespace is not UNSET:
            namespace = UNSET if namespace is None else as_str("CredentialExpiredData", "namespace", namespace)
        _self = cls.__new__(cls)
        _self.credential_id = credential_id
        _self.provider = provider
        _self.namespace = namespace
        _self.additional_properties = _json
        return _self
