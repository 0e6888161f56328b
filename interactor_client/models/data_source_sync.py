from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import define as _define
from attrs import field as _field

from interactor_client.base import Model as _Model
from interactor_client.types import UNSET, Unset
from interactor_client.wire import ABSENT, as_object, as_str, names_only, to_json


@_define(kw_only=True)
class DataSourceSync(_Model):
    """A synchronisation that was started. How much detail it has depends on the server's version.

    Attributes:
        id: Id of the data source (`ds_...`).
        sync_status: How far it has come, such as `syncing`.
    """

    id: str | None | Unset = UNSET
    """Id of the data source (`ds_...`)."""
    sync_status: str | None | Unset = UNSET
    """How far it has come, such as `syncing`."""
    additional_properties: dict[str, Any] = _field(factory=dict, repr=names_only)
    """Undocumented fields."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON object, without UNSET fields."""
        _json: dict[str, Any] = to_json(self.additional_properties)
        if self.id is not UNSET:
            _json["id"] = to_json(self.id)
        if self.sync_status is not UNSET:
            _json["sync_status"] = to_json(self.sync_status)
        return _json

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        """The model of a JSON object. Undocumented fields go to `additional_properties`.

        Raises:
            DecodeError: a field is missing, or has the wrong type.
        """
        if cls is not DataSourceSync:
            return cls._of(DataSourceSync.from_dict(src_dict))
        _json = src_dict.copy() if type(src_dict) is dict else as_object("DataSourceSync", src_dict)
        id = _json.pop("id", ABSENT)
        if id is not UNSET and id is not None:
            if type(id) is not str:
                id = as_str("DataSourceSync", "id", id)
        sync_status = _json.pop("sync_status", ABSENT)
        if sync_status is not UNSET and sync_status is not None:
            if type(sync_status) is not str:
                sync_status = as_str("DataSourceSync", "sync_status", sync_status)
        _self = cls.__new__(cls)
        _self.id = id
        _self.sync_status = sync_status
        _self.additional_properties = _json
        return _self
