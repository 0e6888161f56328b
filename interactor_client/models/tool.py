from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import define as _define
from attrs import field as _field

from interactor_client.base import Model as _Model
from interactor_client.types import UNSET, Unset
from interactor_client.wire import ABSENT, as_dict, as_object, as_received, as_str, names_only, to_json


@_define(kw_only=True)
class Tool(_Model):
    """A function of your application that assistants may call.

    Attributes:
        id: Id of the tool (`tool_...`).
        name: Name by which the assistant calls it.
        description: What it does and when to use it, in words for the assistant.
        parameters: JSON Schema of the arguments.
        callback_url: Where the platform posts the calls of this tool.
    """

    id: str
    """Id of the tool (`tool_...`)."""
    name: str = ""
    """Name by which the assistant calls it."""
    description: str = ""
    """What it does and when to use it, in words for the assistant."""
    parameters: JsonObject = _field(factory=dict)
    """JSON Schema of the arguments."""
    callback_url: str | None | Unset = UNSET
    """Where the platform posts the calls of this tool."""
    additional_properties: dict[str, Any] = _field(factory=dict, repr=names_only)
    """Undocumented fields."""
    left_out: dict[str, Unset | None] = _field(factory=dict, eq=False, repr=False)
    """Fields that were left out of the response (UNSET), or null (None), and read as empty."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON object, without UNSET fields."""
        _json: dict[str, Any] = to_json(self.additional_properties)
        _json["id"] = self.id
        _json["name"] = self.name
        _json["description"] = self.description
        _json["parameters"] = to_json(self.parameters)
        if self.callback_url is not UNSET:
            _json["callback_url"] = to_json(self.callback_url)
        return as_received(_json, self.left_out)

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        """The model of a JSON object. Undocumented fields go to `additional_properties`.

        Raises:
            DecodeError: a field is missing, or has the wrong type.
        """
        if cls is not Tool:
            return cls._of(Tool.from_dict(src_dict))
        _json = src_dict.copy() if type(src_dict) is dict else as_object("Tool", src_dict)
        _left_out: dict[str, Unset | None] = {}
        id = _json.pop("id", ABSENT)
        if type(id) is not str:
            id = as_str("Tool", "id", id)
        name = _json.pop("name", ABSENT)
        if name is None or name is UNSET:
            _left_out["name"] = name
            name = ""
        else:
            if type(name) is not str:
                name = as_str("Tool", "name", name)
        description = _json.pop("description", ABSENT)
        if description is None or description is UNSET:
            _left_out["description"] = description
            description = ""
        else:
            if type(description) is not str:
                description = as_str("Tool", "description", description)
        parameters = _json.pop("parameters", ABSENT)
        if parameters is None or parameters is UNSET:
            _left_out["parameters"] = parameters
            parameters = {}
        else:
            if type(parameters) is not dict:
                parameters = as_dict("Tool", "parameters", parameters)
        callback_url = _json.pop("callback_url", ABSENT)
        if callback_url is not UNSET and callback_url is not None:
            if type(callback_url) is not str:
                callback_url = as_str("Tool", "callback_url", callback_url)
        _self = cls.__new__(cls)
        _self.id = id
        _self.name = name
        _self.description = description
        _self.parameters = parameters
        _self.callback_url = callback_url
        _self.additional_properties = _json
        _self.left_out = _left_out
        return _self


# At the foot, where models that contain each other find this one defined.
from .json_object import JsonObject  # noqa: E402

Tool.__init__.__globals__.update(globals())  # attrs copied them before, and `typing.get_type_hints` looks there
