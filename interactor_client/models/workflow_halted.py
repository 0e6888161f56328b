from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from attrs import define as _define
from attrs import field as _field

from interactor_client.base import Model as _Model
from interactor_client.errors import DecodeError
from interactor_client.types import UNSET, Unset
from interactor_client.wire import ABSENT, as_const, as_object, as_received, names_only, to_json


@_define(kw_only=True)
class WorkflowHalted(_Model):
    """The instance waits for `workflow_instances.submit_input`.

    Attributes:
        type: Always `workflow.halted`.
        presentation: What to show to the person whose input is awaited. Servers put it in `config`, or in
            `title`, `description` and `fields`: expect either.
    """

    type: Literal["workflow.halted"] = "workflow.halted"
    """Always `workflow.halted`."""
    presentation: HaltingPresentation | None = None
    """What to show to the person whose input is awaited. Servers put it in `config`, or in `title`, `description`
    and `fields`: expect either.
    """
    additional_properties: dict[str, Any] = _field(factory=dict, repr=names_only)
    """Undocumented fields."""
    left_out: dict[str, Unset | None] = _field(factory=dict, eq=False, repr=False)
    """Fields that were left out of the response (UNSET), or null (None), and read as empty."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON object, without UNSET fields."""
        _json: dict[str, Any] = to_json(self.additional_properties)
        _json["type"] = self.type
        if self.presentation is not None:
            _json["presentation"] = to_json(self.presentation)
        return as_received(_json, self.left_out)

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        """The model of a JSON object. Undocumented fields go to `additional_properties`.

        Raises:
            DecodeError: a field is missing, or has the wrong type.
        """
        if cls is not WorkflowHalted:
            return cls._of(WorkflowHalted.from_dict(src_dict))
        _json = src_dict.copy() if type(src_dict) is dict else as_object("WorkflowHalted", src_dict)
        _left_out: dict[str, Unset | None] = {}
        type_ = _json.pop("type", ABSENT)
        if type_ != "workflow.halted":
            type_ = as_const("WorkflowHalted", "type", type_, "workflow.halted")
        presentation = _json.pop("presentation", ABSENT)
        if presentation is None or presentation is UNSET:
            _left_out["presentation"] = presentation
            presentation = None
        else:
            try:
                presentation = HaltingPresentation.from_dict(presentation)
            except DecodeError as _error:
                raise _error.at("WorkflowHalted", "presentation") from None
        _self = cls.__new__(cls)
        _self.type = type_
        _self.presentation = presentation
        _self.additional_properties = _json
        _self.left_out = _left_out
        return _self


# At the foot, where models that contain each other find this one defined.
from .halting_presentation import HaltingPresentation  # noqa: E402

WorkflowHalted.__init__.__globals__.update(
    globals()
)  # attrs copied them before, and `typing.get_type_hints` looks there
