from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import define as _define
from attrs import field as _field

from interactor_client.base import Model as _Model
from interactor_client.types import UNSET, Unset
from interactor_client.wire import ABSENT, as_bool, as_object, as_received, as_str, names_only, to_json


@_define(kw_only=True)
class PresentationField(_Model):
    """One field of a form.

    Attributes:
        name: Key of the value in the input.
        type: Type of the value, such as `boolean`, `text` or `number`.
        label: A label for people.
        required: Whether the input must have it.
    """

    name: str
    """Key of the value in the input."""
    type: str
    """Type of the value, such as `boolean`, `text` or `number`."""
    label: str | None | Unset = UNSET
    """A label for people."""
    required: bool | None | Unset = UNSET
    """Whether the input must have it."""
    additional_properties: dict[str, Any] = _field(factory=dict, repr=names_only)
    """Undocumented fields."""
    left_out: dict[str, Unset | None] = _field(factory=dict, eq=False, repr=False)
    """Fields that were left out of the response (UNSET), or null (None), and read as empty."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON object, without UNSET fields."""
        _json: dict[str, Any] = to_json(self.additional_properties)
        _json["name"] = self.name
        _json["type"] = self.type
        if self.label is not UNSET:
            _json["label"] = to_json(self.label)
        if self.required is not UNSET:
            _json["required"] = to_json(self.required)
        return as_received(_json, self.left_out)

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        """The model of a JSON object. Undocumented fields go to `additional_properties`.

        Raises:
            DecodeError: a field is missing, or has the wrong type.
        """
        if cls is not PresentationField:
            return cls._of(PresentationField.from_dict(src_dict))
        _json = src_dict.copy() if type(src_dict) is dict else as_object("PresentationField", src_dict)
        _left_out: dict[str, Unset | None] = {}
        name = _json.pop("name", ABSENT)
        if type(name) is not str:
            name = as_str("PresentationField", "name", name)
        type_ = _json.pop("type", ABSENT)
        if type_ is None or type_ is UNSET:
            _left_out["type"] = type_
            type_ = ""
        else:
            if type(type_) is not str:
                type_ = as_str("PresentationField", "type", type_)
        label = _json.pop("label", ABSENT)
        if label is not UNSET and label is not None:
            if type(label) is not str:
                label = as_str("PresentationField", "label", label)
        required = _json.pop("required", ABSENT)
        if required is not UNSET and required is not None:
            if type(required) is not bool:
                required = as_bool("PresentationField", "required", required)
        _self = cls.__new__(cls)
        _self.name = name
        _self.type = type_
        _self.label = label
        _self.required = required
        _self.additional_properties = _json
        _self.left_out = _left_out
        return _self
