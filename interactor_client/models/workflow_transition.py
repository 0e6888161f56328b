from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import define as _define
from attrs import field as _field

from interactor_client.base import Model as _Model
from interactor_client.types import UNSET, Unset
from interactor_client.wire import ABSENT, as_object, as_str, names_only, to_json


@_define(kw_only=True)
class WorkflowTransition(_Model):
    """A way from one state to another. Without `condition` and `event` it is taken at once.

    Attributes:
        to: Name of the state that it leads to.
        condition: An expression over the context that must hold, such as `approved == true`.
        event: The event that triggers it, from `workflow_instances.trigger_event`.
    """

    to: str
    """Name of the state that it leads to."""
    condition: str | None | Unset = UNSET
    """An expression over the context that must hold, such as `approved == true`."""
    event: str | None | Unset = UNSET
    """The event that triggers it, from `workflow_instances.trigger_event`."""
    additional_properties: dict[str, Any] = _field(factory=dict, repr=names_only)
    """Undocumented fields."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON object, without UNSET fields."""
        _json: dict[str, Any] = to_json(self.additional_properties)
        _json["to"] = self.to
        if self.condition is not UNSET:
            _json["condition"] = to_json(self.condition)
        if self.event is not UNSET:
            _json["event"] = to_json(self.event)
        return _json

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        """The model of a JSON object. Undocumented fields go to `additional_properties`.

        Raises:
            DecodeError: a field is missing, or has the wrong type.
        """
        if cls is not WorkflowTransition:
            return cls._of(WorkflowTransition.from_dict(src_dict))
        _json = src_dict.copy() if type(src_dict) is dict else as_object("WorkflowTransition", src_dict)
        to = _json.pop("to", ABSENT)
        if type(to) is not str:
            to = as_str("WorkflowTransition", "to", to)
        condition = _json.pop("condition", ABSENT)
        if condition is not UNSET and condition is not None:
            if type(condition) is not str:
                condition = as_str("WorkflowTransition", "condition", condition)
        event = _json.pop("event", ABSENT)
        if event is not UNSET and event is not None:
            if type(event) is not str:
                event = as_str("WorkflowTransition", "event", event)
        _self = cls.__new__(cls)
        _self.to = to
        _self.condition = condition
        _self.event = event
        _self.additional_properties = _json
        return _self
