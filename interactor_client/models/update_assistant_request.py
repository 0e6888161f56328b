from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import define as _define
from attrs import field as _field

from interactor_client.base import Model as _Model
from interactor_client.types import UNSET, Unset
from interactor_client.wire import ABSENT, as_int, as_list, as_number, as_object, as_str, names_only, to_json


@_define(kw_only=True)
class UpdateAssistantRequest(_Model):
    """The fields of an assistant to change.

    Attributes:
        name: Name of the assistant.
        system_prompt: The assistant's instructions for every conversation.
        tools: Ids of tools that it may call. Replaces all of them; an empty list removes every tool.
        data_sources: Ids of data sources that it may consult. Replaces all of them.
        temperature: How freely the model replies, from 0 (the likeliest words) to 2.
        max_tokens: How long a reply may get, in tokens of the model.
    """

    name: str | None | Unset = UNSET
    """Name of the assistant."""
    system_prompt: str | None | Unset = UNSET
    """The assistant's instructions for every conversation."""
    tools: list[str] | None | Unset = UNSET
    """Ids of tools that it may call. Replaces all of them; an empty list removes every tool."""
    data_sources: list[str] | None | Unset = UNSET
    """Ids of data sources that it may consult. Replaces all of them."""
    temperature: float | None | Unset = UNSET
    """How freely the model replies, from 0 (the likeliest words) to 2."""
    max_tokens: int | None | Unset = UNSET
    """How long a reply may get, in tokens of the model."""
    additional_properties: dict[str, Any] = _field(factory=dict, repr=names_only)
    """Undocumented fields."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON object, without UNSET fields."""
        _json: dict[str, Any] = to_json(self.additional_properties)
        if self.name is not UNSET and self.name is not None:
            _json["name"] = to_json(self.name)
        if self.system_prompt is not UNSET and self.system_prompt is not None:
            _json["system_prompt"] = to_json(self.system_prompt)
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
        if cls is not UpdateAssistantRequest:
            return cls._of(UpdateAssistantRequest.from_dict(src_dict))
        _json = src_dict.copy() if type(src_dict) is dict else as_object("UpdateAssistantRequest", src_dict)
        name = _json.pop("name", ABSENT)
        if name is not UNSET and name is not None:
            if type(name) is not str:
                name = as_str("UpdateAssistantRequest", "name", name)
        system_prompt = _json.pop("system_prompt", ABSENT)
        if system_prompt is not UNSET and system_prompt is not None:
            if type(system_prompt) is not str:
                system_prompt = as_str("UpdateAssistantRequest", "system_prompt", system_prompt)
        tools = _json.pop("tools", ABSENT)
        if tools is not UNSET and tools is not None:
            if type(tools) is not list:
                tools = as_list("UpdateAssistantRequest", "tools", tools)
            _tools_items = tools
            tools = []
            for _tools_item in _tools_items:
                if type(_tools_item) is not str:
                    _tools_item = as_str("UpdateAssistantRequest", f"tools[{len(tools)}]", _tools_item)
                tools.append(_tools_item)
        data_sources = _json.pop("data_sources", ABSENT)
        if data_sources is not UNSET and data_sources is not None:
            if type(data_sources) is not list:
                data_sources = as_list("UpdateAssistantRequest", "data_sources", data_sources)
            _data_sources_items = data_sources
            data_sources = []
            for _data_sources_item in _data_sources_items:
                if type(_data_sources_item) is not str:
                    _data_sources_item = as_str(
                        "UpdateAssistantRequest", f"data_sources[{len(data_sources)}]", _data_sources_item
                    )
                data_sources.append(_data_sources_item)
        temperature = _json.pop("temperature", ABSENT)
        if temperature is not UNSET and temperature is not None:
            if type(temperature) is not float and type(temperature) is not int:
                temperature = as_number("UpdateAssistantRequest", "temperature", temperature)
        max_tokens = _json.pop("max_tokens", ABSENT)
        if max_tokens is not UNSET and max_tokens is not None:
            if type(max_tokens) is not int:
                max_tokens = as_int("UpdateAssistantRequest", "max_tokens", max_tokens)
        _self = cls.__new__(cls)
        _self.name = name
        _self.system_prompt = system_prompt
        _self.tools = tools
        _self.data_sources = data_sources
        _self.temperature = temperature
        _self.max_tokens = max_tokens
        _self.additional_properties = _json
        return _self
