from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import define as _define
from attrs import field as _field

from interactor_client.base import Model as _Model
from interactor_client.errors import DecodeError
from interactor_client.types import UNSET, Unset
from interactor_client.wire import ABSENT, as_list, as_object, as_str, names_only, to_json


@_define(kw_only=True)
class CreateWorkflowRequest(_Model):
    """The definition of a new workflow.

    Attributes:
        name: Name of the workflow.
        states: Its states. Their names must be unique.
        initial_state: Name of the state in which instances begin.
        description: What it is for.
    """

    name: str
    """Name of the workflow."""
    states: list[WorkflowState]
    """Its states. Their names must be unique."""
    initial_state: str
    """Name of the state in which instances begin."""
    description: str | None | Unset = UNSET
    """What it is for."""
    additional_properties: dict[str, Any] = _field(factory=dict, repr=names_only)
    """Undocumented fields."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON object, without UNSET fields."""
        _json: dict[str, Any] = to_json(self.additional_properties)
        _json["name"] = self.name
        _json["states"] = to_json(self.states)
        _json["initial_state"] = self.initial_state
        if self.description is not UNSET and self.description is not None:
            _json["description"] = to_json(self.description)
        return _json

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        """The model of a JSON object. Undocumented fields go to `additional_properties`.

        Raises:
            DecodeError: a field is missing, or has the wrong type.
        """
        if cls is not CreateWorkflowRequest:
            return cls._of(CreateWorkflowRequest.from_dict(src_dict))
        _json = src_dict.copy() if type(src_dict) is dict else as_object("CreateWorkflowRequest", src_dict)
        name = _json.pop("name", ABSENT)
        if type(name) is not str:
            name = as_str("CreateWorkflowRequest", "name", name)
        states = _json.pop("states", ABSENT)
        if type(states) is not list:
            states = as_list("CreateWorkflowRequest", "states", states)
        _states_items = states
        states = []
        for _states_item in _states_items:
            try:
                _states_item = WorkflowState.from_dict(_states_item)
            except DecodeError as _error:
                raise _error.at("CreateWorkflowRequest", f"states[{len(states)}]") from None
            states.append(_states_item)
        initial_state = _json.pop("initial_state", ABSENT)
        if type(initial_state) is not str:
            initial_state = as_str("CreateWorkflowRequest", "initial_state", initial_state)
        description = _json.pop("description", ABSENT)
        if description is not UNSET and description is not None:
            if type(description) is not str:
                description = as_str("CreateWorkflowRequest", "description", description)
        _self = cls.__new__(cls)
        _self.name = name
        _self.states = states
        _self.initial_state = initial_state
        _self.description = description
        _self.additional_properties = _json
        return _self


# At the foot, where models that contain each other find this one defined.
from .workflow_state import WorkflowState  # noqa: E402

CreateWorkflowRequest.__init__.__globals__.update(
    globals()
)  # attrs copied them before, and `typing.get_type_hints` looks there
