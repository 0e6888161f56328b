from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import define as _define
from attrs import field as _field

from interactor_client.base import Model as _Model
from interactor_client.types import UNSET, Unset
from interactor_client.wire import ABSENT, as_object, as_str, names_only, to_json


@_define(kw_only=True)
class UnknownEvent(_Model):
    """An event of a type that is newer than this contract. All of its fields are kept.

    Attributes:
        type: The type of the event.
    """

    type: str | Unset = UNSET
    """The type of the event."""
    additional_properties: dict[str, Any] = _field(factory=dict, repr=names_only)
    """Undocumented fields."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON object, without UNSET fields."""
        _json: dict[str, Any] = to_json(self.additional_properties)
        if self.type is not UNSET and self.type is not None:
            _json["type"] = self.type
        return _json

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        """The model of a JSON object. Undocumented fields go to `additional_properties`.

        Raises:
            DecodeError: a field is missing, or has the wrong type.
        """
        if cls is not UnknownEvent:
            return cls._of(UnknownEvent.from_dict(src_dict))
        _json = src_dict.copy() if type(src_dict) is dict else as_object("UnknownEvent", src_dict)
        type_ = _json.pop("type", ABSENT)
        if type(type_) is not str and type_ is not UNSET:
            type_ = UNSET if type_ is None else as_str("UnknownEvent", "type", type_)
        _self = cls.__new__(cls)
        _self.type = type_
        _self.additional_properties = _json
        return _self
