from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import define as _define
from attrs import field as _field

from interactor_client.base import Model as _Model
from interactor_client.errors import DecodeError
from interactor_client.types import UNSET, Unset
from interactor_client.wire import ABSENT, as_dict, as_list, as_object, as_received, as_str, names_only, to_json


@_define(kw_only=True)
class HaltingPresentation(_Model):
    """What to show to the person whose input is awaited. Servers put it in `config`, or in `title`, `description`
    and `fields`: expect either.

    Attributes:
        type: What to show to the person whose input is awaited.
        config: How to show it. Which keys it has depends on `type`.
        title: A heading.
        description: What is to be decided.
        fields: The fields of the form.
    """

    type: HaltingPresentationType | None
    """What to show to the person whose input is awaited."""
    config: JsonObject | None | Unset = UNSET
    """How to show it. Which keys it has depends on `type`."""
    title: str | None | Unset = UNSET
    """A heading."""
    description: str | None | Unset = UNSET
    """What is to be decided."""
    fields: list[PresentationField] | None | Unset = UNSET
    """The fields of the form."""
    additional_properties: dict[str, Any] = _field(factory=dict, repr=names_only)
    """Undocumented fields."""
    left_out: dict[str, Unset | None] = _field(factory=dict, eq=False, repr=False)
    """Fields that were left out of the response (UNSET), or null (None), and read as empty."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON object, without UNSET fields."""
        _json: dict[str, Any] = to_json(self.additional_properties)
        _json["type"] = self.type
        if self.config is not UNSET:
            _json["config"] = to_json(self.config)
        if self.title is not UNSET:
            _json["title"] = to_json(self.title)
        if self.description is not UNSET:
            _json["description"] = to_json(self.description)
        if self.fields is not UNSET:
            _json["fields"] = to_json(self.fields)
        return as_received(_json, self.left_out)

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        """The model of a JSON object. Undocumented fields go to `additional_properties`.

        Raises:
            DecodeError: a field is missing, or has the wrong type.
        """
        if cls is not HaltingPresentation:
            return cls._of(HaltingPresentation.from_dict(src_dict))
        _json = src_dict.copy() if type(src_dict) is dict else as_object("HaltingPresentation", src_dict)
        _left_out: dict[str, Unset | None] = {}
        type_ = _json.pop("type", ABSENT)
        if type_ is None or type_ is UNSET:
            _left_out["type"] = type_
            type_ = None
        else:
            if type(type_) is not str:
                type_ = as_str("HaltingPresentation", "type", type_)
        config = _json.pop("config", ABSENT)
        if config is not UNSET and config is not None:
            if type(config) is not dict:
                config = as_dict("HaltingPresentation", "config", config)
        title = _json.pop("title", ABSENT)
        if title is not UNSET and title is not None:
            if type(title) is not str:
                title = as_str("HaltingPresentation", "title", title)
        description = _json.pop("description", ABSENT)
        if description is not UNSET and description is not None:
            if type(description) is not str:
                description = as_str("HaltingPresentation", "description", description)
        fields = _json.pop("fields", ABSENT)
        if fields is not UNSET and fields is not None:
            if type(fields) is not list:
                fields = as_list("HaltingPresentation", "fields", fields)
            _fields_items = fields
            fields = []
            for _fields_item in _fields_items:
                try:
                    _fields_item = PresentationField.from_dict(_fields_item)
                except DecodeError as _error:
                    raise _error.at("HaltingPresentation", f"fields[{len(fields)}]") from None
                fields.append(_fields_item)
        _self = cls.__new__(cls)
        _self.type = type_
        _self.config = config
        _self.title = title
        _self.description = description
        _self.fields = fields
        _self.additional_properties = _json
        _self.left_out = _left_out
        return _self


# At the foot, where models that contain each other find this one defined.
from .halting_presentation_type import HaltingPresentationType  # noqa: E402
from .json_object import JsonObject  # noqa: E402
from .presentation_field import PresentationField  # noqa: E402

HaltingPresentation.__init__.__globals__.update(
    globals()
)  # attrs copied them before, and `typing.get_type_hints` looks there
