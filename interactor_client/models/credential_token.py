from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import define as _define
from attrs import field as _field

from interactor_client.base import Model as _Model
from interactor_client.types import UNSET, Unset
from interactor_client.wire import ABSENT, as_int, as_object, as_received, as_str, names_only, redacted, to_json


@_define(kw_only=True)
class CredentialToken(_Model):
    """A token of the provider, for calling the provider on the user's behalf. Never log it.

    Attributes:
        access_token: The provider's token.
        token_type: How to send it, mostly `Bearer`.
        expires_in: For how many seconds the token is still valid.
        refresh_token: The provider's refresh token, if your client may see it.
        scope: What the token allows, separated by spaces.
    """

    access_token: str = _field(repr=redacted)
    """The provider's token."""
    token_type: str | None = None
    """How to send it, mostly `Bearer`."""
    expires_in: int | None = None
    """For how many seconds the token is still valid."""
    refresh_token: str | None | Unset = _field(default=UNSET, repr=redacted)
    """The provider's refresh token, if your client may see it."""
    scope: str | None | Unset = UNSET
    """What the token allows, separated by spaces."""
    additional_properties: dict[str, Any] = _field(factory=dict, repr=names_only)
    """Undocumented fields."""
    left_out: dict[str, Unset | None] = _field(factory=dict, eq=False, repr=False)
    """Fields that were left out of the response (UNSET), or null (None), and read as empty."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON object, without UNSET fields."""
        _json: dict[str, Any] = to_json(self.additional_properties)
        _json["access_token"] = self.access_token
        if self.token_type is not None:
            _json["token_type"] = self.token_type
        _json["expires_in"] = to_json(self.expires_in)
        if self.refresh_token is not UNSET:
            _json["refresh_token"] = to_json(self.refresh_token)
        if self.scope is not UNSET:
            _json["scope"] = to_json(self.scope)
        return as_received(_json, self.left_out)

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        """The model of a JSON object. Undocumented fields go to `additional_properties`.

        Raises:
            DecodeError: a field is missing, or has the wrong type.
        """
        if cls is not CredentialToken:
            return cls._of(CredentialToken.from_dict(src_dict))
        _json = src_dict.copy() if type(src_dict) is dict else as_object("CredentialToken", src_dict)
        _left_out: dict[str, Unset | None] = {}
        access_token = _json.pop("access_token", ABSENT)
        if type(access_token) is not str:
            access_token = as_str("CredentialToken", "access_token", access_token)
        token_type = _json.pop("token_type", ABSENT)
        if token_type is None or token_type is UNSET:
            _left_out["token_type"] = token_type
            token_type = None
        else:
            if type(token_type) is not str:
                token_type = as_str("CredentialToken", "token_type", token_type)
        expires_in = _json.pop("expires_in", ABSENT)
        if expires_in is None or expires_in is UNSET:
            _left_out["expires_in"] = expires_in
            expires_in = None
        else:
            if type(expires_in) is not int:
                expires_in = as_int("CredentialToken", "expires_in", expires_in)
        refresh_token = _json.pop("refresh_token", ABSENT)
        if refresh_token is not UNSET and refresh_token is not None:
            if type(refresh_token) is not str:
                refresh_token = as_str("CredentialToken", "refresh_token", refresh_token)
        scope = _json.pop("scope", ABSENT)
        if scope is not UNSET and scope is not None:
            if type(scope) is not str:
                scope = as_str("CredentialToken", "scope", scope)
        _self = cls.__new__(cls)
        _self.access_token = access_token
        _self.token_type = token_type
        _self.expires_in = expires_in
        _self.refresh_token = refresh_token
        _self.scope = scope
        _self.additional_properties = _json
        _self.left_out = _left_out
        return _self
