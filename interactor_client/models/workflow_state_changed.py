from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from attrs import define as _define
from attrs import field as _field

from interactor_client.base import Model as _Model
from interactor_client.types import UNSET, Unset
from interactor_client.wire import ABSENT, as_const, as_dict, as_object, as_received, as_str, names_only, to_json


@_define(kw_only=True)
class WorkflowStateChanged(_Model):
    """The instance moved to another state.

    Attributes:
        type: Always `workflow.state_changed`.
        state: Name of the state that it is in now.
        context: Its data as it is now.
    """

    type: Literal["workflow.state_changed"] = "workflow.state_changed"
    """Always `workflow.state_changed`."""
    state: str
    """Name of the state that it is in now."""
    context: JsonObject = _field(factory=dict)
    """Its data as it is now."""
    additional_properties: dict[str, Any] = _field(factory=dict, repr=names_only)
    """Undocumented fields."""
    left_out: dict[str, Unset | None] = _field(factory=dict, eq=False, repr=False)
    """Fields that were left out of the response (UNSET), or null (None), and read as empty."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON object, without UNSET fields."""
        _json: dict[str, Any] = to_json(self.additional_properties)
        _json["type"] = self.type
        _json["state"] = self.state
        _json["context"] = to_json(self.context)
        return as_received(_json, self.left_out)

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        """The model of a JSON object. Undocumented fields go to `additional_properties`.

        Raises:
            DecodeError: a field is missing, or has the wrong type.
        """
        if cls is not WorkflowStateChanged:
            return cls._of(WorkflowStateChanged.from_dict(src_dict))
        _json = src_dict.copy() if type(src_dict) is dict else as_object("WorkflowStateChanged", src_dict)
        _left_out: dict[str, Unset | None] = {}
        type_ = _json.pop("type", ABSENT)
        if type_ != "workflow.state_changed":
            type_ = as_const("WorkflowStateChanged", "type", type_, "workflow.state_changed")
        state = _json.pop("state", ABSENT)
        if type(state) is not str:
            state = as_str("WorkflowStateChanged", "state", state)
        context = _json.pop("context", ABSENT)
        if context is None or context is UNSET:
            _left_out["context"] = context
            context = {}
        else:
            if type(context) is not dict:
                context = as_dict("WorkflowStateChanged", "context", context)
        _self = cls.__new__(cls)
        _self.type = type_
        _self.state = state
        _self.context = context
        _self.additional_properties = _json
        _self.left_out = _left_out
        return _self


# At the foot, where models that contain each other find this one defined.
from .json_object import JsonObject  # noqa: E402

WorkflowStateChanged.__init__.__globals__.update(
    globals()
)  # attrs copied them before, and `typing.get_type_hints` looks there
