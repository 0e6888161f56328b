from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any, Self

from attrs import define as _define
from attrs import field as _field

from interactor_client.base import Model as _Model
from interactor_client.types import UNSET, Unset
from interactor_client.wire import ABSENT, as_datetime, as_dict, as_object, as_received, as_str, names_only, to_json


@_define(kw_only=True)
class WorkflowInstance(_Model):
    """A run of a workflow.

    Attributes:
        id: Id of the instance (`wfi_...`).
        workflow_id: The workflow that it runs (`wf_...`).
        namespace: The tenant that it belongs to. Empty for the default namespace.
        current_state: Name of the state that it is in, or that it ended in.
        context: Its data, from the start, from actions, from input and from events. May be empty.
        status: `running` moves by itself, `halted` waits for `workflow_instances.submit_input`;
            `completed`, `failed` and `cancelled` have ended.
        created_at: When it was started.
        updated_at: When it last moved.
    """

    id: str
    """Id of the instance (`wfi_...`)."""
    workflow_id: str | None = None
    """The workflow that it runs (`wf_...`)."""
    namespace: str = ""
    """The tenant that it belongs to. Empty for the default namespace."""
    current_state: str = ""
    """Name of the state that it is in, or that it ended in."""
    context: JsonObject = _field(factory=dict)
    """Its data, from the start, from actions, from input and from events. May be empty."""
    status: WorkflowInstanceStatus | None = None
    """`running` moves by itself, `halted` waits for `workflow_instances.submit_input`; `completed`, `failed` and
    `cancelled` have ended.
    """
    created_at: datetime.datetime | None = None
    """When it was started."""
    updated_at: datetime.datetime | None = None
    """When it last moved."""
    additional_properties: dict[str, Any] = _field(factory=dict, repr=names_only)
    """Undocumented fields."""
    left_out: dict[str, Unset | None] = _field(factory=dict, eq=False, repr=False)
    """Fields that were left out of the response (UNSET), or null (None), and read as empty."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON object, without UNSET fields."""
        _json: dict[str, Any] = to_json(self.additional_properties)
        _json["id"] = self.id
        if self.workflow_id is not None:
            _json["workflow_id"] = self.workflow_id
        _json["namespace"] = to_json(self.namespace)
        _json["current_state"] = self.current_state
        _json["context"] = to_json(self.context)
        if self.status is not None:
            _json["status"] = self.status
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
        if cls is not WorkflowInstance:
            return cls._of(WorkflowInstance.from_dict(src_dict))
        _json = src_dict.copy() if type(src_dict) is dict else as_object("WorkflowInstance", src_dict)
        _left_out: dict[str, Unset | None] = {}
        id = _json.pop("id", ABSENT)
        if type(id) is not str:
            id = as_str("WorkflowInstance", "id", id)
        workflow_id = _json.pop("workflow_id", ABSENT)
        if workflow_id is None or workflow_id is UNSET:
            _left_out["workflow_id"] = workflow_id
            workflow_id = None
        else:
            if type(workflow_id) is not str:
                workflow_id = as_str("WorkflowInstance", "workflow_id", workflow_id)
        namespace = _json.pop("namespace", ABSENT)
        if namespace is None or namespace is UNSET:
            _left_out["namespace"] = namespace
            namespace = ""
        else:
            if type(namespace) is not str:
                namespace = as_str("WorkflowInstance", "namespace", namespace)
        current_state = _json.pop("current_state", ABSENT)
        if current_state is None or current_state is UNSET:
            _left_out["current_state"] = current_state
            current_state = ""
        else:
            if type(current_state) is not str:
                current_state = as_str("WorkflowInstance", "current_state", current_state)
        context = _json.pop("context", ABSENT)
        if context is None or context is UNSET:
            _left_out["context"] = context
            context = {}
        else:
            if type(context) is not dict:
                context = as_dict("WorkflowInstance", "context", context)
        status = _json.pop("status", ABSENT)
        if status is None or status is UNSET:
            _left_out["status"] = status
            status = None
        else:
            if type(status) is not str:
                status = as_str("WorkflowInstance", "status", status)
        created_at = _json.pop("created_at", ABSENT)
        if created_at is None or created_at is UNSET:
            _left_out["created_at"] = created_at
            created_at = None
        else:
            created_at = as_datetime("WorkflowInstance", "created_at", created_at)
        updated_at = _json.pop("updated_at", ABSENT)
        if updated_at is None or updated_at is UNSET:
            _left_out["updated_at"] = updated_at
            updated_at = None
        else:
            updated_at = as_datetime("WorkflowInstance", "updated_at", updated_at)
        _self = cls.__new__(cls)
        _self.id = id
        _self.workflow_id = workflow_id
        _self.namespace = namespace
        _self.current_state = current_state
        _self.context = context
        _self.status = status
        _self.created_at = created_at
        _self.updated_at = updated_at
        _self.additional_properties = _json
        _self.left_out = _left_out
        return _self


# At the foot, where models that contain each other find this one defined.
from .json_object import JsonObject  # noqa: E402
from .workflow_instance_status import WorkflowInstanceStatus  # noqa: E402

WorkflowInstance.__init__.__globals__.update(
    globals()
)  # attrs copied them before, and `typing.get_type_hints` looks there
