from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import define as _define
from attrs import field as _field

from ..base import Model as _Model
from ..types import UNSET, Unset
from ..wire import ABSENT, as_object, as_str, names_only, to_json


@_define(kw_only=True)
class OAuthFlow(_Model):
    """How far a connection has come.

    Attributes:
        flow_id: Id of the flow (`flow_...`).
        status: `pending` waits for the user, `completed` has its credential, `failed` was refused or went
            wrong, `expired` was not finished in time.
        credential_id: The new credential. Only when the flow is completed.
        error: What went wrong. Only when the flow has failed.
    """

    flow_id: str
    """Id of the flow (`flow_...`)."""
    status: OAuthFlowStatus
    """`pending` waits for the user, `completed` has its credential, `failed` was refused or went wrong, `expired`
    was not finished in time.
    """
    credential_id: str | None | Unset = UNSET
    """The new credential. Only when the flow is completed."""
    error: str | None | Unset = UNSET
    """What went wrong. Only when the flow has failed."""
    additional_properties: dict[str, Any] = _field(factory=dict, repr=names_only)
    """Undocumented fields."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON object, without UNSET fields."""
        _json: dict[str, Any] = to_json(self.additional_properties)
        _json["flow_id"] = self.flow_id
        _json["status"] = self.status
        if self.credential_id is not UNSET:
            _json["credential_id"] = to_json(self.credential_id)
        if self.error is not UNSET:
            _json["error"] = to_json(self.error)
        return _json

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        """The model of a JSON object. Undocumented fields go to `additional_properties`.

        Raises:
            DecodeError: a field is missing, or has the wrong type.
        """
        if cls is not OAuthFlow:
            return cls._of(OAuthFlow.from_dict(src_dict))
        _json = src_dict.copy() if type(src_dict) is dict else as_object("OAuthFlow", src_dict)
        flow_id = _json.pop("flow_id", ABSENT)
        if type(flow_id) is not str:
            flow_id = as_str("OAuthFlow", "flow_id", flow_id)
        status = _json.pop("status", ABSENT)
        if type(status) is not str:
            status = as_str("OAuthFlow", "status", status)
        credential_id = _json.pop("credential_id", ABSENT)
        if credential_id is not UNSET and credential_id is not None:
            if type(credential_id) is not str:
                credential_id = as_str("OAuthFlow", "credential_id", credential_id)
        error = _json.pop("error", ABSENT)
        if error is not UNSET and error is not None:
            if type(error) is not str:
                error = as_str("OAuthFlow", "error", error)
        _self = cls.__new__(cls)
        _self.flow_id = flow_id
        _self.status = status
        _self.credential_id = credential_id
        _self.error = error
        _self.additional_properties = _json
        return _self


# At the foot, where models that contain each other find this one defined.
from .o_auth_flow_status import OAuthFlowStatus  # noqa: E402
