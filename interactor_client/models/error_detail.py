from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import define as _define
from attrs import field as _field

from interactor_client.base import Model as _Model
from interactor_client.wire import ABSENT, as_object, as_str, names_only, to_json


@_define(kw_only=True)
class ErrorDetail(_Model):
    """One thing that was wrong with a request.

    Attributes:
        field: Path of the field in the body, such as `states[0].name`, or name of a parameter.
        message: What is wrong with it, for people.
    """

    field: str
    """Path of the field in the body, such as `states[0].name`, or name of a parameter."""
    message: str
    """What is wrong with it, for people."""
    additional_properties: dict[str, Any] = _field(factory=dict, repr=names_only)
    """Undocumented fields."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON object, without UNSET fields."""
        _json: dict[str, Any] = to_json(self.additional_properties)
        _json["field"] = self.field
        _json["message"] = self.message
        return _json

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        """The model of a JSON object. Undocumented fields go to `additional_properties`.

        Raises:
            DecodeError: a field is missing, or has the wrong type.
        """
        if cls is not ErrorDetail:
            return cls._of(ErrorDetail.from_dict(src_dict))
        _json = src_dict.copy() if type(src_dict) is dict else as_object("ErrorDetail", src_dict)
        field = _json.pop("field", ABSENT)
        if type(field) is not str:
            field = as_str("ErrorDetail", "field", field)
        message = _json.pop("message", ABSENT)
        if type(message) is not str:
            message = as_str("ErrorDetail", "message", message)
        _self = cls.__new__(cls)
        _self.field = field
        _self.message = message
        _self.additional_properties = _json
        return _self
