from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import define as _define
from attrs import field as _field

from interactor_client.base import Model as _Model
from interactor_client.types import UNSET, Unset
from interactor_client.wire import ABSENT, as_dict, as_object, as_str, names_only, to_json


@_define(kw_only=True)
class TriggerWorkflowEventRequest(_Model):
    """An event for an instance.

    Attributes:
        event: Name of the event, as in a transition of the current state.
        payload: Data to merge into the instance's context.
    """

    event: str
    """Name of the event, as in a transition of the current state."""
    payload: JsonObject | None | Unset = UNSET
    """Data to merge into the instance's context."""
    additional_properties: dict[str, Any] = _field(factory=dict, repr=names_only)
    """Undocumented fields."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON object, without UNSET fields."""
        _json: dict[str, Any] = to_json(self.additional_properties)
        _json["event"] = self.event
        if self.payload is not UNSET and self.payload is not None:
            _json["payload"] = to_json(self.payload)
        return _json

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        """The model of a JSON object. Undocumented fields go to `additional_properties`.

        Raises:
            DecodeError: a field is missing, or has the wrong type.
        """
        if cls is not TriggerWorkflowEventRequest:
            return cls._of(TriggerWorkflowEventRequest.from_dict(src_dict))
        _json = src_dict.copy() if type(src_dict) is dict else as_object("TriggerWorkflowEventRequest", src_dict)
        event = _json.pop("event", ABSENT)
        if type(event) is not str:
            event = as_str("TriggerWorkflowEventRequest", "event", event)
        payload = _json.pop("payload", ABSENT)
        if payload is not UNSET and payload is not None:
            if type(payload) is not dict:
                payload = as_dict("TriggerWorkflowEventRequest", "payload", payload)
        _self = cls.__new__(cls)
        _self.event = event
        _self.payload = payload
        _self.additional_properties = _json
        return _self


# At the foot, where models that contain each other find this one defined.
from .json_object import JsonObject  # noqa: E402

TriggerWorkflowEventRequest.__init__.__globals__.update(
    globals()
)  # attrs copied them before, and `typing.get_type_hints` looks there
