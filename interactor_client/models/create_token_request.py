from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from attrs import define as _define
from attrs import field as _field

from interactor_client.base import Model as _Model
from interactor_client.types import UNSET, Unset
from interactor_client.wire import ABSENT, as_const, as_object, as_str, names_only, redacted, to_json


@_define(kw_only=True)
class CreateTokenRequest(_Model):
    """The client credentials, and optionally fewer scopes than the client has.

    Attributes:
        grant_type: Always `client_credentials`.
        client_id: Id of your client.
        client_secret: Secret of your client. Never log it.
        scope: Scopes to request, separated by spaces. By default the token has every scope of the client.
        resource: The URL of the only part of the Core API that the token may open (RFC 8707); `*` matches
            any segment of its path. A server that does not know this field may ignore it, and then only the
            scopes count.
    """

    grant_type: Literal["client_credentials"] = "client_credentials"
    """Always `client_credentials`."""
    client_id: str
    """Id of your client."""
    client_secret: str = _field(repr=redacted)
    """Secret of your client. Never log it."""
    scope: str | None | Unset = UNSET
    """Scopes to request, separated by spaces. By default the token has every scope of the client."""
    resource: str | None | Unset = UNSET
    """The URL of the only part of the Core API that the token may open (RFC 8707); `*` matches any segment of its
    path. A server that does not know this field may ignore it, and then only the scopes count.
    """
    additional_properties: dict[str, Any] = _field(factory=dict, repr=names_only)
    """Undocumented fields."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON object, without UNSET fields."""
        _json: dict[str, Any] = to_json(self.additional_properties)
        _json["grant_type"] = self.grant_type
        _json["client_id"] = self.client_id
        _json["client_secret"] = self.client_secret
        if self.scope is not UNSET and self.scope is not None:
            _json["scope"] = to_json(self.scope)
        if self.resource is not UNSET and self.resource is not None:
            _json["resource"] = to_json(self.resource)
        return _json

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        """The model of a JSON object. Undocumented fields go to `additional_properties`.

        Raises:
            DecodeError: a field is missing, or has the wrong type.
        """
        if cls is not CreateTokenRequest:
            return cls._of(CreateTokenRequest.from_dict(src_dict))
        _json = src_dict.copy() if type(src_dict) is dict else as_object("CreateTokenRequest", src_dict)
        grant_type = _json.pop("grant_type", ABSENT)
        if grant_type != "client_credentials":
            grant_type = as_const("CreateTokenRequest", "grant_type", grant_type, "client_credentials")
        client_id = _json.pop("client_id", ABSENT)
        if type(client_id) is not str:
            client_id = as_str("CreateTokenRequest", "client_id", client_id)
        client_secret = _json.pop("client_secret", ABSENT)
        if type(client_secret) is not str:
            client_secret = as_str("CreateTokenRequest", "client_secret", client_secret)
        scope = _json.pop("scope", ABSENT)
        if scope is not UNSET and scope is not None:
            if type(scope) is not str:
                scope = as_str("CreateTokenRequest", "scope", scope)
        resource = _json.pop("resource", ABSENT)
        if resource is not UNSET and resource is not None:
            if type(resource) is not str:
                resource = as_str("CreateTokenRequest", "resource", resource)
        _self = cls.__new__(cls)
        _self.grant_type = grant_type
        _self.client_id = client_id
        _self.client_secret = client_secret
        _self.scope = scope
        _self.resource = resource
        _self.additional_properties = _json
        return _self
