from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import define as _define
from attrs import field as _field

from interactor_client.base import Model as _Model
from interactor_client.types import UNSET, Unset
from interactor_client.wire import ABSENT, as_object, as_received, as_str, names_only, to_json


@_define(kw_only=True)
class OAuthFlow(_Model):
    """How far a connection has come.

    Attributes:
        status: `pending` waits for the user, `completed` has its credential, `failed` was refused or went
            wrong, `expired` was not finished in time.
        flow_id: Id of the flow (`flow_...`).
        credential_id: The new credential. Only when the flow is completed.
        error: What went wrong. Only when the flow has failed.
    """

    status: OAuthFlowStatus
    """`pending` waits for the user, `completed` has its credential, `failed` was refused or went wrong, `expired`
    was not finished in time.
    """
    flow_id: str | None = None
    """Id of the flow (`flow_...`)."""
    credential_id: str | None | Unset = UNSET
    """The new credential. Only when the flow is completed."""
    error: str | None | Unset = UNSET
    """What went wrong. Only when the flow has failed."""
    additional_properties: dict[str, Any] = _field(factory=dict, repr=names_only)
    """Undocumented fields."""
    left_out: dict[str, Unset | None] = _field(factory=dict, eq=False, repr=False)
    """Fields that were left out of the response (UNSET), or null (None), and read as empty."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON object, without UNSET fields."""
        _json: dict[str, Any] = to_json(self.additional_properties)
        _json["status"] = self.status
        if self.flow_id is not None:
            _json["flow_id"] = self.flow_id
        if self.credential_id is not UNSET:
            _json["credential_id"] = to_json(self.credential_id)
        if self.error is not UNSET:
            _json["error"] = to_json(self.error)
        return as_received(_json, self.left_out)

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        """The model of a JSON object. Undocumented fields go to `additional_properties`.

        Raises:
            DecodeError: a field is missing, or has the wrong type.
        """
        if cls is not OAuthFlow:
            return cls._of(OAuthFlow.from_dict(src_dict))
        _json = src_dict.copy() if type(src_dict) is dict else as_object("OAuthFlow", src_dict)
        _left_out: dict[str, Unset | None] = {}
        status = _json.pop("status", ABSENT)
        if type(status) is not str:
            status = as_str("OAuthFlow", "status", status)
        flow_id = _json.pop("flow_id", ABSENT)
        if flow_id is None or flow_id is UNSET:
            _left_out["flow_id"] = flow_id
            flow_id = None
        else:
            if type(flow_id) is not str:
                flow_id = as_str("OAuthFlow", "flow_id", flow_id)
        credential_id = _json.pop("credential_id", ABSENT)
        if credential_id is not UNSET and credential_id is not None:
            if type(credential_id) is not str:
                credential_id = as_str("OAuthFlow", "credential_id", credential_id)
        error = _json.pop("error", ABSENT)
        if error is not UNSET and error is not None:
            if type(error) is not str:
                error = as_str("OAuthFlow", "error", error)
        _self = cls.__new__(cls)
        _self.status = status
        _self.flow_id = flow_id
        _self.credential_id = credential_id
        _self.error = error
        _self.additional_properties = _json
        _self.left_out = _left_out
        return _self


# At the foot, where models that contain each other find this one defined.
from .o_auth_flow_status import OAuthFlowStatus  # noqa: E402

OAuthFlow.__init__.__globals__.update(globals())  # attrs copied them before, and `typing.get_type_hints` looks there
