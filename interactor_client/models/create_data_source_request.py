from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import define as _define
from attrs import field as _field

from interactor_client.base import Model as _Model
from interactor_client.errors import DecodeError
from interactor_client.types import UNSET, Unset
from interactor_client.wire import ABSENT, as_dict, as_list, as_object, as_str, names_only, redacted, to_json


@_define(kw_only=True)
class CreateDataSourceRequest(_Model):
    """A new data source.

    Attributes:
        name: Name of the data source.
        type: Where the data comes from, an uploaded file, a web address or a database.
        config: How to reach the data. Which keys it has depends on `type`.
        semantic_mappings: What its fields mean.
    """

    name: str
    """Name of the data source."""
    type: KnownDataSourceType
    """Where the data comes from, an uploaded file, a web address or a database."""
    config: JsonObject = _field(repr=redacted)
    """How to reach the data. Which keys it has depends on `type`."""
    semantic_mappings: list[SemanticMapping] | None | Unset = UNSET
    """What its fields mean."""
    additional_properties: dict[str, Any] = _field(factory=dict, repr=names_only)
    """Undocumented fields."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON object, without UNSET fields."""
        _json: dict[str, Any] = to_json(self.additional_properties)
        _json["name"] = self.name
        _json["type"] = self.type
        _json["config"] = to_json(self.config)
        if self.semantic_mappings is not UNSET and self.semantic_mappings is not None:
            _json["semantic_mappings"] = to_json(self.semantic_mappings)
        return _json

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        """The model of a JSON object. Undocumented fields go to `additional_properties`.

        Raises:
            DecodeError: a field is missing, or has the wrong type.
        """
        if cls is not CreateDataSourceRequest:
            return cls._of(CreateDataSourceRequest.from_dict(src_dict))
        _json = src_dict.copy() if type(src_dict) is dict else as_object("CreateDataSourceRequest", src_dict)
        name = _json.pop("name", ABSENT)
        if type(name) is not str:
            name = as_str("CreateDataSourceRequest", "name", name)
        type_ = _json.pop("type", ABSENT)
        if type(type_) is not str:
            type_ = as_str("CreateDataSourceRequest", "type", type_)
        config = _json.pop("config", ABSENT)
        if type(config) is not dict:
            config = as_dict("CreateDataSourceRequest", "config", config)
        semantic_mappings = _json.pop("semantic_mappings", ABSENT)
        if semantic_mappings is not UNSET and semantic_mappings is not None:
            if type(semantic_mappings) is not list:
                semantic_mappings = as_list("CreateDataSourceRequest", "semantic_mappings", semantic_mappings)
            _semantic_mappings_items = semantic_mappings
            semantic_mappings = []
            for _semantic_mappings_item in _semantic_mappings_items:
                try:
                    _semantic_mappings_item = SemanticMapping.from_dict(_semantic_mappings_item)
                except DecodeError as _error:
                    raise _error.at("CreateDataSourceRequest", f"semantic_mappings[{len(semantic_mappings)}]") from None
                semantic_mappings.append(_semantic_mappings_item)
        _self = cls.__new__(cls)
        _self.name = name
        _self.type = type_  # type: ignore[assignment]  # any string is read
        _self.config = config
        _self.semantic_mappings = semantic_mappings
        _self.additional_properties = _json
        return _self


# At the foot, where models that contain each other find this one defined.
from .data_source_type import KnownDataSourceType  # noqa: E402
from .json_object import JsonObject  # noqa: E402
from .semantic_mapping import SemanticMapping  # noqa: E402

CreateDataSourceRequest.__init__.__globals__.update(
    globals()
)  # attrs copied them before, and `typing.get_type_hints` looks there
