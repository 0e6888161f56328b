from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import define as _define
from attrs import field as _field

from interactor_client.base import Model as _Model
from interactor_client.types import UNSET, Unset
from interactor_client.wire import (
    ABSENT,
    as_int,
    as_object,
    as_received,
    as_str,
    names_only,
    number_in,
    redacted,
    to_json,
)


@_define(kw_only=True)
class AccessToken(_Model):
    """A token for the Core API.

    Attributes:
        access_token: The token. Send it as `Authorization: Bearer <token>`, and never log it.
        token_type: Always `Bearer`.
        expires_in: For how many seconds the token is valid. If missing, assume 900.
        scope: The scopes that were granted, separated by spaces.
    """

    access_token: str = _field(repr=redacted)
    """The token. Send it as `Authorization: Bearer <token>`, and never log it."""
    token_type: str | None = None
    """Always `Bearer`."""
    expires_in: int | Unset = UNSET
    """For how many seconds the token is valid. If missing, assume 900."""
    scope: str | Unset = UNSET
    """The scopes that were granted, separated by spaces."""
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
        if self.expires_in is not UNSET and self.expires_in is not None:
            _json["expires_in"] = self.expires_in
        if self.scope is not UNSET and self.scope is not None:
            _json["scope"] = self.scope
        return as_received(_json, self.left_out)

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        """The model of a JSON object. Undocumented fields go to `additional_properties`.

        Raises:
            DecodeError: a field is missing, or has the wrong type.
        """
        if cls is not AccessToken:
            return cls._of(AccessToken.from_dict(src_dict))
        _json = src_dict.copy() if type(src_dict) is dict else as_object("AccessToken", src_dict)
        _left_out: dict[str, Unset | None] = {}
        access_token = _json.pop("access_token", ABSENT)
        if type(access_token) is not str:
            access_token = as_str("AccessToken", "access_token", access_token)
        token_type = _json.pop("token_type", ABSENT)
        if token_type is None or token_type is UNSET:
            _left_out["token_type"] = token_type
            token_type = None
        else:
            if type(token_type) is not str:
                token_type = as_str("AccessToken", "token_type", token_type)
        expires_in = _json.pop("expires_in", ABSENT)
        if type(expires_in) is str:
            expires_in = number_in(expires_in)
        if type(expires_in) is not int and expires_in is not UNSET:
            expires_in = UNSET if expires_in is None else as_int("AccessToken", "expires_in", expires_in)
        scope = _json.pop("scope", ABSENT)
        if type(scope) is not str and scope is not UNSET:
            scope = UNSET if scope is None else as_str("AccessToken", "scope", scope)
        _self = cls.__new__(cls)
        _self.access_token = access_token
        _self.token_type = token_type
        _self.expires_in = expires_in
        _self.scope = scope
        _self.additional_properties = _json
        _self.left_out = _left_out
        return _self
