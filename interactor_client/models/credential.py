from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any, Self

from attrs import define as _define
from attrs import field as _field

from interactor_client.base import Model as _Model
from interactor_client.types import UNSET, Unset
from interactor_client.wire import ABSENT, as_datetime, as_list, as_object, as_received, as_str, names_only, to_json


@_define(kw_only=True)
class Credential(_Model):
    """A connection of a user to another service. Its token is fetched with `credentials.get_token`.

    Attributes:
        id: Id of the credential (`cred_...`).
        provider: The service that the user connected, such as `google`.
        status: `active` can be used, `expired` has to be connected again, `revoked` was withdrawn by you or
            by the user at the provider.
        scopes: What the user granted, in the provider's own words.
        created_at: When the user connected.
        updated_at: When the credential last changed.
        expires_at: When the current token of the provider expires; null if it does not expire.
    """

    id: str
    """Id of the credential (`cred_...`)."""
    provider: str = ""
    """The service that the user connected, such as `google`."""
    status: CredentialStatus | None = None
    """`active` can be used, `expired` has to be connected again, `revoked` was withdrawn by you or by the user at
    the provider.
    """
    scopes: list[str] = _field(factory=list)
    """What the user granted, in the provider's own words."""
    created_at: datetime.datetime | None = None
    """When the user connected."""
    updated_at: datetime.datetime | None = None
    """When the credential last changed."""
    expires_at: datetime.datetime | None = None
    """When the current token of the provider expires; null if it does not expire."""
    additional_properties: dict[str, Any] = _field(factory=dict, repr=names_only)
    """Undocumented fields."""
    left_out: dict[str, Unset | None] = _field(factory=dict, eq=False, repr=False)
    """Fields that were left out of the response (UNSET), or null (None), and read as empty."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON object, without UNSET fields."""
        _json: dict[str, Any] = to_json(self.additional_properties)
        _json["id"] = self.id
        _json["provider"] = self.provider
        if self.status is not None:
            _json["status"] = self.status
        _json["scopes"] = to_json(self.scopes)
        if self.created_at is not None:
            _json["created_at"] = to_json(self.created_at)
        if self.updated_at is not None:
            _json["updated_at"] = to_json(self.updated_at)
        _json["expires_at"] = to_json(self.expires_at)
        return as_received(_json, self.left_out)

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        """The model of a JSON object. Undocumented fields go to `additional_properties`.

        Raises:
            DecodeError: a field is missing, or has the wrong type.
        """
        if cls is not Credential:
            return cls._of(Credential.from_dict(src_dict))
        _json = src_dict.copy() if type(src_dict) is dict else as_object("Credential", src_dict)
        _left_out: dict[str, Unset | None] = {}
        id = _json.pop("id", ABSENT)
        if type(id) is not str:
            id = as_str("Credential", "id", id)
        provider = _json.pop("provider", ABSENT)
        if provider is None or provider is UNSET:
            _left_out["provider"] = provider
            provider = ""
        else:
            if type(provider) is not str:
                provider = as_str("Credential", "provider", provider)
        status = _json.pop("status", ABSENT)
        if status is None or status is UNSET:
            _left_out["status"] = status
            status = None
        else:
            if type(status) is not str:
                status = as_str("Credential", "status", status)
        scopes = _json.pop("scopes", ABSENT)
        if scopes is None or scopes is UNSET:
            _left_out["scopes"] = scopes
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
        created_at = _json.pop("created_at", ABSENT)
        if created_at is None or created_at is UNSET:
            _left_out["created_at"] = created_at
            created_at = None
        else:
            created_at = as_datetime("Credential", "created_at", created_at)
        updated_at = _json.pop("updated_at", ABSENT)
        if updated_at is None or updated_at is UNSET:
            _left_out["updated_at"] = updated_at
            updated_at = None
        else:
            updated_at = as_datetime("Credential", "updated_at", updated_at)
        expires_at = _json.pop("expires_at", ABSENT)
        if expires_at is None or expires_at is UNSET:
            _left_out["expires_at"] = expires_at
            expires_at = None
        else:
            expires_at = as_datetime("Credential", "expires_at", expires_at)
        _self = cls.__new__(cls)
        _self.id = id
        _self.provider = provider
        _self.status = status
        _self.scopes = scopes
        _self.created_at = created_at
        _self.updated_at = updated_at
        _self.expires_at = expires_at
        _self.additional_properties = _json
        _self.left_out = _left_out
        return _self


# At the foot, where models that contain each other find this one defined.
from .credential_status import CredentialStatus  # noqa: E402

Credential.__init__.__globals__.update(globals())  # attrs copied them before, and `typing.get_type_hints` looks there
