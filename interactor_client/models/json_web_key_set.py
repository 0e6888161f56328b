from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import define as _define
from attrs import field as _field

from interactor_client.base import Model as _Model
from interactor_client.errors import DecodeError
from interactor_client.wire import ABSENT, as_list, as_object, names_only, to_json


@_define(kw_only=True)
class JsonWebKeySet(_Model):
    """The public keys that access tokens are signed with (RFC 7517).

    Attributes:
        keys: The keys. More than one during a rotation.
    """

    keys: list[JsonWebKey]
    """The keys. More than one during a rotation."""
    additional_properties: dict[str, Any] = _field(factory=dict, repr=names_only)
    """Undocumented fields."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON object, without UNSET fields."""
        _json: dict[str, Any] = to_json(self.additional_properties)
        _json["keys"] = to_json(self.keys)
        return _json

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        """The model of a JSON object. Undocumented fields go to `additional_properties`.

        Raises:
            DecodeError: a field is missing, or has the wrong type.
        """
        if cls is not JsonWebKeySet:
            return cls._of(JsonWebKeySet.from_dict(src_dict))
        _json = src_dict.copy() if type(src_dict) is dict else as_object("JsonWebKeySet", src_dict)
        keys = _json.pop("keys", ABSENT)
        if type(keys) is not list:
            keys = as_list("JsonWebKeySet", "keys", keys)
        _keys_items = keys
        keys = []
        for _keys_item in _keys_items:
            try:
                _keys_item = JsonWebKey.from_dict(_keys_item)
            except DecodeError as _error:
                raise _error.at("JsonWebKeySet", f"keys[{len(keys)}]") from None
            keys.append(_keys_item)
        _self = cls.__new__(cls)
        _self.keys = keys
        _self.additional_properties = _json
        return _self


# At the foot, where models that contain each other find this one defined.
from .json_web_key import JsonWebKey  # noqa: E402

JsonWebKeySet.__init__.__globals__.update(
    globals()
)  # attrs copied them before, and `typing.get_type_hints` looks there
