from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import define as _define
from attrs import field as _field

from interactor_client.base import Model as _Model
from interactor_client.types import UNSET, Unset
from interactor_client.wire import ABSENT, as_list, as_object, as_str, names_only, to_json


@_define(kw_only=True)
class InitiateOAuthRequest(_Model):
    """What to connect to, and where to send the user afterwards. Names `provider`, `service_id`, or both.

    Attributes:
        redirect_uri: Where the user's browser comes back to, with `code` and `state` in the query. An
            absolute URI.
        provider: The provider, such as `google`.
        service_id: A service of the provider, such as `svc_google_calendar`.
        scopes: What to ask the user for, in the provider's own words. Defaults to the service's usual
            scopes.
    """

    redirect_uri: str
    """Where the user's browser comes back to, with `code` and `state` in the query. An absolute URI."""
    provider: str | None | Unset = UNSET
    """The provider, such as `google`."""
    service_id: str | None | Unset = UNSET
    """A service of the provider, such as `svc_google_calendar`."""
    scopes: list[str] | None | Unset = UNSET
    """What to ask the user for, in the provider's own words. Defaults to the service's usual scopes."""
    additional_properties: dict[str, Any] = _field(factory=dict, repr=names_only)
    """Undocumented fields."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON object, without UNSET fields."""
        _json: dict[str, Any] = to_json(self.additional_properties)
        _json["redirect_uri"] = self.redirect_uri
        if self.provider is not UNSET and self.provider is not None:
            _json["provider"] = to_json(self.provider)
        if self.service_id is not UNSET and self.service_id is not None:
            _json["service_id"] = to_json(self.service_id)
        if self.scopes is not UNSET and self.scopes is not None:
            _json["scopes"] = self.scopes
        return _json

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        """The model of a JSON object. Undocumented fields go to `additional_properties`.

        Raises:
            DecodeError: a field is missing, or has the wrong type.
        """
        if cls is not InitiateOAuthRequest:
            return cls._of(InitiateOAuthRequest.from_dict(src_dict))
        _json = src_dict.copy() if type(src_dict) is dict else as_object("InitiateOAuthRequest", src_dict)
        redirect_uri = _json.pop("redirect_uri", ABSENT)
        if type(redirect_uri) is not str:
            redirect_uri = as_str("InitiateOAuthRequest", "redirect_uri", redirect_uri)
        provider = _json.pop("provider", ABSENT)
        if provider is not UNSET and provider is not None:
            if type(provider) is not str:
                provider = as_str("InitiateOAuthRequest", "provider", provider)
        service_id = _json.pop("service_id", ABSENT)
        if service_id is not UNSET and service_id is not None:
            if type(service_id) is not str:
                service_id = as_str("InitiateOAuthRequest", "service_id", service_id)
        scopes = _json.pop("scopes", ABSENT)
        if scopes is not UNSET and scopes is not None:
            if type(scopes) is not list:
                scopes = as_list("InitiateOAuthRequest", "scopes", scopes)
            _scopes_items = scopes
            scopes = []
            for _scopes_item in _scopes_items:
                if type(_scopes_item) is not str:
                    _scopes_item = as_str("InitiateOAuthRequest", f"scopes[{len(scopes)}]", _scopes_item)
                scopes.append(_scopes_item)
        _self = cls.__new__(cls)
        _self.redirect_uri = redirect_uri
        _self.provider = provider
        _self.service_id = service_id
        _self.scopes = scopes
        _self.additional_properties = _json
        return _self
