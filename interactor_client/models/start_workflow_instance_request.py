from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import define as _define
from attrs import field as _field

from interactor_client.base import Model as _Model
from interactor_client.types import UNSET, Unset
from interactor_client.wire import ABSENT, as_dict, as_object, as_str, names_only, to_json


@_define(kw_only=True)
class StartWorkflowInstanceRequest(_Model):
    """What to run, and with which data.

    Attributes:
        workflow_id: The workflow to run (`wf_...`).
        context: The data that the instance begins with. None by default.
    """

    workflow_id: str
    """The workflow to run (`wf_...`)."""
    context: JsonObject | None | Unset = UNSET
    """The data that the instance begins with. None by default."""
    additional_properties: dict[str, Any] = _field(factory=dict, repr=names_only)
    """Undocumented fields."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON object, without UNSET fields."""
        _json: dict[str, Any] = to_json(self.additional_properties)
        _json["workflow_id"] = self.workflow_id
        if self.context is not UNSET and self.context is not None:
            _json["context"] = to_json(self.context)
        return _json

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        """The model of a JSON object. Undocumented fields go to `additional_properties`.

        Raises:
            DecodeError: a field is missing, or has the wrong type.
        """
        if cls is not StartWorkflowInstanceRequest:
            return cls._of(StartWorkflowInstanceRequest.from_dict(src_dict))
        _json = src_dict.copy() if type(src_dict) is dict else as_object("StartWorkflowInstanceRequest", src_dict)
        workflow_id = _json.pop("workflow_id", ABSENT)
        if type(workflow_id) is not str:
            workflow_id = as_str("StartWorkflowInstanceRequest", "workflow_id", workflow_id)
        context = _json.pop("context", ABSENT)
        if context is not UNSET and context is not None:
            if type(context) is not dict:
                context = as_dict("StartWorkflowInstanceRequest", "context", context)
        _self = cls.__new__(cls)
        _self.workflow_id = workflow_id
        _self.context = context
        _self.additional_properties = _json
        return _self


# At the foot, where models that contain each other find this one defined.
from .json_object import JsonObject  # noqa: E402

StartWorkflowInstanceRequest.__init__.__globals__.update(
    globals()
)  # attrs copied them before, and `typing.get_type_hints` looks there
