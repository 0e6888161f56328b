from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import define as _define
from attrs import field as _field

from interactor_client.base import Model as _Model
from interactor_client.wire import ABSENT, as_object, as_str, names_only, redacted, to_json


@_define(kw_only=True)
class CompleteOAuthRequest(_Model):
    """What the provider put into the redirect of the user's browser.

    Attributes:
        provider: The provider, such as `google`.
        code: The `code` of the redirect. Valid once.
        state: The `state` of the redirect.
    """

    provider: str
    """The provider, such as `google`."""
    code: str = _field(repr=redacted)
    """The `code` of the redirect. Valid once."""
    state: str = _field(repr=redacted)
    """The `state` of the redirect."""
    additional_properties: dict[str, Any] = _field(factory=dict, repr=names_only)
    """Undocumented fields."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON object, without UNSET fields."""
        _json: dict[str, Any] = to_json(self.additional_properties)
        _json["provider"] = self.provider
        _json["code"] = self.code
        _json["state"] = self.state
        return _json

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        """The model of a JSON object. Undocumented fields go to `additional_properties`.

        Raises:
            DecodeError: a field is missing, or has the wrong type.
        """
        if cls is not CompleteOAuthRequest:
            return cls._of(CompleteOAuthRequest.from_dict(src_dict))
        _json = src_dict.copy() if type(src_dict) is dict else as_object("CompleteOAuthRequest", src_dict)
        provider = _json.pop("provider", ABSENT)
        if type(provider) is not str:
            provider = as_str("CompleteOAuthRequest", "provider", provider)
        code = _json.pop("code", ABSENT)
        if type(code) is not str:
            code = as_str("CompleteOAuthRequest", "code", code)
        state = _json.pop("state", ABSENT)
        if type(state) is not str:
            state = as_str("CompleteOAuthRequest", "state", state)
        _self = cls.__new__(cls)
        _self.provider = provider
        _self.code = code
        _self.state = state
        _self.additional_properties = _json
        return _self
