from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import define as _define
from attrs import field as _field

from interactor_client.base import Model as _Model
from interactor_client.types import UNSET, Unset
from interactor_client.wire import ABSENT, as_object, as_str, names_only, redacted, to_json


@_define(kw_only=True)
class OAuthAuthorization(_Model):
    """Where to send the user's browser, and how to recognise and follow the flow.

    Attributes:
        authorization_url: Where the user grants access. Valid once, and not for long.
        state: Comes back with the code. Remember it for this user, and compare.
        flow_id: Id of the flow for `credentials.get_oauth_status` (`flow_...`).
    """

    authorization_url: str = _field(repr=redacted)
    """Where the user grants access. Valid once, and not for long."""
    state: str | Unset = _field(default=UNSET, repr=redacted)
    """Comes back with the code. Remember it for this user, and compare."""
    flow_id: str | Unset = UNSET
    """Id of the flow for `credentials.get_oauth_status` (`flow_...`)."""
    additional_properties: dict[str, Any] = _field(factory=dict, repr=names_only)
    """Undocumented fields."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON object, without UNSET fields."""
        _json: dict[str, Any] = to_json(self.additional_properties)
        _json["authorization_url"] = self.authorization_url
        if self.state is not UNSET and self.state is not None:
            _json["state"] = self.state
        if self.flow_id is not UNSET and self.flow_id is not None:
            _json["flow_id"] = self.flow_id
        return _json

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        """The model of a JSON object. Undocumented fields go to `additional_properties`.

        Raises:
            DecodeError: a field is missing, or has the wrong type.
        """
        if cls is not OAuthAuthorization:
            return cls._of(OAuthAuthorization.from_dict(src_dict))
        _json = src_dict.copy() if type(src_dict) is dict else as_object("OAuthAuthorization", src_dict)
        authorization_url = _json.pop("authorization_url", ABSENT)
        if type(authorization_url) is not str:
            authorization_url = as_str("OAuthAuthorization", "authorization_url", authorization_url)
        state = _json.pop("state", ABSENT)
        if type(state) is not str and state is not UNSET:
            state = UNSET if state is None else as_str("OAuthAuthorization", "state", state)
        flow_id = _json.pop("flow_id", ABSENT)
        if type(flow_id) is not str and flow_id is not UNSET:
            flow_id = UNSET if flow_id is None else as_str("OAuthAuthorization", "flow_id", flow_id)
        _self = cls.__new__(cls)
        _self.authorization_url = authorization_url
        _self.state = state
        _self.flow_id = flow_id
        _self.additional_properties = _json
        return _self
