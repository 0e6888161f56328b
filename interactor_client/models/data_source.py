from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import define as _define
from attrs import field as _field

from interactor_client.base import Model as _Model
from interactor_client.errors import DecodeError
from interactor_client.types import UNSET, Unset
from interactor_client.wire import (
    ABSENT,
    as_dict,
    as_list,
    as_object,
    as_received,
    as_str,
    names_only,
    redacted,
    to_json,
)


@_define(kw_only=True)
class DataSource(_Model):
    """Data that assistants may consult.

    Attributes:
        id: Id of the data source (`ds_...`).
        name: Name of the data source.
        type: Where the data comes from, an uploaded file, a web address or a database.
        config: How to reach the data. Which keys it has depends on `type`. Secrets in it are not shown
            again.
        semantic_mappings: What its fields mean. May be empty.
    """

    id: str
    """Id of the data source (`ds_...`)."""
    name: str = ""
    """Name of the data source."""
    type: DataSourceType | None = None
    """Where the data comes from, an uploaded file, a web address or a database."""
    config: JsonObject = _field(factory=dict, repr=redacted)
    """How to reach the data. Which keys it has depends on `type`. Secrets in it are not shown again."""
    semantic_mappings: list[SemanticMapping] = _field(factory=list)
    """What its fields mean. May be empty."""
    additional_properties: dict[str, Any] = _field(factory=dict, repr=names_only)
    """Undocumented fields."""
    left_out: dict[str, Unset | None] = _field(factory=dict, eq=False, repr=False)
    """Fields that were left out of the response (UNSET), or null (None), and read as empty."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON object, without UNSET fields."""
        _json: dict[str, Any] = to_json(self.additional_properties)
        _json["id"] = self.id
        _json["name"] = self.name
        if self.type is not None:
            _json["type"] = self.type
        _json["config"] = to_json(self.config)
        _json["semantic_mappings"] = to_json(self.semantic_mappings)
        return as_received(_json, self.left_out)

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        """The model of a JSON object. Undocumented fields go to `additional_properties`.

        Raises:
            DecodeError: a field is missing, or has the wrong type.
        """
        if cls is not DataSource:
            return cls._of(DataSource.from_dict(src_dict))
        _json = src_dict.copy() if type(src_dict) is dict else as_object("DataSource", src_dict)
        _left_out: dict[str, Unset | None] = {}
        id = _json.pop("id", ABSENT)
        if type(id) is not str:
            id = as_str("DataSource", "id", id)
        name = _json.pop("name", ABSENT)
        if name is None or name is UNSET:
            _left_out["name"] = name
            name = ""
        else:
            if type(name) is not str:
                name = as_str("DataSource", "name", name)
        type_ = _json.pop("type", ABSENT)
        if type_ is None or type_ is UNSET:
            _left_out["type"] = type_
            type_ = None
        else:
            if type(type_) is not str:
                type_ = as_str("DataSource", "type", type_)
        config = _json.pop("config", ABSENT)
        if config is None or config is UNSET:
            _left_out["config"] = config
            config = {}
        else:
            if type(config) is not dict:
                config = as_dict("DataSource", "config", config)
        semantic_mappings = _json.pop("semantic_mappings", ABSENT)
        if semantic_mappings is None or semantic_mappings is UNSET:
            _left_out["semantic_mappings"] = semantic_mappings
            semantic_mappings = []
        else:
            if type(semantic_mappings) is not list:
                semantic_mappings = as_list("DataSource", "semantic_mappings", semantic_mappings)
            _semantic_mappings_items = semantic_mappings
            semantic_mappings = []
            for _semantic_mappings_item in _semantic_mappings_items:
                try:
                    _semantic_mappings_item = SemanticMapping.from_dict(_semantic_mappings_item)
                except DecodeError as _error:
                    raise _error.at("DataSource", f"semantic_mappings[{len(semantic_mappings)}]") from None
                semantic_mappings.append(_semantic_mappings_item)
        _self = cls.__new__(cls)
        _self.id = id
        _self.name = name
        _self.type = type_
        _self.config = config
        _self.semantic_mappings = semantic_mappings
        _self.additional_properties = _json
        _self.left_out = _left_out
        return _self


# At the foot, where models that contain each other find this one defined.
from .data_source_type import DataSourceType  # noqa: E402
from .json_object import JsonObject  # noqa: E402
from .semantic_mapping import SemanticMapping  # noqa: E402

DataSource.__init__.__globals__.update(globals())  # attrs copied them before, and `typing.get_type_hints` looks there
