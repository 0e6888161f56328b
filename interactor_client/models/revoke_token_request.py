from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import define as _define
from attrs import field as _field

from interactor_client.base import Model as _Model
from interactor_client.wire import ABSENT, as_object, as_str, names_only, redacted, to_json


@_define(kw_only=True)
class RevokeTokenRequest(_Model):
    """The token to revoke, and the credentials of the client that it was issued to.

    Attributes:
        token: The access token to revoke.
        client_id: Id of your client.
        client_secret: Secret of your client. Never log it.
    """

    token: str = _field(repr=redacted)
    """The access token to revoke."""
    client_id: str
    """Id of your client."""
    client_secret: str = _field(repr=redacted)
    """Secret of your client. Never log it."""
    additional_properties: dict[str, Any] = _field(factory=dict, repr=names_only)
    """Undocumented fields."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON object, without UNSET fields."""
        _json: dict[str, Any] = to_json(self.additional_properties)
        _json["token"] = self.token
        _json["client_id"] = self.client_id
        _json["client_secret"] = self.client_secret
        return _json

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        """The model of a JSON object. Undocumented fields go to `additional_properties`.

        Raises:
            DecodeError: a field is missing, or has the wrong type.
        """
        if cls is not RevokeTokenRequest:
            return cls._of(RevokeTokenRequest.from_dict(src_dict))
        _json = src_dict.copy() if type(src_dict) is dict else as_object("RevokeTokenRequest", src_dict)
        token = _json.pop("token", ABSENT)
        if type(token) is not str:
            token = as_str("RevokeTokenRequest", "token", token)
        client_id = _json.pop("client_id", ABSENT)
        if type(client_id) is not str:
            client_id = as_str("RevokeTokenRequest", "client_id", client_id)
        client_secret = _json.pop("client_secret", ABSENT)
        if type(client_secret) is not str:
            client_secret = as_str("RevokeTokenRequest", "client_secret", client_secret)
        _self = cls.__new__(cls)
        _self.token = token
        _self.client_id = client_id
        _self.client_secret = client_secret
        _self.additional_properties = _json
        return _self
