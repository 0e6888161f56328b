from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any, Self

from attrs import define as _define
from attrs import field as _field

from ..base import Model as _Model
from ..errors import DecodeError
from ..types import UNSET
from ..wire import ABSENT, as_datetime, as_list, as_object, as_str, names_only, to_json


@_define(kw_only=True)
class Workflow(_Model):
    """The definition of a state machine.

    Attributes:
        id: Id of the workflow (`wf_...`).
        name: Name of the workflow.
        states: Its states.
        initial_state: Name of the state in which instances begin.
        created_at: When it was created.
        updated_at: When it last changed.
        description: What it is for. May be empty.
    """

    id: str
    """Id of the workflow (`wf_...`)."""
    name: str
    """Name of the workflow."""
    states: list[WorkflowState]
    """Its states."""
    initial_state: str
    """Name of the state in which instances begin."""
    created_at: datetime.datetime
    """When it was created."""
    updated_at: datetime.datetime
    """When it last changed."""
    description: str = ""
    """What it is for. May be empty."""
    additional_properties: dict[str, Any] = _field(factory=dict, repr=names_only)
    """Undocumented fields."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON object, without UNSET fields."""
        _json: dict[str, Any] = to_json(self.additional_properties)
        _json["id"] = self.id
        _json["name"] = self.name
        _json["states"] = to_json(self.states)
        _json["initial_state"] = self.initial_state
        _json["created_at"] = to_json(self.created_at)
        _json["updated_at"] = to_json(self.updated_at)
        _json["description"] = to_json(self.description)
        return _json

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        """The model of a JSON object. Undocumented fields go to `additional_properties`.

        Raises:
            DecodeError: a field is missing, or has the wrong type.
        """
        if cls is not Workflow:
            return cls._of(Workflow.from_dict(src_dict))
        _json = src_dict.copy() if type(src_dict) is dict else as_object("Workflow", src_dict)
        id = _json.pop("id", ABSENT)
        if type(id) is not str:
            id = as_str("Workflow", "id", id)
        name = _json.pop("name", ABSENT)
        if type(name) is not str:
            name = as_str("Workflow", "name", name)
        states = _json.pop("states", ABSENT)
        if type(states) is not list:
            states = as_list("Workflow", "states", states)
        _states_items = states
        states = []
        for _states_item in _states_items:
            try:
                _states_item = WorkflowState.from_dict(_states_item)
            except DecodeError as _error:
                raise _error.at("Workflow", f"states[{len(states)}]") from None
            states.append(_states_item)
        initial_state = _json.pop("initial_state", ABSENT)
        if type(initial_state) is not str:
            initial_state = as_str("Workflow", "initial_state", initial_state)
        created_at = _json.pop("created_at", ABSENT)
        created_at = as_datetime("Workflow", "created_at", created_at)
        updated_at = _json.pop("updated_at", ABSENT)
        updated_at = as_datetime("Workflow", "updated_at", updated_at)
        description = _json.pop("description", ABSENT)
        if description is None or description is UNSET:
            description = ""
        else:
            if type(description) is not str:
                description = as_str("Workflow", "description", description)
        _self = cls.__new__(cls)
        _self.id = id
        _self.name = name
        _self.states = states
        _self.initial_state = initial_state
        _self.created_at = created_at
        _self.updated_at = updated_at
        _self.description = description
        _self.additional_properties = _json
        return _self


# At the foot, where models that contain each other find this one defined.
from .workflow_state import WorkflowState  # noqa: E402
