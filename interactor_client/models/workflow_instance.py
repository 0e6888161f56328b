from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any, Self

from attrs import define as _define
from attrs import field as _field

from ..wire import ABSENT, as_datetime, as_dict, as_object, as_str, names_only, to_json


@_define(kw_only=True)
class WorkflowInstance:
    """A run of a workflow.

    Attributes:
        id: Id of the instance (`wfi_...`).
        workflow_id: The workflow that it runs (`wf_...`).
        namespace: The tenant that it belongs to.
        current_state: Name of the state that it is in, or that it ended in.
        context: A free JSON object. In Python it is a plain `dict`.
        status: `running` moves by itself, `halted` waits for `submit_workflow_input`; `completed`, `failed`
            and `cancelled` have ended.
        created_at: When it was started.
        updated_at: When it last moved.
    """

    id: str
    workflow_id: str
    namespace: str
    current_state: str
    context: JsonObject
    status: WorkflowInstanceStatus
    created_at: datetime.datetime
    updated_at: datetime.datetime
    additional_properties: dict[str, Any] = _field(factory=dict, repr=names_only)

    def to_dict(self) -> dict[str, Any]:
        """The JSON object, without what is UNSET."""
        _json: dict[str, Any] = to_json(self.additional_properties)
        _json["id"] = self.id
        _json["workflow_id"] = self.workflow_id
        _json["namespace"] = self.namespace
        _json["current_state"] = self.current_state
        _json["context"] = to_json(self.context)
        _json["status"] = self.status
        _json["created_at"] = to_json(self.created_at)
        _json["updated_at"] = to_json(self.updated_at)
        return _json

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        """The model of a JSON object; what it does not document goes to `additional_properties`.

        Raises:
            DecodeError: a field is missing, or not of its type.
        """
        _json = src_dict.copy() if type(src_dict) is dict else as_object("WorkflowInstance", src_dict)
        id = _json.pop("id", ABSENT)
        if type(id) is not str:
            id = as_str("WorkflowInstance", "id", id)
        workflow_id = _json.pop("workflow_id", ABSENT)
        if type(workflow_id) is not str:
            workflow_id = as_str("WorkflowInstance", "workflow_id", workflow_id)
        namespace = _json.pop("namespace", ABSENT)
        if type(namespace) is not str:
            namespace = as_str("WorkflowInstance", "namespace", namespace)
        current_state = _json.pop("current_state", ABSENT)
        if type(current_state) is not str:
            current_state = as_str("WorkflowInstance", "current_state", current_state)
        context = _json.pop("context", ABSENT)
        if type(context) is not dict:
            context = as_dict("WorkflowInstance", "context", context)
        status = _json.pop("status", ABSENT)
        if type(status) is not str:
            status = as_str("WorkflowInstance", "status", status)
        created_at = _json.pop("created_at", ABSENT)
        created_at = as_datetime("WorkflowInstance", "created_at", created_at)
        updated_at = _json.pop("updated_at", ABSENT)
        updated_at = as_datetime("WorkflowInstance", "updated_at", updated_at)
        return cls(
            id=id,
            workflow_id=workflow_id,
            namespace=namespace,
            current_state=current_state,
            context=context,
            status=status,
            created_at=created_at,
            updated_at=updated_at,
            additional_properties=_json,
        )


# At the foot, where models that contain each other find this one defined.
from .json_object import JsonObject  # noqa: E402
from .workflow_instance_status import WorkflowInstanceStatus  # noqa: E402
