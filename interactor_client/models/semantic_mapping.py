from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import define as _define
from attrs import field as _field

from interactor_client.base import Model as _Model
from interactor_client.types import UNSET, Unset
from interactor_client.wire import ABSENT, as_object, as_received, as_str, names_only, to_json


@_define(kw_only=True)
class SemanticMapping(_Model):
    """What a field of a data source means, in words for the assistant.

    Attributes:
        field: Name of the field in the data source.
        description: What the field means.
        type: Type of its values, such as `string` or `number`.
    """

    field: str
    """Name of the field in the data source."""
    description: str
    """What the field means."""
    type: str
    """Type of its values, such as `string` or `number`."""
    additional_properties: dict[str, Any] = _field(factory=dict, repr=names_only)
    """Undocumented fields."""
    left_out: dict[str, Unset | None] = _field(factory=dict, eq=False, repr=False)
    """Fields that were left out of the response (UNSET), or null (None), and read as empty."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON object, without UNSET fields."""
        _json: dict[str, Any] = to_json(self.additional_properties)
        _json["field"] = self.field
        _json["description"] = self.description
        _json["type"] = self.type
        return as_received(_json, self.left_out)

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        """The model of a JSON object. Undocumented fields go to `additional_properties`.

        Raises:
            DecodeError: a field is missing, or has the wrong type.
        """
        if cls is not SemanticMapping:
            return cls._of(SemanticMapping.from_dict(src_dict))
        _json = src_dict.copy() if type(src_dict) is dict else as_object("SemanticMapping", src_dict)
        _left_out: dict[str, Unset | None] = {}
        field = _json.pop("field", ABSENT)
        if type(field) is not str:
            field = as_str("SemanticMapping", "field", field)
        description = _json.pop("description", ABSENT)
        if description is None or description is UNSET:
            _left_out["description"] = description
            description = ""
        else:
            if type(description) is not str:
                description = as_str("SemanticMapping", "description", description)
        type_ = _json.pop("type", ABSENT)
        if type_ is None or type_ is UNSET:
            _left_out["type"] = type_
            type_ = ""
        else:
            if type(type_) is not str:
                type_ = as_str("SemanticMapping", "type", type_)
        _self = cls.__new__(cls)
        _self.field = field
        _self.description = description
        _self.type = type_
        _self.additional_properties = _json
        _self.left_out = _left_out
        return _self
