from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any, Literal, Self

from attrs import define as _define
from attrs import field as _field

from interactor_client.base import Model as _Model
from interactor_client.errors import DecodeError
from interactor_client.types import UNSET, Unset
from interactor_client.wire import (
    ABSENT,
    as_datetime,
    as_list,
    as_object,
    as_received,
    as_str,
    names_only,
    raise_decode_error,
    to_json,
)


@_define(kw_only=True)
class Assistant(_Model):
    """An AI assistant.

    Attributes:
        id: Id of the assistant (`asst_...`).
        name: Name of the assistant.
        model: The language model, such as `gpt-4`.
        system_prompt: The assistant's instructions for every conversation.
        tools: Tools that it may call, as ids or whole.
        data_sources: Data sources that it may consult, as ids or whole.
        created_at: When it was created.
        updated_at: When it last changed.
    """

    id: str
    """Id of the assistant (`asst_...`)."""
    name: str = ""
    """Name of the assistant."""
    model: str = ""
    """The language model, such as `gpt-4`."""
    system_prompt: str = ""
    """The assistant's instructions for every conversation."""
    tools: list[Tool | str] = _field(factory=list)
    """Tools that it may call, as ids or whole."""
    data_sources: list[DataSource | str] = _field(factory=list)
    """Data sources that it may consult, as ids or whole."""
    created_at: datetime.datetime | None = None
    """When it was created."""
    updated_at: datetime.datetime | None = None
    """When it last changed."""
    additional_properties: dict[str, Any] = _field(factory=dict, repr=names_only)
    """Undocumented fields."""
    left_out: dict[str, Unset | None] = _field(factory=dict, eq=False, repr=False)
    """Fields that were left out of the response (UNSET), or null (None), and read as empty."""
    outcome: Literal["created", "updated", "unchanged"] | None = _field(default=None, eq=False, repr=False)
    """What `ensure` did; None if another method returned it."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON object, without UNSET fields."""
        _json: dict[str, Any] = to_json(self.additional_properties)
        _json["id"] = self.id
        _json["name"] = self.name
        _json["model"] = self.model
        _json["system_prompt"] = self.system_prompt
        _json["tools"] = to_json(self.tools)
        _json["data_sources"] = to_json(self.data_sources)
        if self.created_at is not None:
            _json["created_at"] = to_json(self.created_at)
        if self.updated_at is not None:
            _json["updated_at"] = to_json(self.updated_at)
        return as_received(_json, self.left_out)

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        """The model of a JSON object. Undocumented fields go to `additional_properties`.

        Raises:
            DecodeError: a field is missing, or has the wrong type.
        """
        if cls is not Assistant:
            return cls._of(Assistant.from_dict(src_dict))
        _json = src_dict.copy() if type(src_dict) is dict else as_object("Assistant", src_dict)
        _left_out: dict[str, Unset | None] = {}
        id = _json.pop("id", ABSENT)
        if type(id) is not str:
            id = as_str("Assistant", "id", id)
        name = _json.pop("name", ABSENT)
        if name is None or name is UNSET:
            _left_out["name"] = name
            name = ""
        else:
            if type(name) is not str:
                name = as_str("Assistant", "name", name)
        model = _json.pop("model", ABSENT)
        if model is None or model is UNSET:
            _left_out["model"] = model
            model = ""
        else:
            if type(model) is not str:
                model = as_str("Assistant", "model", model)
        system_prompt = _json.pop("system_prompt", ABSENT)
        if system_prompt is None or system_prompt is UNSET:
            _left_out["system_prompt"] = system_prompt
            system_prompt = ""
        else:
            if type(system_prompt) is not str:
                system_prompt = as_str("Assistant", "system_prompt", system_prompt)
        tools = _json.pop("tools", ABSENT)
        if tools is None or tools is UNSET:
            _left_out["tools"] = tools
            tools = []
        else:
            if type(tools) is not list:
                tools = as_list("Assistant", "tools", tools)
            _tools_items = tools
            tools = []
            for _tools_item in _tools_items:
                if type(_tools_item) is dict:
                    try:
                        _tools_item = Tool.from_dict(_tools_item)
                    except DecodeError as _error:
                        raise _error.at("Assistant", f"tools[{len(tools)}]") from None
                elif type(_tools_item) is not str:
                    raise_decode_error("Assistant", f"tools[{len(tools)}]", "an object or a string", _tools_item)

                tools.append(_tools_item)
        data_sources = _json.pop("data_sources", ABSENT)
        if data_sources is None or data_sources is UNSET:
            _left_out["data_sources"] = data_sources
            data_sources = []
        else:
            if type(data_sources) is not list:
                data_sources = as_list("Assistant", "data_sources", data_sources)
            _data_sources_items = data_sources
            data_sources = []
            for _data_sources_item in _data_sources_items:
                if type(_data_sources_item) is dict:
                    try:
                        _data_sources_item = DataSource.from_dict(_data_sources_item)
                    except DecodeError as _error:
                        raise _error.at("Assistant", f"data_sources[{len(data_sources)}]") from None
                elif type(_data_sources_item) is not str:
                    raise_decode_error(
                        "Assistant", f"data_sources[{len(data_sources)}]", "an object or a string", _data_sources_item
                    )

                data_sources.append(_data_sources_item)
        created_at = _json.pop("created_at", ABSENT)
        if created_at is None or created_at is UNSET:
            _left_out["created_at"] = created_at
            created_at = None
        else:
            created_at = as_datetime("Assistant", "created_at", created_at)
        updated_at = _json.pop("updated_at", ABSENT)
        if updated_at is None or updated_at is UNSET:
            _left_out["updated_at"] = updated_at
            updated_at = None
        else:
            updated_at = as_datetime("Assistant", "updated_at", updated_at)
        _self = cls.__new__(cls)
        _self.id = id
        _self.name = name
        _self.model = model
        _self.system_prompt = system_prompt
        _self.tools = tools
        _self.data_sources = data_sources
        _self.created_at = created_at
        _self.updated_at = updated_at
        _self.additional_properties = _json
        _self.left_out = _left_out
        _self.outcome = None
        return _self


# At the foot, where models that contain each other find this one defined.
from .data_source import DataSource  # noqa: E402
from .tool import Tool  # noqa: E402

Assistant.__init__.__globals__.update(globals())  # attrs copied them before, and `typing.get_type_hints` looks there
