from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import define as _define
from attrs import field as _field

from interactor_client.base import Model as _Model
from interactor_client.types import UNSET, Unset
from interactor_client.wire import ABSENT, as_dict, as_object, as_str, names_only, to_json


@_define(kw_only=True)
class WorkflowInstanceStateChangedData(_Model):
    """The instance, and where it moved.

    Attributes:
        instance_id: The instance (`wfi_...`).
        workflow_id: The workflow that it runs (`wf_...`).
        previous_state: Name of the state that it left.
        current_state: Name of the state that it is in now.
        context: Its data.
        namespace: The tenant that it belongs to.
    """

    instance_id: str
    """The instance (`wfi_...`)."""
    workflow_id: str | Unset = UNSET
    """The workflow that it runs (`wf_...`)."""
    previous_state: str | Unset = UNSET
    """Name of the state that it left."""
    current_state: str | Unset = UNSET
    """Name of the state that it is in now."""
    context: JsonObject | Unset = UNSET
    """Its data."""
    namespace: str | Unset = UNSET
    """The tenant that it belongs to."""
    additional_properties: dict[str, Any] = _field(factory=dict, repr=names_only)
    """Undocumented fields."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON object, without UNSET fields."""
        _json: dict[str, Any] = to_json(self.additional_properties)
        _json["instance_id"] = self.instance_id
        if self.workflow_id is not UNSET and self.workflow_id is not None:
            _json["workflow_id"] = self.workflow_id
        if self.previous_state is not UNSET and self.previous_state is not None:
            _json["previous_state"] = self.previous_state
        if self.current_state is not UNSET and self.current_state is not None:
            _json["current_state"] = self.current_state
        if self.context is not UNSET and self.context is not None:
            _json["context"] = to_json(self.context)
        if self.namespace is not UNSET and self.namespace is not None:
            _json["namespace"] = self.namespace
        return _json

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        """The model of a JSON object. Undocumented fields go to `additional_properties`.

        Raises:
            DecodeError: a field is missing, or has the wrong type.
        """
        if cls is not WorkflowInstanceStateChangedData:
            return cls._of(WorkflowInstanceStateChangedData.from_dict(src_dict))
        _json = src_dict.copy() if type(src_dict) is dict else as_object("WorkflowInstanceStateChangedData", src_dict)
        instance_id = _json.pop("instance_id", ABSENT)
        if type(instance_id) is not str:
            instance_id = as_str("WorkflowInstanceStateChangedData", "instance_id", instance_id)
        workflow_id = _json.pop("workflow_id", ABSENT)
        if type(workflow_id) is not str and workflow_id is not UNSET:
            workflow_id = (
                UNSET if workflow_id is None else as_str("WorkflowInstanceStateChangedData", "workflow_id", workflow_id)
            )
        previous_state = _json.pop("previous_state", ABSENT)
        if type(previous_state) is not str and previous_state is not UNSET:
            previous_state = (
                UNSET
                if previous_state is None
                else as_str("WorkflowInstanceStateChangedData", "previous_state", previous_state)
            )
        current_state = _json.pop("current_state", ABSENT)
        if type(current_state) is not str and current_state is not UNSET:
            current_state = (
                UNSET
                if current_state is None
                else as_str("WorkflowInstanceStateChangedData", "current_state", current_state)
            )
        context = _json.pop("context", ABSENT)
        if type(context) is not dict and context is not UNSET:
            context = UNSET if context is None else as_dict("WorkflowInstanceStateChangedData", "context", context)
        namespace = _json.pop("namespace", ABSENT)
        if type(namespace) is not str and namespace is not UNSET:
            namespace = (
                UNSET if namespace is None else as_str("WorkflowInstanceStateChangedData", "namespace", namespace)
            )
        _self = cls.__new__(cls)
        _self.instance_id = instance_id
        _self.workflow_id = workflow_id
        _self.previous_state = previous_state
        _self.current_state = current_state
        _self.context = context
        _self.namespace = namespace
        _self.additional_properties = _json
        return _self


# At the foot, where models that contain each other find this one defined.
from .json_object import JsonObject  # noqa: E402

WorkflowInstanceStateChangedData.__init__.__globals__.update(
    globals()
)  # attrs copied them before, and `typing.get_type_hints` looks there
