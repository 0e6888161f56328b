from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any, Self

from attrs import define as _define
from attrs import field as _field

from ..base import Model as _Model
from ..types import UNSET
from ..wire import ABSENT, as_datetime, as_list, as_object, as_str, names_only, to_json


@_define(kw_only=True)
class Credential(_Model):
    """A connection of a user to another service. Its token is fetched with `credentials.get_token`.

    Attributes:
        id: Id of the credential (`cred_...`).
        provider: The service that the user connected, such as `google`.
        status: `active` can be used, `expired` has to be connected again, `revoked` was withdrawn by you or
            by the user at the provider.
        created_at: When the user connected.
        updated_at: When the credential last changed.
        scopes: What the user granted, in the provider's own words.
        expires_at: When the current token of the provider expires; null if it does not expire.
    """

    id: str
    """Id of the credential (`cred_...`)."""
    provider: str
    """The service that the user connected, such as `google`."""
    status: CredentialStatus
    """`active` can be used, `expired` has to be connected again, `revoked` was withdrawn by you or by the user at
    the provider.
    """
    created_at: datetime.datetime
    """When the user connected."""
    updated_at: datetime.datetime
    """When the credential last changed."""
    scopes: list[str] = _field(factory=list)
    """What the user granted, in the provider's own words."""
    expires_at: datetime.datetime | None = None
    """When the current token of the provider expires; null if it does not expire."""
    additional_properties: dict[str, Any] = _field(factory=dict, repr=names_only)
    """Undocumented fields."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON object, without UNSET fields."""
        _json: dict[str, Any] = to_json(self.additional_properties)
        _json["id"] = self.id
        _json["provider"] = self.provider
        _json["status"] = self.status
        _json["created_at"] = to_json(self.created_at)
        _json["updated_at"] = to_json(self.updated_at)
        _json["scopes"] = to_json(self.scopes)
        _json["expires_at"] = to_json(self.expires_at)
        return _json

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        """The model of a JSON object. Undocumented fields go to `additional_properties`.

        Raises:
            DecodeError: a field is missing, or has the wrong type.
        """
        if cls is not Credential:
            return cls._of(Credential.from_dict(src_dict))
        _json = src_dict.copy() if type(src_dict) is dict else as_object("Credential", src_dict)
        id = _json.pop("id", ABSENT)
        if type(id) is not str:
            id = as_str("Credential", "id", id)
        provider = _json.pop("provider", ABSENT)
        if type(provider) is not str:
            provider = as_str("Credential", "provider", provider)
        status = _json.pop("status", ABSENT)
        if type(status) is not str:
            status = as_str("Credential", "status", status)
        created_at = _json.pop("created_at", ABSENT)
        created_at = as_datetime("Credential", "created_at", created_at)
        updated_at = _json.pop("updated_at", ABSENT)
        updated_at = as_datetime("Credential", "updated_at", updated_at)
        scopes = _json.pop("scopes", ABSENT)
        if scopes is None or scopes is UNSET:
            scopes = []
        else:
            if type(scopes) is not list:
                scopes = as_list("Credential", "scopes", scopes)
            _scopes_items = scopes
            scopes = []
            for _scopes_item in _scopes_items:
                if type(_scopes_item) is not str:
                    _scopes_item = as_str("Credential", f"scopes[{len(scopes)}]", _scopes_item)
                scopes.append(_scopes_item)
        expires_at = _json.pop("expires_at", ABSENT)
        if expires_at is None or expires_at is UNSET:
            expires_at = None
        else:
            expires_at = as_datetime("Credential", "expires_at", expires_at)
        _self = cls.__new__(cls)
        _self.id = id
        _self.provider = provider
        _self.status = status
        _self.created_at = created_at
        _self.updated_at = updated_at
        _self.scopes = scopes
        _self.expires_at = expires_at
        _self.additional_properties = _json
        return _self


# At the foot, where models that contain each other find this one defined.
from .credential_status import CredentialStatus  # noqa: E402
