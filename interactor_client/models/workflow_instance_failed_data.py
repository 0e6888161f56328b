from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import define as _define
from attrs import field as _field

from interactor_client.base import Model as _Model
from interactor_client.errors import DecodeError
from interactor_client.types import UNSET, Unset
from interactor_client.wire import ABSENT, as_dict, as_object, as_str, names_only, raise_decode_error, to_json


@_define(kw_only=True)
class WorkflowInstanceFailedData(_Model):
    """The instance, and why it failed.

    Attributes:
        instance_id: The instance (`wfi_...`).
        workflow_id: The workflow that it runs (`wf_...`).
        current_state: Name of the state that it failed in.
        context: Its data.
        error: Why something failed, as a text or as an object, depending on the server's version.
        namespace: The tenant that it belongs to.
    """

    instance_id: str
    """The instance (`wfi_...`)."""
    workflow_id: str | Unset = UNSET
    """The workflow that it runs (`wf_...`)."""
    current_state: str | Unset = UNSET
    """Name of the state that it failed in."""
    context: JsonObject | Unset = UNSET
    """Its data."""
    error: FailureDetail | str | Unset = UNSET
    """Why something failed, as a text or as an object, depending on the server's version."""
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
        if self.current_state is not UNSET and self.current_state is not None:
            _json["current_state"] = self.current_state
        if self.context is not UNSET and self.context is not None:
            _json["context"] = to_json(self.context)
        if self.error is not UNSET and self.error is not None:
            _json["error"] = to_json(self.error)
        if self.namespace is not UNSET and self.namespace is not None:
            _json["namespace"] = self.namespace
        return _json

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        """The model of a JSON object. Undocumented fields go to `additional_properties`.

        Raises:
            DecodeError: a field is missing, or has the wrong type.
        """
        if cls is not WorkflowInstanceFailedData:
            return cls._of(WorkflowInstanceFailedData.from_dict(src_dict))
        _json = src_dict.copy() if type(src_dict) is dict else as_object("WorkflowInstanceFailedData", src_dict)
        instance_id = _json.pop("instance_id", ABSENT)
        if type(instance_id) is not str:
            instance_id = as_str("WorkflowInstanceFailedData", "instance_id", instance_id)
        workflow_id = _json.pop("workflow_id", ABSENT)
        if type(workflow_id) is not str and workflow_id is not UNSET:
            workflow_id = (
                UNSET if workflow_id is None else as_str("WorkflowInstanceFailedData", "workflow_id", workflow_id)
            )
        current_state = _json.pop("current_state", ABSENT)
        if type(current_state) is not str and current_state is not UNSET:
            current_state = (
                UNSET if current_state is None else as_str("WorkflowInstanceFailedData", "current_state", current_state)
            )
        context = _json.pop("context", ABSENT)
        if type(context) is not dict and context is not UNSET:
            context = UNSET if context is None else as_dict("WorkflowInstanceFailedData", "context", context)
        error = _json.pop("error", ABSENT)
        if error is None:
            error = UNSET
        elif error is not UNSET:
            if type(error) is dict:
                try:
                    error = FailureDetail.from_dict(error)
                except DecodeError as _error:
                    raise _error.at("WorkflowInstanceFailedData", "error") from None
            elif type(error) is not str:
                raise_decode_error("WorkflowInstanceFailedData", "error", "an object or a string", error)
        namespace = _json.pop("namespace", ABSENT)
        if type(namespace) is not str and namespace is not UNSET:
            namespace = UNSET if namespace is None else as_str("WorkflowInstanceFailedData", "namespace", namespace)
        _self = cls.__new__(cls)
        _self.instance_id = instance_id
        _self.workflow_id = workflow_id
        _self.current_state = current_state
        _self.context = context
        _self.error = error
        _self.namespace = namespace
        _self.additional_properties = _json
        return _self


# At the foot, where models that contain each other find this one defined.
from .failure_detail import FailureDetail  # noqa: E402
from .json_object import JsonObject  # noqa: E402

WorkflowInstanceFailedData.__init__.__globals__.update(
    globals()
)  # attrs copied them before, and `typing.get_type_hints` looks there
