from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any, Literal, Self

from attrs import define as _define
from attrs import field as _field

from interactor_client.base import Model as _Model
from interactor_client.errors import DecodeError
from interactor_client.types import UNSET, Unset
from interactor_client.wire import ABSENT, as_datetime, as_list, as_object, as_received, as_str, names_only, to_json


@_define(kw_only=True)
class Workflow(_Model):
    """The definition of a state machine.

    Attributes:
        id: Id of the workflow (`wf_...`).
        name: Name of the workflow.
        description: What it is for. May be empty.
        states: Its states.
        initial_state: Name of the state in which instances begin.
        created_at: When it was created.
        updated_at: When it last changed.
    """

    id: str
    """Id of the workflow (`wf_...`)."""
    name: str = ""
    """Name of the workflow."""
    description: str = ""
    """What it is for. May be empty."""
    states: list[WorkflowState] = _field(factory=list)
    """Its states."""
    initial_state: str = ""
    """Name of the state in which instances begin."""
    created_at: datetime.datetime | None = None
    """When it was created."""
    updated_at: datetime.datetime | None = None
    """When it last changed."""
    additional_properties: dict[str, Any] = _field(factory=dict, repr=names_only)
    """Undocumented fields."""
    left_out: dict[str, Unset | None] = _field(factory=dict, eq=False, repr=False)
    """Fields that were left out of the response (UNSET), or null (None), and read as empty."""
    outcome: Literal["created", "updated", "unchanged"] | None = _field(default=None, eq=False, repr=False)
    """What `ensure` did; None if another method returned it."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON object, without UNSET fields."""
        _json: dict[str, Any] = to_json(self.additional_properties)
        _json["id"] = self.id
        _json["name"] = self.name
        _json["description"] = to_json(self.description)
        _json["states"] = to_json(self.states)
        _json["initial_state"] = self.initial_state
        if self.created_at is not None:
            _json["created_at"] = to_json(self.created_at)
        if self.updated_at is not None:
            _json["updated_at"] = to_json(self.updated_at)
        return as_received(_json, self.left_out)

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        """The model of a JSON object. Undocumented fields go to `additional_properties`.

        Raises:
            DecodeError: a field is missing, or has the wrong type.
        """
        if cls is not Workflow:
            return cls._of(Workflow.from_dict(src_dict))
        _json = src_dict.copy() if type(src_dict) is dict else as_object("Workflow", src_dict)
        _left_out: dict[str, Unset | None] = {}
        id = _json.pop("id", ABSENT)
        if type(id) is not str:
            id = as_str("Workflow", "id", id)
        name = _json.pop("name", ABSENT)
        if name is None or name is UNSET:
            _left_out["name"] = name
            name = ""
        else:
            if type(name) is not str:
                name = as_str("Workflow", "name", name)
        description = _json.pop("description", ABSENT)
        if description is None or description is UNSET:
            _left_out["description"] = description
            description = ""
        else:
            if type(description) is not str:
                description = as_str("Workflow", "description", description)
        states = _json.pop("states", ABSENT)
        if states is None or states is UNSET:
            _left_out["states"] = states
            states = []
        else:
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
        if initial_state is None or initial_state is UNSET:
            _left_out["initial_state"] = initial_state
            initial_state = ""
        else:
            if type(initial_state) is not str:
                initial_state = as_str("Workflow", "initial_state", initial_state)
        created_at = _json.pop("created_at", ABSENT)
        if created_at is None or created_at is UNSET:
            _left_out["created_at"] = created_at
            created_at = None
        else:
            created_at = as_datetime("Workflow", "created_at", created_at)
        updated_at = _json.pop("updated_at", ABSENT)
        if updated_at is None or updated_at is UNSET:
            _left_out["updated_at"] = updated_at
            updated_at = None
        else:
            updated_at = as_datetime("Workflow", "updated_at", updated_at)
        _self = cls.__new__(cls)
        _self.id = id
        _self.name = name
        _self.description = description
        _self.states = states
        _self.initial_state = initial_state
        _self.created_at = created_at
        _self.updated_at = updated_at
        _self.additional_properties = _json
        _self.left_out = _left_out
        _self.outcome = None
        return _self


# At the foot, where models that contain each other find this one defined.
from .workflow_state import WorkflowState  # noqa: E402

Workflow.__init__.__globals__.update(globals())  # attrs copied them before, and `typing.get_type_hints` looks there
