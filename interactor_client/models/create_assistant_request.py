from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import define as _define
from attrs import field as _field

from interactor_client.base import Model as _Model
from interactor_client.types import UNSET, Unset
from interactor_client.wire import ABSENT, as_int, as_list, as_number, as_object, as_str, names_only, to_json


@_define(kw_only=True)
class CreateAssistantRequest(_Model):
    """A new assistant.

    Attributes:
        name: Name of the assistant. It need not be unique.
        model: The language model, such as `gpt-4`. It cannot be changed later.
        system_prompt: The assistant's instructions for every conversation.
        tools: Ids of tools that it may call. They must exist in the namespace.
        data_sources: Ids of data sources that it may consult. They must exist in the namespace.
        temperature: How freely the model replies, from 0 (the likeliest words) to 2. By default the server
            chooses.
        max_tokens: How long a reply may get, in tokens of the model. By default the server chooses.
    """

    name: str
    """Name of the assistant. It need not be unique."""
    model: str
    """The language model, such as `gpt-4`. It cannot be changed later."""
    system_prompt: str
    """The assistant's instructions for every conversation."""
    tools: list[str] | None | Unset = UNSET
    """Ids of tools that it may call. They must exist in the namespace."""
    data_sources: list[str] | None | Unset = UNSET
    """Ids of data sources that it may consult. They must exist in the namespace."""
    temperature: float | None | Unset = UNSET
    """How freely the model replies, from 0 (the likeliest words) to 2. By default the server chooses."""
    max_tokens: int | None | Unset = UNSET
    """How long a reply may get, in tokens of the model. By default the server chooses."""
    additional_properties: dict[str, Any] = _field(factory=dict, repr=names_only)
    """Undocumented fields."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON object, without UNSET fields."""
        _json: dict[str, Any] = to_json(self.additional_properties)
        _json["name"] = self.name
        _json["model"] = self.model
        _json["system_prompt"] = self.system_prompt
        if self.tools is not UNSET and self.tools is not None:
            _json["tools"] = self.tools
        if self.data_sources is not UNSET and self.data_sources is not None:
            _json["data_sources"] = self.data_sources
        if self.temperature is not UNSET and self.temperature is not None:
            _json["temperature"] = to_json(self.temperature)
        if self.max_tokens is not UNSET and self.max_tokens is not None:
            _json["max_tokens"] = to_json(self.max_tokens)
        return _json

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        """The model of a JSON object. Undocumented fields go to `additional_properties`.

        Raises:
            DecodeError: a field is missing, or has the wrong type.
        """
        if cls is not CreateAssistantRequest:
            return cls._of(CreateAssistantRequest.from_dict(src_dict))
        _json = src_dict.copy() if type(src_dict) is dict else as_object("CreateAssistantRequest", src_dict)
        name = _json.pop("name", ABSENT)
        if type(name) is not str:
            name = as_str("CreateAssistantRequest", "name", name)
        model = _json.pop("model", ABSENT)
        if type(model) is not str:
            model = as_str("CreateAssistantRequest", "model", model)
        system_prompt = _json.pop("system_prompt", ABSENT)
        if type(system_prompt) is not str:
            system_prompt = as_str("CreateAssistantRequest", "system_prompt", system_prompt)
        tools = _json.pop("tools", ABSENT)
        if tools is not UNSET and tools is not None:
            if type(tools) is not list:
                tools = as_list("CreateAssistantRequest", "tools", tools)
            _tools_items = tools
            tools = []
            for _tools_item in _tools_items:
                if type(_tools_item) is not str:
                    _tools_item = as_str("CreateAssistantRequest", f"tools[{len(tools)}]", _tools_item)
                tools.append(_tools_item)
        data_sources = _json.pop("data_sources", ABSENT)
        if data_sources is not UNSET and data_sources is not None:
            if type(data_sources) is not list:
                data_sources = as_list("CreateAssistantRequest", "data_sources", data_sources)
            _data_sources_items = data_sources
            data_sources = []
            for _data_sources_item in _data_sources_items:
                if type(_data_sources_item) is not str:
                    _data_sources_item = as_str(
                        "CreateAssistantRequest", f"data_sources[{len(data_sources)}]", _data_sources_item
                    )
                data_sources.append(_data_sources_item)
        temperature = _json.pop("temperature", ABSENT)
        if temperature is not UNSET and temperature is not None:
            if type(temperature) is not float and type(temperature) is not int:
                temperature = as_number("CreateAssistantRequest", "temperature", temperature)
        max_tokens = _json.pop("max_tokens", ABSENT)
        if max_tokens is not UNSET and max_tokens is not None:
            if type(max_tokens) is not int:
                max_tokens = as_int("CreateAssistantRequest", "max_tokens", max_tokens)
        _self = cls.__new__(cls)
        _self.name = name
        _self.model = model
        _self.system_prompt = system_prompt
        _self.tools = tools
        _self.data_sources = data_sources
        _self.temperature = temperature
        _self.max_tokens = max_tokens
        _self.additional_properties = _json
        return _self
