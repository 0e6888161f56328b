from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import define as _define
from attrs import field as _field

from interactor_client.base import Model as _Model
from interactor_client.types import UNSET, Unset
from interactor_client.wire import ABSENT, as_dict, as_object, as_str, names_only, to_json


@_define(kw_only=True)
class CreateToolRequest(_Model):
    """The definition of a new tool.

    Attributes:
        name: Name by which the assistant calls it.
        description: What it does and when to use it, in words for the assistant.
        parameters: JSON Schema of the arguments.
        callback_url: Where the platform should post calls of this tool. By default they only come as
            events.
    """

    name: str
    """Name by which the assistant calls it."""
    description: str
    """What it does and when to use it, in words for the assistant."""
    parameters: JsonObject
    """JSON Schema of the arguments."""
    callback_url: str | None | Unset = UNSET
    """Where the platform should post calls of this tool. By default they only come as events."""
    additional_properties: dict[str, Any] = _field(factory=dict, repr=names_only)
    """Undocumented fields."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON object, without UNSET fields."""
        _json: dict[str, Any] = to_json(self.additional_properties)
        _json["name"] = self.name
        _json["description"] = self.description
        _json["parameters"] = to_json(self.parameters)
        if self.callback_url is not UNSET and self.callback_url is not None:
            _json["callback_url"] = to_json(self.callback_url)
        return _json

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        """The model of a JSON object. Undocumented fields go to `additional_properties`.

        Raises:
            DecodeError: a field is missing, or has the wrong type.
        """
        if cls is not CreateToolRequest:
            return cls._of(CreateToolRequest.from_dict(src_dict))
        _json = src_dict.copy() if type(src_dict) is dict else as_object("CreateToolRequest", src_dict)
        name = _json.pop("name", ABSENT)
        if type(name) is not str:
            name = as_str("CreateToolRequest", "name", name)
        description = _json.pop("description", ABSENT)
        if type(description) is not str:
            description = as_str("CreateToolRequest", "description", description)
        parameters = _json.pop("parameters", ABSENT)
        if type(parameters) is not dict:
            parameters = as_dict("CreateToolRequest", "parameters", parameters)
        callback_url = _json.pop("callback_url", ABSENT)
        if callback_url is not UNSET and callback_url is not None:
            if type(callback_url) is not str:
                callback_url = as_str("CreateToolRequest", "callback_url", callback_url)
        _self = cls.__new__(cls)
        _self.name = name
        _self.description = description
        _self.parameters = parameters
        _self.callback_url = callback_url
        _self.additional_properties = _json
        return _self


# At the foot, where models that contain each other find this one defined.
from .json_object import JsonObject  # noqa: E402

CreateToolRequest.__init__.__globals__.update(
    globals()
)  # attrs copied them before, and `typing.get_type_hints` looks there
