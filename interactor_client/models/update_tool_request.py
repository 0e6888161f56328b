from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import define as _define
from attrs import field as _field

from interactor_client.base import Model as _Model
from interactor_client.types import UNSET, Unset
from interactor_client.wire import ABSENT, as_dict, as_object, as_str, names_only, to_json


@_define(kw_only=True)
class UpdateToolRequest(_Model):
    """The fields of a tool to change.

    Attributes:
        name: Name by which the assistant calls it.
        description: What it does and when to use it, in words for the assistant.
        parameters: JSON Schema of the arguments.
        callback_url: Where the platform should post calls of this tool. None removes it.
    """

    name: str | None | Unset = UNSET
    """Name by which the assistant calls it."""
    description: str | None | Unset = UNSET
    """What it does and when to use it, in words for the assistant."""
    parameters: JsonObject | None | Unset = UNSET
    """JSON Schema of the arguments."""
    callback_url: str | None | Unset = UNSET
    """Where the platform should post calls of this tool. None removes it."""
    additional_properties: dict[str, Any] = _field(factory=dict, repr=names_only)
    """Undocumented fields."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON object, without UNSET fields."""
        _json: dict[str, Any] = to_json(self.additional_properties)
        if self.name is not UNSET and self.name is not None:
            _json["name"] = to_json(self.name)
        if self.description is not UNSET and self.description is not None:
            _json["description"] = to_json(self.description)
        if self.parameters is not UNSET and self.parameters is not None:
            _json["parameters"] = to_json(self.parameters)
        if self.callback_url is not UNSET:
            _json["callback_url"] = to_json(self.callback_url)
        return _json

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        """The model of a JSON object. Undocumented fields go to `additional_properties`.

        Raises:
            DecodeError: a field is missing, or has the wrong type.
        """
        if cls is not UpdateToolRequest:
            return cls._of(UpdateToolRequest.from_dict(src_dict))
        _json = src_dict.copy() if type(src_dict) is dict else as_object("UpdateToolRequest", src_dict)
        name = _json.pop("name", ABSENT)
        if name is not UNSET and name is not None:
            if type(name) is not str:
                name = as_str("UpdateToolRequest", "name", name)
        description = _json.pop("description", ABSENT)
        if description is not UNSET and description is not None:
            if type(description) is not str:
                description = as_str("UpdateToolRequest", "description", description)
        parameters = _json.pop("parameters", ABSENT)
        if parameters is not UNSET and parameters is not None:
            if type(parameters) is not dict:
                parameters = as_dict("UpdateToolRequest", "parameters", parameters)
        callback_url = _json.pop("callback_url", ABSENT)
        if callback_url is not UNSET and callback_url is not None:
            if type(callback_url) is not str:
                callback_url = as_str("UpdateToolRequest", "callback_url", callback_url)
        _self = cls.__new__(cls)
        _self.name = name
        _self.description = description
        _self.parameters = parameters
        _self.callback_url = callback_url
        _self.additional_properties = _json
        return _self


# At the foot, where models that contain each other find this one defined.
from .json_object import JsonObject  # noqa: E402

UpdateToolRequest.__init__.__globals__.update(
    globals()
)  # attrs copied them before, and `typing.get_type_hints` looks there
