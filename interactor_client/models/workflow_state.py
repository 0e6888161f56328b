from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import define as _define
from attrs import field as _field

from interactor_client.base import Model as _Model
from interactor_client.errors import DecodeError
from interactor_client.types import UNSET, Unset
from interactor_client.wire import ABSENT, as_list, as_object, as_received, as_str, names_only, to_json


@_define(kw_only=True)
class WorkflowState(_Model):
    """One state of a workflow.

    Attributes:
        name: Name of the state, unique in the workflow.
        type: `action` does something and moves on, `halting` waits for input, `terminal` ends the instance.
        actions: What it does on entry, in order.
        transitions: Where it leads. The first one that applies is taken. A terminal state has none.
        presentation: What a halting state shows.
    """

    name: str
    """Name of the state, unique in the workflow."""
    type: WorkflowStateType | None
    """`action` does something and moves on, `halting` waits for input, `terminal` ends the instance."""
    actions: list[WorkflowAction] | None | Unset = UNSET
    """What it does on entry, in order."""
    transitions: list[WorkflowTransition] | None | Unset = UNSET
    """Where it leads. The first one that applies is taken. A terminal state has none."""
    presentation: HaltingPresentation | None | Unset = UNSET
    """What a halting state shows."""
    additional_properties: dict[str, Any] = _field(factory=dict, repr=names_only)
    """Undocumented fields."""
    left_out: dict[str, Unset | None] = _field(factory=dict, eq=False, repr=False)
    """Fields that were left out of the response (UNSET), or null (None), and read as empty."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON object, without UNSET fields."""
        _json: dict[str, Any] = to_json(self.additional_properties)
        _json["name"] = self.name
        _json["type"] = self.type
        if self.actions is not UNSET:
            _json["actions"] = to_json(self.actions)
        if self.transitions is not UNSET:
            _json["transitions"] = to_json(self.transitions)
        if self.presentation is not UNSET:
            _json["presentation"] = to_json(self.presentation)
        return as_received(_json, self.left_out)

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        """The model of a JSON object. Undocumented fields go to `additional_properties`.

        Raises:
            DecodeError: a field is missing, or has the wrong type.
        """
        if cls is not WorkflowState:
            return cls._of(WorkflowState.from_dict(src_dict))
        _json = src_dict.copy() if type(src_dict) is dict else as_object("WorkflowState", src_dict)
        _left_out: dict[str, Unset | None] = {}
        name = _json.pop("name", ABSENT)
        if type(name) is not str:
            name = as_str("WorkflowState", "name", name)
        type_ = _json.pop("type", ABSENT)
        if type_ is None or type_ is UNSET:
            _left_out["type"] = type_
            type_ = None
        else:
            if type(type_) is not str:
                type_ = as_str("WorkflowState", "type", type_)
        actions = _json.pop("actions", ABSENT)
        if actions is not UNSET and actions is not None:
            if type(actions) is not list:
                actions = as_list("WorkflowState", "actions", actions)
            _actions_items = actions
            actions = []
            for _actions_item in _actions_items:
                try:
                    _actions_item = WorkflowAction.from_dict(_actions_item)
                except DecodeError as _error:
                    raise _error.at("WorkflowState", f"actions[{len(actions)}]") from None
                actions.append(_actions_item)
        transitions = _json.pop("transitions", ABSENT)
        if transitions is not UNSET and transitions is not None:
            if type(transitions) is not list:
                transitions = as_list("WorkflowState", "transitions", transitions)
            _transitions_items = transitions
            transitions = []
            for _transitions_item in _transitions_items:
                try:
                    _transitions_item = WorkflowTransition.from_dict(_transitions_item)
                except DecodeError as _error:
                    raise _error.at("WorkflowState", f"transitions[{len(transitions)}]") from None
                transitions.append(_transitions_item)
        presentation = _json.pop("presentation", ABSENT)
        if presentation is not UNSET and presentation is not None:
            try:
                presentation = HaltingPresentation.from_dict(presentation)
            except DecodeError as _error:
                raise _error.at("WorkflowState", "presentation") from None
        _self = cls.__new__(cls)
        _self.name = name
        _self.type = type_
        _self.actions = actions
        _self.transitions = transitions
        _self.presentation = presentation
        _self.additional_properties = _json
        _self.left_out = _left_out
        return _self


# At the foot, where models that contain each other find this one defined.
from .halting_presentation import HaltingPresentation  # noqa: E402
from .workflow_action import WorkflowAction  # noqa: E402
from .workflow_state_type import WorkflowStateType  # noqa: E402
from .workflow_transition import WorkflowTransition  # noqa: E402

WorkflowState.__init__.__globals__.update(
    globals()
)  # attrs copied them before, and `typing.get_type_hints` looks there
