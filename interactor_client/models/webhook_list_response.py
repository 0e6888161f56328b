from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import define as _define
from attrs import field as _field

from interactor_client.base import Model as _Model
from interactor_client.errors import DecodeError
from interactor_client.types import UNSET, Unset
from interactor_client.wire import ABSENT, as_list, as_object, names_only, to_json


@_define(kw_only=True)
class WebhookListResponse(_Model):
    """A page of webhooks.

    Attributes:
        data: The items of the page. Empty beyond the last page.
        meta: The position of the page. If missing, whether more pages follow is unknown.
    """

    data: list[Webhook]
    """The items of the page. Empty beyond the last page."""
    meta: PaginationMeta | Unset = UNSET
    """The position of the page. If missing, whether more pages follow is unknown."""
    additional_properties: dict[str, Any] = _field(factory=dict, repr=names_only)
    """Undocumented fields."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON object, without UNSET fields."""
        _json: dict[str, Any] = to_json(self.additional_properties)
        _json["data"] = to_json(self.data)
        if self.meta is not UNSET and self.meta is not None:
            _json["meta"] = to_json(self.meta)
        return _json

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        """The model of a JSON object. Undocumented fields go to `additional_properties`.

        Raises:
            DecodeError: a field is missing, or has the wrong type.
        """
        if cls is not WebhookListResponse:
            return cls._of(WebhookListResponse.from_dict(src_dict))
        _json = src_dict.copy() if type(src_dict) is dict else as_object("WebhookListResponse", src_dict)
        data = _json.pop("data", ABSENT)
        if type(data) is not list:
            data = as_list("WebhookListResponse", "data", data)
        _data_items = data
        data = []
        for _data_item in _data_items:
            try:
                _data_item = Webhook.from_dict(_data_item)
            except DecodeError as _error:
                raise _error.at("WebhookListResponse", f"data[{len(data)}]") from None
            data.append(_data_item)
        meta = _json.pop("meta", ABSENT)
        if meta is None:
            meta = UNSET
        elif meta is not UNSET:
            try:
                meta = PaginationMeta.from_dict(meta)
            except DecodeError as _error:
                raise _error.at("WebhookListResponse", "meta") from None
        _self = cls.__new__(cls)
        _self.data = data
        _self.meta = meta
        _self.additional_properties = _json
        return _self


# At the foot, where models that contain each other find this one defined.
from .pagination_meta import PaginationMeta  # noqa: E402
from .webhook import Webhook  # noqa: E402

WebhookListResponse.__init__.__globals__.update(
    globals()
)  # attrs copied them before, and `typing.get_type_hints` looks there
