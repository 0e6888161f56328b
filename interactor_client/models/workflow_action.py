from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import define as _define
from attrs import field as _field

from interactor_client.base import Model as _Model
from interactor_client.types import UNSET, Unset
from interactor_client.wire import ABSENT, as_dict, as_object, as_received, as_str, names_only, to_json


@_define(kw_only=True)
class WorkflowAction(_Model):
    """One thing that a state does on entry.

    Attributes:
        type: What an action does.
        config: How to do it. Which keys it has depends on `type`.
    """

    type: WorkflowActionType
    """What an action does."""
    config: JsonObject
    """How to do it. Which keys it has depends on `type`."""
    additional_properties: dict[str, Any] = _field(factory=dict, repr=names_only)
    """Undocumented fields."""
    left_out: dict[str, Unset | None] = _field(factory=dict, eq=False, repr=False)
    """Fields that were left out of the response (UNSET), or null (None), and read as empty."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON object, without UNSET fields."""
        _json: dict[str, Any] = to_json(self.additional_properties)
        _json["type"] = self.type
        _json["config"] = to_json(self.config)
        return as_received(_json, self.left_out)

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        """The model of a JSON object. Undocumented fields go to `additional_properties`.

        Raises:
            DecodeError: a field is missing, or has the wrong type.
        """
        if cls is not WorkflowAction:
            return cls._of(WorkflowAction.from_dict(src_dict))
        _json = src_dict.copy() if type(src_dict) is dict else as_object("WorkflowAction", src_dict)
        _left_out: dict[str, Unset | None] = {}
        type_ = _json.pop("type", ABSENT)
        if type(type_) is not str:
            type_ = as_str("WorkflowAction", "type", type_)
        config = _json.pop("config", ABSENT)
        if config is None or config is UNSET:
            _left_out["config"] = config
            config = {}
        else:
            if type(config) is not dict:
                config = as_dict("WorkflowAction", "config", config)
        _self = cls.__new__(cls)
        _self.type = type_
        _self.config = config
        _self.additional_properties = _json
        _self.left_out = _left_out
        return _self


# At the foot, where models that contain each other find this one defined.
from .json_object import JsonObject  # noqa: E402
from .workflow_action_type import WorkflowActionType  # noqa: E402

WorkflowAction.__init__.__globals__.update(
    globals()
)  # attrs copied them before, and `typing.get_type_hints` looks there
