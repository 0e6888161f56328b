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
class UpdateDataSourceRequest(_Model):
    """The fields of a data source to change.

    Attributes:
        name: Name of the data source.
        type: Where the data comes from.
        config: How to reach the data. Replaces it as a whole.
        semantic_mappings: What its fields mean. Replaces all of them.
    """

    name: str | None | Unset = UNSET
    """Name of the data source."""
    type: KnownDataSourceType | None | Unset = UNSET
    """Where the data comes from."""
    config: JsonObject | None | Unset = _field(default=UNSET, repr=redacted)
    """How to reach the data. Replaces it as a whole."""
    semantic_mappings: list[SemanticMapping] | None | Unset = UNSET
    """What its fields mean. Replaces all of them."""
    additional_properties: dict[str, Any] = _field(factory=dict, repr=names_only)
    """Undocumented fields."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON object, without UNSET fields."""
        _json: dict[str, Any] = to_json(self.additional_properties)
        if self.name is not UNSET and self.name is not None:
            _json["name"] = to_json(self.name)
        if self.type is not UNSET and self.type is not None:
            _json["type"] = to_json(self.type)
        if self.config is not UNSET and self.config is not None:
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
        if cls is not UpdateDataSourceRequest:
            return cls._of(UpdateDataSourceRequest.from_dict(src_dict))
        _json = src_dict.copy() if type(src_dict) is dict else as_object("UpdateDataSourceRequest", src_dict)
        name = _json.pop("name", ABSENT)
        if name is not UNSET and name is not None:
            if type(name) is not str:
                name = as_str("UpdateDataSourceRequest", "name", name)
        type_ = _json.pop("type", ABSENT)
        if type_ is not UNSET and type_ is not None:
            if type(type_) is not str:
                type_ = as_str("UpdateDataSourceRequest", "type", type_)
        config = _json.pop("config", ABSENT)
        if config is not UNSET and config is not None:
            if type(config) is not dict:
                config = as_dict("UpdateDataSourceRequest", "config", config)
        semantic_mappings = _json.pop("semantic_mappings", ABSENT)
        if semantic_mappings is not UNSET and semantic_mappings is not None:
            if type(semantic_mappings) is not list:
                semantic_mappings = as_list("UpdateDataSourceRequest", "semantic_mappings", semantic_mappings)
            _semantic_mappings_items = semantic_mappings
            semantic_mappings = []
            for _semantic_mappings_item in _semantic_mappings_items:
                try:
                    _semantic_mappings_item = SemanticMapping.from_dict(_semantic_mappings_item)
                except DecodeError as _error:
                    raise _error.at("UpdateDataSourceRequest", f"semantic_mappings[{len(semantic_mappings)}]") from None
                semantic_mappings.append(_semantic_mappings_item)
        _self = cls.__new__(cls)
        _self.name = name
        _self.type = type_
        _self.config = config
        _self.semantic_mappings = semantic_mappings
        _self.additional_properties = _json
        return _self


# At the foot, where models that contain each other find this one defined.
from .data_source_type import KnownDataSourceType  # noqa: E402
from .json_object import JsonObject  # noqa: E402
from .semantic_mapping import SemanticMapping  # noqa: E402

UpdateDataSourceRequest.__init__.__globals__.update(
    globals()
)  # attrs copied them before, and `typing.get_type_hints` looks there
